"""The time axis of price charts: windows, gaps and thinning. Pure; the browser draws times in its own zone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from core.times import DAY_MS, FOREVER_MS, GRID_STEP_MS, HOUR_MS
from dashboard.charts.style import base_layout
from dashboard.i18n.numbers import Formats

__all__ = ["GAP_MS", "WINDOWS", "Points", "max_gap_ms", "thinned", "time_layout", "with_gaps"]

WINDOWS: Final = {"1h": HOUR_MS, "6h": 6 * HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS, "tudo": FOREVER_MS}
"""Windows that a visitor can choose, and how far back each looks; the last one shows everything stored."""

GAP_MS: Final = 3 * GRID_STEP_MS
"""Points farther apart than this are not joined by a line."""

_HOURLY_GAP_MS: Final = 5 * HOUR_MS // 2
"""The same where the history before the first collected price has a point an hour."""

_MOST_POINTS: Final = 800
"""About one per pixel of a wide chart."""

Points = tuple[Sequence[int], Sequence[float]]
"""Times in UTC milliseconds, ascending, and a value for each."""


def max_gap_ms(window: str) -> int:
    """The longest time between two points of `window` that a line may bridge."""
    return GAP_MS if WINDOWS[window] <= DAY_MS else _HOURLY_GAP_MS


def thinned(points: Points, most: int = _MOST_POINTS) -> Points:
    """At most about `most` points: the lowest and the highest of each of `most` / 2 equal spans, and the last one.

    So a spike of a minute is still seen in a chart of a month.
    """
    times, values = points
    if len(times) <= most:
        return points
    span_ms = (times[-1] - times[0]) // (most // 2) + 1
    spans: dict[int, list[int]] = {}
    for index, ts_ms in enumerate(times):
        spans.setdefault((ts_ms - times[0]) // span_ms, []).append(index)
    kept = {len(times) - 1}
    for indices in spans.values():
        kept |= {min(indices, key=values.__getitem__), max(indices, key=values.__getitem__)}
    return [times[index] for index in sorted(kept)], [values[index] for index in sorted(kept)]


def with_gaps(times: Sequence[int], values: Sequence[float], gap_ms: int) -> tuple[list[int], list[float | None]]:
    """Insert an empty point where more than `gap_ms` is missing, so that no line bridges a gap.

    Args:
        times: UTC milliseconds, ascending.
        values: One value per time.
        gap_ms: The longest time between two points that a line may bridge.

    Returns:
        Times and values with the empty points, whose value is None.
    """
    spread_times: list[int] = []
    spread_values: list[float | None] = []
    for index, ts_ms in enumerate(times):
        if index and ts_ms - times[index - 1] > gap_ms:
            spread_times.append(times[index - 1] + 1)
            spread_values.append(None)
        spread_times.append(ts_ms)
        spread_values.append(values[index])
    return spread_times, spread_values


def time_layout(formats: Formats, decimals: int) -> dict[str, Any]:
    """Layout of a chart over time whose values have `decimals` decimals; dragging zooms into the time."""
    layout = base_layout(formats)
    day = formats.day_pattern
    layout["dragmode"] = "zoom"
    layout["hovermode"] = "x unified"
    layout["meta"] = {"decimals": decimals}
    layout["xaxis"] |= {
        "type": "date",
        "hoverformat": f"{formats.date_pattern} %H:%M:%S",
        "tickformatstops": [
            {"dtickrange": [None, DAY_MS - 1], "value": f"%H:%M\n{day}"},
            {"dtickrange": [DAY_MS, None], "value": day},
        ],
    }
    layout["yaxis"] |= {"side": "right", "tickformat": f",.{decimals}~f", "hoverformat": f",.{decimals}f"}
    return layout
