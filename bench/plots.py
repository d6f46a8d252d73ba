"""Small line charts as SVG, written by hand: no library is worth three of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

__all__ = ["Panel", "write_svg"]

_WIDTH: Final = 340
_HEIGHT: Final = 240
_LEFT: Final = 52
_TOP: Final = 40
_RIGHT: Final = 16
_BOTTOM: Final = 44
_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#444}.t{font-weight:600;fill:#222}.g{stroke:#ddd}"
    ".l{fill:none;stroke:#1f6feb;stroke-width:2}.p{fill:#1f6feb}"
)


@dataclass(frozen=True)
class Panel:
    """One curve: CPU-seconds of a warm cycle against something; the places are evenly spaced and carry `labels`."""

    title: str
    axis: str
    labels: Sequence[str]
    values: Sequence[float]


def write_svg(path: Path, panels: Sequence[Panel]) -> None:
    """Write the panels side by side, all from zero to the highest value of each."""
    width = _WIDTH * len(panels)
    body = "".join(
        f'<g transform="translate({number * _WIDTH},0)">{_panel(panel)}</g>' for number, panel in enumerate(panels)
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}">'
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{body}</svg>\n',
        encoding="utf-8",
    )


def _panel(panel: Panel) -> str:
    high, low = 1.15 * max(panel.values), _HEIGHT - _BOTTOM
    step = (_WIDTH - _LEFT - _RIGHT) / max(len(panel.values) - 1, 1)
    points = [(_LEFT + number * step, low - value / high * (low - _TOP)) for number, value in enumerate(panel.values)]
    parts = [f'<text class="t" x="{_LEFT}" y="22">{escape(panel.title)}</text>']
    for share in (0.0, 0.5, 1.0):
        y = low - share * (low - _TOP)
        parts.append(f'<line class="g" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share * high:.2g}</text>')
    parts.append(f'<polyline class="l" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>')
    for (x, y), label, value in zip(points, panel.labels, panel.values, strict=True):
        parts.append(f'<circle class="p" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{value:.3f}</text>')
        parts.append(f'<text x="{x:.1f}" y="{low + 16}" text-anchor="middle">{escape(label)}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(panel.axis)}</text>')
    return "".join(parts)
