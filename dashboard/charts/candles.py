"""Candles: first, highest, lowest and last price of each interval, as bars and lines of the basic plotly.js. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from core.reading.tables import candle_table
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from dashboard.charts.figure import packed
from dashboard.charts.palette import RIGHT, WORSE
from dashboard.charts.style import ChartStyle
from dashboard.charts.time_axis import Points

__all__ = ["candle_step_ms", "candle_traces"]

_STEPS_MS: Final = (5 * MINUTE_MS, 15 * MINUTE_MS, 30 * MINUTE_MS, HOUR_MS, 4 * HOUR_MS, DAY_MS, 7 * DAY_MS)
_UNITS: Final = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"))
_MOST: Final = 60
"""Candles that a phone still shows apart."""

_BODY: Final = 0.7
"""Width of a body as a share of its interval."""

_SECONDS: Final = -3


@dataclass(frozen=True)
class _Candle:
    start_ms: int
    length_ms: int
    first: float
    highest: float
    lowest: float
    last: float

    @property
    def body(self) -> tuple[float, float]:
        """Lower and upper end of the body."""
        return min(self.first, self.last), max(self.first, self.last)

    @property
    def middle_ms(self) -> int:
        """Where the wick stands."""
        return self.start_ms + self.length_ms // 2


def candle_step_ms(span_ms: int) -> int:
    """The shortest interval of which at most `_MOST` fit into `span_ms`."""
    return next((step for step in _STEPS_MS if span_ms <= _MOST * step), _STEPS_MS[-1])


def candle_traces(history: Points, decimals: int, style: ChartStyle) -> list[dict[str, Any]]:
    """Hollow candles rose and filled ones fell, so that the colour is not all that tells them apart.

    Args:
        history: Event times in UTC milliseconds, ascending, and prices; their span decides how long an interval is.
        decimals: Decimals of the prices.
        style: Formats of the visitor.

    Returns:
        Bodies as bars and wicks as lines, for the risen and for the fallen; none without prices.
    """
    if not history[0]:
        return []
    step_ms = candle_step_ms(history[0][-1] - history[0][0])
    candles = _candles(history, step_ms)
    length = next(f"{step_ms // unit_ms}\u00a0{unit}" for unit_ms, unit in _UNITS if step_ms % unit_ms == 0)
    group = {"legendgroup": style.texts("chart.candles", length=length), "legendrank": 1}
    rose = [candle for candle in candles if candle.last >= candle.first]
    fell = [candle for candle in candles if candle.last < candle.first]
    pens = (_Pen(RIGHT, "rgba(0,0,0,0)", decimals, style), _Pen(WORSE, WORSE, decimals, style))
    drawn = [trace for pen, some in zip(pens, (rose, fell), strict=True) if some for trace in pen.draw(some)]
    return [trace | group | {"showlegend": trace is drawn[0]} for trace in drawn]


def _candles(history: Points, step_ms: int) -> list[_Candle]:
    """The candles of intervals of `step_ms`; the last one ends with the newest price."""
    newest_ms = history[0][-1]
    table = candle_table(list(zip(*history, strict=True)), step_ms, newest_ms)
    starts = [round(1000 * start.timestamp()) for start in table["start"].to_pylist()]
    prices = (table[name].to_pylist() for name in ("open", "high", "low", "close"))
    return [
        _Candle(start_ms, min(step_ms, max(newest_ms - start_ms, MINUTE_MS)), *row)
        for start_ms, *row in zip(starts, *prices, strict=True)
    ]


@dataclass(frozen=True)
class _Pen:
    """Draws the candles of one direction."""

    colour: str
    fill: str
    decimals: int
    style: ChartStyle

    def draw(self, candles: list[_Candle]) -> list[dict[str, Any]]:
        """Bodies and wicks."""
        return [self._bodies(candles), self._wicks(candles)]

    def _bodies(self, candles: list[_Candle]) -> dict[str, Any]:
        ends = [candle.body for candle in candles]
        return {
            "type": "bar",
            "name": self.style.texts("chart.history"),
            "x": packed([candle.start_ms for candle in candles], _SECONDS),
            "y": packed([high - low for low, high in ends], self.decimals),
            "base": packed([low for low, _ in ends], self.decimals),
            "offset": [round(candle.length_ms * (1 - _BODY) / 2) for candle in candles],
            "width": [round(candle.length_ms * _BODY) for candle in candles],
            "marker": {"color": self.fill, "line": {"color": self.colour, "width": 1.5}},
            "text": [self._describe(candle) for candle in candles],
            "textposition": "none",
            "hovertemplate": "%{text}",
        }

    def _wicks(self, candles: list[_Candle]) -> dict[str, Any]:
        """Lines from the body up to the highest price and down to the lowest one."""
        times = [candle.middle_ms for candle in candles for _ in range(6)]
        values = [
            value
            for candle in candles
            for value in (candle.lowest, candle.body[0], None, candle.body[1], candle.highest, None)
        ]
        return {
            "type": "scatter",
            "mode": "lines",
            "name": self.style.texts("chart.wick"),
            "x": packed(times, _SECONDS),
            "y": packed(values, self.decimals),
            "line": {"color": self.colour, "width": 1.5},
            "hoverinfo": "skip",
        }

    def _describe(self, candle: _Candle) -> str:
        number = self.style.formats.number
        prices = {name: number(getattr(candle, name), self.decimals) for name in ("first", "highest", "lowest", "last")}
        return self.style.texts("chart.candle", **prices)
