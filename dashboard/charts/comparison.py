"""Chart that compares coins on one scale. Pure: values in, figure out."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

import plotly.graph_objects as go

from dashboard.charts.palette import CATEGORIES, IDEAL
from dashboard.charts.style import ChartStyle, add_watermark
from dashboard.charts.time_axis import WINDOWS, Points, local_times, max_gap_ms, time_layout, with_gaps

__all__ = ["comparison_chart"]


def comparison_chart(
    series: Mapping[str, Points],
    names: Mapping[str, str],
    window: str,
    *,
    as_index: bool,
    style: ChartStyle,
) -> go.Figure:
    """Compare coins by the change of each since its own first price in the window.

    Args:
        series: Prices of each coin, by its id.
        names: Names for the legend, by coin id.
        window: A key of `WINDOWS`.
        as_index: Draw an index that starts at 100 instead of percentages that start at 0.
        style: Formats and watermark.

    Returns:
        A figure with one line per coin that has prices.
    """
    formats = style.formats
    figure = go.Figure(layout=time_layout(formats, 2))
    shown = {coin: points for coin, points in series.items() if points[0]}
    for colour, (coin, (times, values)) in zip(cycle(CATEGORIES), shown.items(), strict=False):
        scaled = [100.0 * (value / values[0] - (0.0 if as_index else 1.0)) for value in values]
        spread_times, spread_values = with_gaps(times, scaled, max_gap_ms(window))
        figure.add_scatter(
            x=local_times(spread_times, formats),
            y=spread_values,
            name=names.get(coin, coin),
            mode="lines",
            line={"color": colour, "width": 2},
            hovertemplate="%{y:,.2f}" if as_index else "%{y:+,.2f}%",
        )
    if shown:
        end_ms = max(times[-1] for times, _ in shown.values())
        start_ms = max(end_ms - WINDOWS[window], min(times[0] for times, _ in shown.values()))
        margin_ms = (end_ms - start_ms) // 50
        figure.update_xaxes(range=local_times([start_ms, end_ms + margin_ms], formats))
    figure.add_hline(y=100 if as_index else 0, line={"color": IDEAL, "width": 1, "dash": "dash"})
    figure.update_yaxes(tickformat=",.1f" if as_index else "+,.1f", ticksuffix="" if as_index else "%")
    add_watermark(figure, style.watermark)
    return figure
