"""Chart that compares coins on one scale. Pure: values in, figure out."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle

from dashboard.charts.figure import Figure, packed
from dashboard.charts.palette import CATEGORIES
from dashboard.charts.style import ChartStyle, add_horizontal_line, add_watermark
from dashboard.charts.time_axis import WINDOWS, Points, max_gap_ms, thinned, time_layout, with_gaps

__all__ = ["comparison_chart"]


def comparison_chart(
    series: Mapping[str, Points],
    names: Mapping[str, str],
    window: str,
    *,
    as_index: bool,
    style: ChartStyle,
) -> Figure:
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
    figure: Figure = {"data": [], "layout": time_layout(style.formats, 2)}
    shown = {coin: points for coin, points in series.items() if points[0]}
    for colour, (coin, (times, values)) in zip(cycle(CATEGORIES), shown.items(), strict=False):
        scaled = [100.0 * (value / values[0] - (0.0 if as_index else 1.0)) for value in values]
        spread_times, spread_values = with_gaps(*thinned((times, scaled)), max_gap_ms(window))
        figure["data"].append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": packed(spread_times, -3),
                "y": packed(spread_values, 4),
                "name": names.get(coin, coin),
                "line": {"color": colour, "width": 2},
                "hovertemplate": "%{y:,.2f}" if as_index else "%{y:+,.2f}%",
            }
        )
    if shown:
        end_ms = max(times[-1] for times, _ in shown.values())
        start_ms = max(end_ms - WINDOWS[window], min(times[0] for times, _ in shown.values()))
        figure["layout"]["xaxis"]["range"] = [start_ms, end_ms + (end_ms - start_ms) // 50]
    add_horizontal_line(figure, 100 if as_index else 0)
    figure["layout"]["yaxis"] |= {"tickformat": ",.1f" if as_index else "+,.1f", "ticksuffix": "" if as_index else "%"}
    add_watermark(figure, style.watermark)
    return figure
