"""The price chart, history joined to the forecast of the next hour, and the comparison of coins. Pure: values in,
figures out.

Trace colours are mid-tones that read on light and dark alike; fonts, grid and background come from Streamlit's theme
in the browser. So a figure depends on the data alone, and the browser keeps it while the data stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, Final

import plotly.graph_objects as go

from core.number_format import price_decimals
from core.reading.values import ForecastStep, ForecastView, LoggedForecast
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from dashboard.charts.palette import BAND_OPACITY, CATEGORIES, FORECAST, HISTORY, IDEAL, PAST, faded
from dashboard.charts.style import ChartStyle
from dashboard.i18n.numbers import Formats

__all__ = [
    "WINDOWS",
    "add_watermark",
    "base_layout",
    "comparison_chart",
    "price_chart",
    "step_ms",
    "with_gaps",
]

_HEIGHT: Final = 460
WINDOWS: Final = {"1h": HOUR_MS, "6h": 6 * HOUR_MS, "24h": DAY_MS, "7d": 7 * DAY_MS}
"""Choices of the window and how far back each looks."""

_STEPS: Final = {"1h": 0, "6h": 0, "24h": MINUTE_MS, "7d": 2 * GRID_STEP_MS}
_GAP_MS: Final = 3 * GRID_STEP_MS
_BANDS: Final = (("q025", "q975", 95), ("q10", "q90", 80), ("q25", "q75", 50))


def step_ms(window: str) -> int:
    """At most one price per this many milliseconds is drawn in `window`; 0 means all."""
    return _STEPS[window]


def with_gaps(times: Sequence[int], values: Sequence[float], gap_ms: int) -> tuple[list[int], list[float | None]]:
    """The same points with an empty one where more than `gap_ms` is missing, so that no line bridges a gap."""
    spread_times: list[int] = []
    spread_values: list[float | None] = []
    for index, ts_ms in enumerate(times):
        if index and ts_ms - times[index - 1] > gap_ms:
            spread_times.append(times[index - 1] + 1)
            spread_values.append(None)
        spread_times.append(ts_ms)
        spread_values.append(values[index])
    return spread_times, spread_values


def price_chart(
    history: tuple[Sequence[int], Sequence[float]],
    forecast: ForecastView | None,
    past: Sequence[LoggedForecast],
    window: str,
    style: ChartStyle,
) -> go.Figure:
    """History of `window`, the next hour with its bands, and what was forecast before, on one time axis."""
    times, values = history
    newest_ms = times[-1] if times else forecast.origin_ms if forecast else 0
    decimals = price_decimals(values[-1] if values else forecast.price_origin if forecast else 1.0)
    formats, hover = style.formats, f"{style.formats.symbol} %{{y:,.{decimals}f}}"
    figure = go.Figure(layout=_layout(formats, decimals))
    if past:
        _add_past(figure, past, style, hover)
    if forecast is not None:
        _add_bands(figure, forecast, style)
    _add_history(figure, history, step_ms(window), style, hover)
    if forecast is not None:
        _add_forecast(figure, forecast, style, hover)
        _mark_origin(figure, forecast.origin_ms, style)
    end_ms = max(newest_ms, forecast.steps[-1].target_ms) if forecast else newest_ms
    start_ms = max(newest_ms - WINDOWS[window], times[0] if times else newest_ms)
    margin_ms = (end_ms - start_ms) // 50 + MINUTE_MS
    figure.update_xaxes(range=[_wall(start_ms, formats), _wall(end_ms + margin_ms, formats)])
    add_watermark(figure, style.watermark)
    return figure


def comparison_chart(
    series: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    names: Mapping[str, str],
    window: str,
    *,
    as_index: bool,
    style: ChartStyle,
) -> go.Figure:
    """Coins on one scale: each against its own first price in the window, as an index from 100 or in percent from 0."""
    formats = style.formats
    figure = go.Figure(layout=_layout(formats, 2))
    shown = {coin: points for coin, points in series.items() if points[0]}
    for colour, (coin, (times, values)) in zip(cycle(CATEGORIES), shown.items(), strict=False):
        scaled = [100.0 * (value / values[0] - (0.0 if as_index else 1.0)) for value in values]
        spread_times, spread_values = with_gaps(times, scaled, max(_GAP_MS, 2 * step_ms(window)))
        figure.add_scatter(
            x=_walls(spread_times, formats),
            y=spread_values,
            name=names.get(coin, coin),
            mode="lines",
            line={"color": colour, "width": 2},
            hovertemplate="%{y:,.2f}" if as_index else "%{y:+,.2f}%",
        )
    if shown:
        end_ms = max(times[-1] for times, _ in shown.values())
        start_ms = max(end_ms - WINDOWS[window], min(times[0] for times, _ in shown.values()))
        figure.update_xaxes(range=[_wall(start_ms, formats), _wall(end_ms + (end_ms - start_ms) // 50, formats)])
    figure.add_hline(y=100 if as_index else 0, line={"color": IDEAL, "width": 1, "dash": "dash"})
    figure.update_yaxes(tickformat=",.1f" if as_index else "+,.1f", ticksuffix="" if as_index else "%")
    add_watermark(figure, style.watermark)
    return figure


def add_watermark(figure: go.Figure, watermark: str | None) -> None:
    """Write across the plot, faintly, that its prices are not live."""
    if watermark:
        figure.add_annotation(
            text=watermark, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, opacity=0.22,
            font={"size": 28, "color": IDEAL},
        )  # fmt: skip


def base_layout(formats: Formats, height: int = _HEIGHT) -> dict[str, Any]:
    """What all charts share: room for axes alone, legend above, no dragging that would catch a thumb."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
        "separators": formats.separators,
        "dragmode": False,
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
        "xaxis": {"automargin": True, "showgrid": False},
        "yaxis": {"automargin": True, "zeroline": False},
    }


def _layout(formats: Formats, decimals: int) -> dict[str, Any]:
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


def _wall(ts_ms: int, formats: Formats) -> str:
    return formats.local(ts_ms).isoformat(sep=" ", timespec="seconds")


def _walls(times: Sequence[int], formats: Formats) -> list[str]:
    return [_wall(ts_ms, formats) for ts_ms in times]


def _add_history(
    figure: go.Figure, history: tuple[Sequence[int], Sequence[float]], drawn_step_ms: int, style: ChartStyle, hover: str
) -> None:
    spread_times, spread_values = with_gaps(*history, max(_GAP_MS, 2 * drawn_step_ms))
    figure.add_scatter(
        x=_walls(spread_times, style.formats),
        y=spread_values,
        name=style.texts("chart.history"),
        legendrank=1,
        mode="lines",
        line={"color": HISTORY, "width": 2},
        hovertemplate=hover,
    )


def _add_bands(figure: go.Figure, forecast: ForecastView, style: ChartStyle) -> None:
    """One filled outline an interval, the widest first, all starting at the price of the origin."""
    times = [forecast.origin_ms, *(step.target_ms for step in forecast.steps)]
    for low, high, percent in _BANDS:
        lower = [forecast.price_origin, *(step.quantiles[low] for step in forecast.steps)]
        upper = [forecast.price_origin, *(step.quantiles[high] for step in forecast.steps)]
        figure.add_scatter(
            x=_walls([*times, *reversed(times)], style.formats),
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
        x=_walls([forecast.origin_ms, *(step.target_ms for step in forecast.steps)], style.formats),
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
    """What was forecast an hour before each moment: the 80 % band and its middle, oldest first."""
    logged = sorted(past, key=lambda row: row.target_ms)
    times = [row.target_ms for row in logged]
    outline_times, outline_values = _outlines(logged)
    figure.add_scatter(
        x=_walls(outline_times, style.formats),
        y=outline_values,
        name=style.texts("chart.past_band"),
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=faded(PAST, 0.16),
        hoverinfo="skip",
    )
    spread_times, means = with_gaps(times, [row.mean for row in logged], _GAP_MS)
    figure.add_scatter(
        x=_walls(spread_times, style.formats),
        y=means,
        name=style.texts("chart.past"),
        mode="lines",
        line={"color": PAST, "width": 1.5, "dash": "dot"},
        hovertemplate=hover,
    )


def _outlines(logged: Sequence[LoggedForecast]) -> tuple[list[int], list[float | None]]:
    """The 80 % bands as closed outlines, one for each stretch without a gap, an empty point between them."""
    times: list[int] = []
    values: list[float | None] = []
    stretch: list[LoggedForecast] = []
    for row, following in zip(logged, (*logged[1:], None), strict=True):
        stretch.append(row)
        if following is None or following.target_ms - row.target_ms > _GAP_MS:
            times += [*(piece.target_ms for piece in stretch), *(piece.target_ms for piece in reversed(stretch))]
            values += [*(piece.high_80 for piece in stretch), *(piece.low_80 for piece in reversed(stretch))]
            times.append(times[-1])
            values.append(None)
            stretch = []
    return times, values


def _mark_origin(figure: go.Figure, origin_ms: int, style: ChartStyle) -> None:
    figure.add_shape(
        type="line", x0=_wall(origin_ms, style.formats), x1=_wall(origin_ms, style.formats), y0=0, y1=1, yref="paper",
        line={"color": FORECAST, "width": 1, "dash": "dot"}, opacity=0.7,
    )  # fmt: skip
    figure.add_annotation(
        x=_wall(origin_ms, style.formats), y=1, yref="paper", yanchor="top", xanchor="right", showarrow=False,
        text=style.texts("chart.origin"), font={"size": 11, "color": FORECAST},
    )  # fmt: skip
