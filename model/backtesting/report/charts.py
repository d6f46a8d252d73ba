"""Small charts as inline SVG in the page's colours, without scripts or external files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

from model.backtesting.report.format import number, percent

__all__ = ["line_chart", "ratio_chart", "reliability_chart"]

_WIDTH: Final = 720
_LEFT: Final = 52
_RIGHT: Final = 14
_TOP: Final = 12
_BOTTOM: Final = 30


def line_chart(
    labels: Sequence[str], series: Mapping[str, Sequence[float | None]], title: str, reference: float = 1.0
) -> str:
    """Lines over equally spaced labels, with a dashed line at `reference`; gaps where a value is None.

    The first series is drawn as points, the others as lines over them.
    """
    height = 260
    values = [value for line in series.values() for value in line if value is not None]
    ticks = _ticks([*values, reference])
    right, bottom = _WIDTH - _RIGHT, height - _BOTTOM

    def x(index: int) -> float:
        return _LEFT + (right - _LEFT) * (index / max(len(labels) - 1, 1))

    def y(value: float) -> float:
        return bottom - (bottom - _TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [_grid_line(y(tick), number(tick, 2), right) for tick in ticks]
    parts.append(f'<line class="reference" x1="{_LEFT}" x2="{right}" y1="{y(reference):.1f}" y2="{y(reference):.1f}"/>')
    for index in _spread(len(labels), 8):
        parts.append(f'<text x="{x(index):.1f}" y="{height - 10}" text-anchor="middle">{escape(labels[index])}</text>')
    for place, (name, line) in enumerate(series.items()):
        points = [(x(index), y(value), value) for index, value in enumerate(line) if value is not None]
        if place == 0:
            parts += [_dot("s0", px, py, f"{name}: {number(value)}") for px, py, value in points]
        else:
            path = " ".join(f"{px:.1f},{py:.1f}" for px, py, _ in points)
            parts.append(f'<polyline class="s{place}" points="{path}"/>')
    return _legend(series) + _svg(height, title, parts)


def ratio_chart(values: Mapping[str, float | None], title: str) -> str:
    """One bar per label, from 1 ("the price stays") to its ratio: left is better, right is worse."""
    height = _TOP + 26 * len(values) + _BOTTOM
    known = [value for value in values.values() if value is not None]
    ticks = _ticks([*known, 1.0])
    left, right = 150, _WIDTH - 60

    def x(value: float) -> float:
        return left + (right - left) * (value - ticks[0]) / (ticks[-1] - ticks[0])

    parts = []
    for tick in ticks:
        kind = "reference" if abs(tick - 1) < 1e-9 else "grid"
        parts.append(
            f'<line class="{kind}" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{_TOP}" y2="{height - _BOTTOM}"/>'
        )
        parts.append(f'<text x="{x(tick):.1f}" y="{height - 10}" text-anchor="middle">{number(tick, 2)}</text>')
    for row, (label, value) in enumerate(values.items()):
        top = _TOP + 26 * row + 4
        parts.append(f'<text x="{left - 10}" y="{top + 13}" text-anchor="end">{escape(label)}</text>')
        if value is not None:
            start, end = sorted((x(value), x(1.0)))
            kind = "better" if value < 1 else "worse"
            parts.append(
                f'<rect class="{kind}" x="{start:.1f}" y="{top}" width="{end - start:.1f}" height="18" rx="2"/>'
            )
            parts.append(f'<text class="value" x="{right + 8}" y="{top + 13}">{number(value)}</text>')
    return _svg(height, title, parts)


def reliability_chart(curves: Mapping[str, Mapping[float, float]], title: str) -> str:
    """Nominal level of each quantile against the share of outcomes below it; calibrated ones lie on the diagonal."""
    size, left = 340, _LEFT
    right, bottom = left + size, _TOP + size

    def x(share: float) -> float:
        return left + size * share

    def y(share: float) -> float:
        return bottom - size * share

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_grid_line(y(share), percent(share, 0), right))
        parts.append(f'<text x="{x(share):.1f}" y="{bottom + 20}" text-anchor="middle">{percent(share, 0)}</text>')
    parts.append(f'<line class="reference" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>')
    for place, (name, curve) in enumerate(curves.items()):
        points = " ".join(f"{x(level):.1f},{y(share):.1f}" for level, share in curve.items())
        parts.append(f'<polyline class="s{place + 1}" points="{points}"/>')
        for level, share in curve.items():
            tip = f"{name}: {percent(level)} previsto, {percent(share)} observado"
            parts.append(_dot(f"s{place + 1}", x(level), y(share), tip))
    return _legend(curves, first=1) + _svg(bottom + _BOTTOM, title, parts, width=right + 2 * _RIGHT)


def _svg(height: float, title: str, parts: Sequence[str], width: float = _WIDTH) -> str:
    body = "".join(parts)
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(title)}" '
        f'style="max-width:{width:.0f}px">{body}</svg>'
    )


def _legend(names: Iterable[str], first: int = 0) -> str:
    items = [f'<span><i class="s{place}"></i>{escape(name)}</span>' for place, name in enumerate(names, first)]
    return f'<div class="legend">{"".join(items)}</div>'


def _dot(kind: str, x: float, y: float, tip: str) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{escape(tip)}</title></circle>'


def _grid_line(y: float, label: str, right: float) -> str:
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """Four to nine round numbers that enclose all values."""
    low, high = min(values), max(values)
    rough = max(high - low, 0.02) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    if last - first < 2:
        first, last = first - 1, last + 1
    return [step * k for k in range(first, last + 1)]


def _spread(count: int, most: int) -> list[int]:
    """At most `most` places spread over `count`."""
    stride = max(1, math.ceil(count / most))
    return list(range(0, count, stride))
