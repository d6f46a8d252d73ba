"""Chart of one coin: its price, joined to the forecast of the next hour. Pure: values in, figure out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import plotly.graph_objects as go

from core.number_format import price_decimals
from core.reading.values import ForecastStep, ForecastView, LoggedForecast
from core.times import MINUTE_MS
from dashboard.charts.palette import BAND_OPACITY, FORECAST, HISTORY, PAST, faded
from dashboard.charts.style import ChartStyle, add_watermark
from dashboard.charts.time_axis import (
    GAP_MS,
    WINDOWS,
    Points,
    local_time,
    local_times,
    max_gap_ms,
    time_layout,
    with_gaps,
)

__all__ = ["price_chart"]

_BANDS: Final = (("q025", "q975", 95), ("q10", "q90", 80), ("q25", "q75", 50))


def price_chart(
    history: Points,
    forecast: ForecastView | None,
    past: Sequence[LoggedForecast],
    window: str,
    style: ChartStyle,
) -> go.Figure:
    """Draw the price history, the forecast of the next hour with its intervals, and past forecasts.

    Args:
        history: Prices up to now.
        forecast: The newest forecast, or None before the first one.
        past: Past one-hour forecasts to draw at their target times; may be empty.
        window: A key of `WINDOWS`: how far back the axis reaches.
        style: Formats and watermark.

    Returns:
        The figure; without any data it is empty.
    """
    times, values = history
    newest_ms = times[-1] if times else forecast.origin_ms if forecast else 0
    decimals = price_decimals(values[-1] if values else forecast.price_origin if forecast else 1.0)
    formats, hover = style.formats, f"{style.formats.symbol} %{{y:,.{decimals}f}}"
    figure = go.Figure(layout=time_layout(formats, decimals))
    if past:
        _add_past(figure, past, style, hover)
    if forecast is not None:
        _add_bands(figure, forecast, style)
    _add_history(figure, history, window, style, hover)
    if forecast is not None:
        _add_forecast(figure, forecast, style, hover)
        _mark_origin(figure, forecast.origin_ms, style)
    end_ms = max(newest_ms, forecast.steps[-1].target_ms) if forecast else newest_ms
    start_ms = max(newest_ms - WINDOWS[window], times[0] if times else newest_ms)
    margin_ms = (end_ms - start_ms) // 50 + MINUTE_MS
    figure.update_xaxes(range=local_times([start_ms, end_ms + margin_ms], formats))
    add_watermark(figure, style.watermark)
    return figure


def _add_history(figure: go.Figure, history: Points, window: str, style: ChartStyle, hover: str) -> None:
    spread_times, spread_values = with_gaps(*history, max_gap_ms(window))
    figure.add_scatter(
        x=local_times(spread_times, style.formats),
        y=spread_values,
        name=style.texts("chart.history"),
        legendrank=1,
        mode="lines",
        line={"color": HISTORY, "width": 2},
        hovertemplate=hover,
    )


def _add_bands(figure: go.Figure, forecast: ForecastView, style: ChartStyle) -> None:
    """Add one filled outline per interval, the widest first, all starting at the price of the origin."""
    times = [forecast.origin_ms, *(step.target_ms for step in forecast.steps)]
    for low, high, percent in _BANDS:
        lower = [forecast.price_origin, *(step.quantiles[low] for step in forecast.steps)]
        upper = [forecast.price_origin, *(step.quantiles[high] for step in forecast.steps)]
        figure.add_scatter(
            x=local_times([*times, *reversed(times)], style.formats),
            y=[*upper, *reversed(lower)],
            name=style.texts("chart.band", percent=percent),
            mode="lines",
            line={"width": 0},
            legendrank=1000 + percent,
            fill="toself",
            fillcolor=faded(FORECAST, BAND_OPACITY[percent]),
            hoverinfo="skip",
        )


def _add_forecast(figure: go.Figure, forecast: ForecastView, style: ChartStyle, hover: str) -> None:
    figure.add_scatter(
        x=local_times([forecast.origin_ms, *(step.target_ms for step in forecast.steps)], style.formats),
        y=[forecast.price_origin, *(step.mean for step in forecast.steps)],
        text=["", *(_describe(step, style) for step in forecast.steps)],
        name=style.texts("chart.forecast"),
        legendrank=2,
        mode="lines",
        line={"color": FORECAST, "width": 2.5},
        hovertemplate=f"{hover}%{{text}}",
    )


def _describe(step: ForecastStep, style: ChartStyle) -> str:
    ranges = {
        percent: style.formats.price_range(step.quantiles[low], step.quantiles[high]) for low, high, percent in _BANDS
    }
    return "<br>" + style.texts("chart.ranges", range_80=ranges[80], range_95=ranges[95])


def _add_past(figure: go.Figure, past: Sequence[LoggedForecast], style: ChartStyle, hover: str) -> None:
    """Add past one-hour forecasts at their target times: the 80 % interval and the mean."""
    logged = sorted(past, key=lambda row: row.target_ms)
    times = [row.target_ms for row in logged]
    outline_times, outline_values = _outlines(logged)
    figure.add_scatter(
        x=local_times(outline_times, style.formats),
        y=outline_values,
        name=style.texts("chart.past_band"),
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=faded(PAST, 0.16),
        hoverinfo="skip",
    )
    spread_times, means = with_gaps(times, [row.mean for row in logged], GAP_MS)
    figure.add_scatter(
        x=local_times(spread_times, style.formats),
        y=means,
        name=style.texts("chart.past"),
        mode="lines",
        line={"color": PAST, "width": 1.5, "dash": "dot"},
        hovertemplate=hover,
    )


def _outlines(logged: Sequence[LoggedForecast]) -> tuple[list[int], list[float | None]]:
    """The 80 % intervals as closed outlines, one per stretch without a gap, parted by empty points."""
    times: list[int] = []
    values: list[float | None] = []
    stretch: list[LoggedForecast] = []
    for row, following in zip(logged, (*logged[1:], None), strict=True):
        stretch.append(row)
        if following is None or following.target_ms - row.target_ms > GAP_MS:
            times += [*(piece.target_ms for piece in stretch), *(piece.target_ms for piece in reversed(stretch))]
            values += [*(piece.high_80 for piece in stretch), *(piece.low_80 for piece in reversed(stretch))]
            times.append(times[-1])
            values.append(None)
            stretch = []
    return times, values


def _mark_origin(figure: go.Figure, origin_ms: int, style: ChartStyle) -> None:
    origin = local_time(origin_ms, style.formats)
    figure.add_shape(
        type="line", x0=origin, x1=origin, y0=0, y1=1, yref="paper",
        line={"color": FORECAST, "width": 1, "dash": "dot"}, opacity=0.7,
    )  # fmt: skip
    figure.add_annotation(
        x=origin, y=1, yref="paper", yanchor="top", xanchor="right", showarrow=False,
        text=style.texts("chart.origin"), font={"size": 11, "color": FORECAST},
    )  # fmt: skip
