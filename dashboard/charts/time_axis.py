"""The time axis of price charts: windows, gaps, and times in the visitor's time zone. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from dashboard.charts.style import base_layout
from dashboard.i18n.numbers import Formats

__all__ = [
    "GAP_MS",
    "WINDOWS",
    "Points",
    "local_time",
    "local_times",
    "max_gap_ms",
    "step_ms",
    "time_layout",
    "with_gaps",
]

WINDOWS: Final = {"1h": HOUR_MS, "6h": 6 * HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS}
"""Windows that a visitor can choose, and how far back each looks."""

GAP_MS: Final = 3 * GRID_STEP_MS
"""Points farther apart than this are not joined by a line."""

Points = tuple[Sequence[int], Sequence[float]]
"""Times in UTC milliseconds, ascending, and a value for each."""

_STEPS: Final = {"1h": 0, "6h": 0, "24h": MINUTE_MS, "7d": 2 * GRID_STEP_MS}


def step_ms(window: str) -> int:
    """At most one price per this many milliseconds is drawn in `window`; 0 means all."""
    return _STEPS[window]


def max_gap_ms(window: str) -> int:
    """The longest time between two points of `window` that a line may bridge."""
    return max(GAP_MS, 2 * step_ms(window))


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
    """Layout of a chart over time whose values have `decimals` decimals."""
    layout = base_layout(formats)
    day = formats.day_pattern
    layout["hovermode"] = "x unified"
    layout["xaxis"] |= {
        "type": "date",
        "hoverformat": f"{formats.date_pattern} %H:%M:%S",
        "tickformatstops": [
            {"dtickrange": [None, DAY_MS - 1], "value": f"%H:%M\n{day}"},
            {"dtickrange": [DAY_MS, None], "value": day},
        ],
    }
    layout["yaxis"] |= {"side": "right", "tickformat": f",.{decimals}f", "hoverformat": f",.{decimals}f"}
    return layout


def local_time(ts_ms: int, formats: Formats) -> str:
    """A time as Plotly wants it, in the visitor's time zone."""
    return formats.local(ts_ms).isoformat(sep=" ", timespec="seconds")


def local_times(times: Sequence[int], formats: Formats) -> list[str]:
    """Times as Plotly wants them, in the visitor's time zone."""
    return [local_time(ts_ms, formats) for ts_ms in times]
