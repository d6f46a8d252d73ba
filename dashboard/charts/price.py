"""Chart of one coin: its price, joined to the forecast of the next hour. Pure: values in, figure out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from core.number_format import price_decimals
from core.reading.track_record import PastForecasts
from core.reading.values import ForecastStep, ForecastView, LoggedForecast
from core.times import HOUR_MS, MINUTE_MS
from dashboard.charts.candles import candle_traces
from dashboard.charts.figure import Figure, packed
from dashboard.charts.palette import BAND_OPACITY, FORECAST, HISTORY, PAST, WORSE, faded
from dashboard.charts.style import ChartStyle, add_watermark
from dashboard.charts.time_axis import GAP_MS, WINDOWS, Points, max_gap_ms, thinned, time_layout, with_gaps

__all__ = ["price_chart"]

_BANDS: Final = (("q025", "q975", 95), ("q10", "q90", 80), ("q25", "q75", 50))
_SECONDS: Final = -3
"""Decimals of times in milliseconds: a chart needs no finer ones than seconds."""

_BACKTEST_GAP_MS: Final = 3 * HOUR_MS // 2
"""The backtest forecasts at most once an hour."""

_ROUND: Final = {"shape": "spline", "smoothing": 0.8}
"""Rounds the corners between horizons: the intervals have one value each 5 minutes, not a turn there."""


def price_chart(
    history: Points,
    forecast: ForecastView | None,
    past: PastForecasts,
    window: str,
    style: ChartStyle,
    *,
    as_candles: bool = False,
) -> Figure:
    """Draw the price history, the forecast of the next hour with its intervals, and past forecasts.

    Args:
        history: Prices up to now.
        forecast: The newest forecast, or None before the first one.
        past: Past one-hour forecasts to draw at their target times, and which of them failed; may be empty.
        window: A key of `WINDOWS`: how far back the axis reaches.
        style: Formats and watermark.
        as_candles: Draw candles instead of a line.

    Returns:
        The figure; without any data it is empty.
    """
    times, values = history
    newest_ms = times[-1] if times else forecast.origin_ms if forecast else 0
    decimals = price_decimals(values[-1] if values else forecast.price_origin if forecast else 1.0)
    pen = _Pen(style, decimals)
    figure: Figure = {"data": [], "layout": time_layout(style.formats, decimals)}
    figure["data"] += pen.past(past.live, "live", GAP_MS) + pen.past(past.backtest, "backtest", _BACKTEST_GAP_MS)
    figure["data"] += pen.bands(forecast) if forecast else []
    figure["data"] += candle_traces(history, decimals, style) if as_candles else [pen.history(history, window)]
    figure["data"] += pen.misses((*past.backtest, *past.live))
    if forecast is not None:
        figure["data"].append(pen.forecast(forecast))
        _mark_origin(figure, forecast.origin_ms, style)
    end_ms = max(newest_ms, forecast.steps[-1].target_ms) if forecast else newest_ms
    start_ms = max(newest_ms - WINDOWS[window], times[0] if times else newest_ms)
    margin_ms = (end_ms - start_ms) // 50 + MINUTE_MS
    figure["layout"]["xaxis"]["range"] = [start_ms, end_ms + margin_ms]
    _name_unit(figure, style)
    add_watermark(figure, style.watermark)
    return figure


class _Pen:
    """Makes the traces of one price chart: language, currency and decimals are the same in all of them."""

    def __init__(self, style: ChartStyle, decimals: int) -> None:
        self._style = style
        self._decimals = decimals
        self._hover = style.formats.amount(f"%{{y:,.{decimals}f}}")

    def history(self, history: Points, window: str) -> dict[str, Any]:
        """The price line."""
        times, values = with_gaps(*thinned(history), max_gap_ms(window))
        return self._line(
            times, values, name=self._style.texts("chart.history"), legendrank=1, hovertemplate=self._hover,
            line={"color": HISTORY, "width": 2},
        )  # fmt: skip

    def bands(self, forecast: ForecastView) -> list[dict[str, Any]]:
        """Two edges per interval with its colour between them, the widest first, from the price of the origin on."""
        times = [forecast.origin_ms, *(step.target_ms for step in forecast.steps)]
        traces = []
        group = self._style.texts("chart.bands")
        for low, high, percent in _BANDS:
            name = self._style.texts("chart.band", percent=percent)
            colour = faded(FORECAST, BAND_OPACITY[percent])
            for edge in (low, high):
                values = [forecast.price_origin, *(step.quantiles[edge] for step in forecast.steps)]
                traces.append(
                    self._line(
                        times,
                        values,
                        name=name,
                        legendgroup=group,
                        legendrank=3,
                        hoverinfo="skip",
                        showlegend=(edge, percent) == ("q75", 50),
                        line={"width": 0, "color": colour, **_ROUND},
                        fill="tonexty" if edge == high else "none",
                        fillcolor=colour,
                    )
                )
        return traces

    def forecast(self, forecast: ForecastView) -> dict[str, Any]:
        """The mean of the forecast; its tooltip has the intervals."""
        times = [forecast.origin_ms, *(step.target_ms for step in forecast.steps)]
        return self._line(
            times, [forecast.price_origin, *(step.mean for step in forecast.steps)],
            text=["", *(self._describe(step) for step in forecast.steps)],
            name=self._style.texts("chart.forecast"), legendrank=2, hovertemplate=f"{self._hover}%{{text}}",
            line={"color": FORECAST, "width": 2.5, **_ROUND},
        )  # fmt: skip

    def past(self, past: Sequence[LoggedForecast], kind: str, gap_ms: int) -> list[dict[str, Any]]:
        """The 80 % intervals of past one-hour forecasts of a kind (live or backtest) at their target times."""
        if not past:
            return []
        times, values = _outlines(past, gap_ms)
        return [
            self._line(
                times, values, name=self._style.texts(f"chart.past_{kind}"), line={"width": 0}, fill="toself",
                fillcolor=faded(PAST, 0.2 if kind == "live" else 0.1), hoverinfo="skip",
            )
        ]  # fmt: skip

    def misses(self, past: Sequence[LoggedForecast]) -> list[dict[str, Any]]:
        """Prices that fell outside the 80 % interval forecast an hour before."""
        missed = [
            (row.target_ms, row.actual)
            for row in past
            if row.actual is not None and not row.low_80 <= row.actual <= row.high_80
        ]
        if not missed:
            return []
        times, values = zip(*missed, strict=True)
        name = self._style.texts("chart.missed")
        marks = {"mode": "markers", "marker": {"color": WORSE, "size": 5}, "hoverinfo": "skip"}
        return [self._line(times, values, name=name, **marks)]

    def _line(self, times: Sequence[int], values: Sequence[float | None], **properties: Any) -> dict[str, Any]:
        return {
            "type": "scatter",
            "mode": "lines",
            "x": packed(times, _SECONDS),
            "y": packed(values, self._decimals),
            **properties,
        }

    def _describe(self, step: ForecastStep) -> str:
        ranges = {
            percent: self._style.formats.price_range(step.quantiles[low], step.quantiles[high])
            for low, high, percent in _BANDS
        }
        return "<br>" + self._style.texts("chart.ranges", range_80=ranges[80], range_95=ranges[95])


def _outlines(logged: Sequence[LoggedForecast], gap_ms: int) -> tuple[list[int], list[float | None]]:
    """The 80 % intervals as closed outlines, one per stretch without a gap, parted by empty points."""
    times: list[int] = []
    values: list[float | None] = []
    stretch: list[LoggedForecast] = []
    for row, following in zip(logged, (*logged[1:], None), strict=True):
        stretch.append(row)
        if following is None or following.target_ms - row.target_ms > gap_ms:
            times += [*(piece.target_ms for piece in stretch), *(piece.target_ms for piece in reversed(stretch))]
            values += [*(piece.high_80 for piece in stretch), *(piece.low_80 for piece in reversed(stretch))]
            times.append(times[-1])
            values.append(None)
            stretch = []
    return times, values


def _mark_origin(figure: Figure, origin_ms: int, style: ChartStyle) -> None:
    """Mark the price time from which the forecast starts; the browser marks the present time itself."""
    figure["layout"]["shapes"].append(
        {
            "type": "line", "x0": origin_ms, "x1": origin_ms, "y0": 0, "y1": 1, "yref": "paper", "opacity": 0.7,
            "line": {"color": FORECAST, "width": 1, "dash": "dot"},
        }
    )  # fmt: skip
    figure["layout"]["annotations"].append(
        {
            "x": origin_ms, "y": 1, "yref": "paper", "yanchor": "top", "xanchor": "right", "showarrow": False,
            "text": style.texts("chart.origin", clock=style.formats.clock(origin_ms)),
            "font": {"size": 11, "color": FORECAST},
        }
    )  # fmt: skip


def _name_unit(figure: Figure, style: ChartStyle) -> None:
    """Write the currency above the axis of prices."""
    figure["layout"]["annotations"].append(
        {
            "x": 1, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
            "showarrow": False, "text": style.formats.symbol, "font": {"size": 11},
        }
    )  # fmt: skip
