"""Charts that compare coins: on one scale over time, and expected against recent moves. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboard.charts.co_movement import Liveliness
from dashboard.charts.figure import Figure, packed
from dashboard.charts.palette import IDEAL, coin_colour
from dashboard.charts.style import ChartStyle, add_horizontal_line, add_watermark, base_layout
from dashboard.charts.time_axis import WINDOWS, Points, max_gap_ms, thinned, time_layout, with_gaps

__all__ = ["apart", "comparison_chart", "moves_chart"]

_DASHES: Final = ("solid", "dash", "dot", "dashdot")
"""Coins that share a colour differ in these."""

_LABEL_ROOM: Final = 0.09
"""Share of the time axis that the labels at the line ends take."""

_LABEL_MARGIN_PX: Final = 24
"""On a phone that share is narrower than a label."""

_LABEL_GAP: Final = 0.055
"""Least distance of two labels, as a share of the value axis."""


def comparison_chart(
    series: Mapping[str, Points],
    names: Mapping[str, str],
    symbols: Mapping[str, str],
    window: str,
    style: ChartStyle,
) -> Figure:
    """Compare coins by the change of each since its own first price in the window; each line ends in its symbol.

    Args:
        series: Prices of each coin, by its id.
        names: Names for the tooltip, by coin id.
        symbols: Labels at the line ends, by coin id.
        window: A key of `WINDOWS`.
        style: Formats and watermark.

    Returns:
        A figure with one line per coin that has prices.
    """
    figure: Figure = {"data": [], "layout": time_layout(style.formats, 2)}
    figure["layout"]["showlegend"] = False
    scaled = {
        coin: (times, [100.0 * (value / values[0] - 1) for value in values])
        for coin, (times, values) in series.items()
        if times
    }
    dashes = _dashes(scaled)
    for coin, points in scaled.items():
        times, values = with_gaps(*thinned(points), max_gap_ms(window))
        figure["data"].append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": packed(times, -3),
                "y": packed(values, 4),
                "name": names.get(coin, coin),
                "line": {"color": coin_colour(coin), "width": 2, "dash": dashes[coin]},
                "hovertemplate": "%{y:+,.2f}%",
            }
        )
    if scaled:
        _label_ends(figure, scaled, symbols, window)
    add_horizontal_line(figure, 0)
    figure["layout"]["yaxis"] |= {"tickformat": ",.1f", "ticksuffix": "%", "side": "left"}
    figure["layout"]["margin"]["r"] = _LABEL_MARGIN_PX
    add_watermark(figure, style.watermark)
    return figure


def moves_chart(rows: Sequence[Liveliness], symbols: Mapping[str, str], style: ChartStyle) -> Figure:
    """Expected move of the next hour against the mean move of recent hours, in percent; on the diagonal they are equal.

    Args:
        rows: coins; those without a recent move are left out.
        symbols: label of each point, by coin id.
        style: formats and watermark.
    """
    texts = style.texts
    layout = base_layout(style.formats)
    known = [(row.coin, 100 * row.recent, 100 * row.expected) for row in rows if row.recent is not None]
    most = 1.15 * max((max(recent, expected) for _, recent, expected in known), default=1.0)
    layout |= {"showlegend": False, "hovermode": "closest"}
    layout["xaxis"] |= {"range": [0, most], "ticksuffix": "%", "title": {"text": texts("comparison.recent")}}
    layout["yaxis"] |= {"range": [0, most], "ticksuffix": "%", "title": {"text": texts("comparison.expected")}}
    diagonal = {
        "type": "scatter", "mode": "lines", "x": [0, most], "y": [0, most], "hoverinfo": "skip",
        "name": texts("comparison.as_usual"), "line": {"color": IDEAL, "width": 1.5, "dash": "dash"},
    }  # fmt: skip
    points: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [round(recent, 4) for _, recent, _ in known],
        "y": [round(expected, 4) for _, _, expected in known],
        "text": [symbols.get(coin, coin) for coin, _, _ in known],
        "textposition": "top center",
        "name": texts("comparison.coin"),
        "marker": {"size": 9, "color": [coin_colour(coin) for coin, _, _ in known]},
        "hovertemplate": "%{text}: %{x:.2f}% → %{y:.2f}%<extra></extra>",
    }
    figure: Figure = {"data": [diagonal, points], "layout": layout}
    add_watermark(figure, style.watermark)
    return figure


def apart(values: Sequence[float], gap: float) -> list[float]:
    """Move values apart until each is at least `gap` from the next; their order and their mean stay."""
    order = sorted(range(len(values)), key=values.__getitem__)
    groups: list[tuple[float, int]] = []  # centre and number of values that touch each other
    for place in order:
        centre, count = values[place], 1
        while groups and centre - groups[-1][0] < gap * (count + groups[-1][1]) / 2:
            below, others = groups.pop()
            centre, count = (below * others + centre * count) / (others + count), others + count
        groups.append((centre, count))
    spread = [centre + gap * (step - (count - 1) / 2) for centre, count in groups for step in range(count)]
    return [value for _, value in sorted(zip(order, spread, strict=True))]


def _dashes(coins: Mapping[str, object]) -> dict[str, str]:
    """A dash of each coin, so that coins of one colour differ."""
    used: dict[str, int] = {}
    dashes = {}
    for coin in coins:
        place = used.get(coin_colour(coin), 0)
        used[coin_colour(coin)] = place + 1
        dashes[coin] = _DASHES[place % len(_DASHES)]
    return dashes


def _label_ends(figure: Figure, lines: Mapping[str, Points], symbols: Mapping[str, str], window: str) -> None:
    """Write each coin's symbol beside the end of its line, none over another, and leave room for them."""
    end_ms = max(times[-1] for times, _ in lines.values())
    start_ms = max(end_ms - WINDOWS[window], min(times[0] for times, _ in lines.values()))
    figure["layout"]["xaxis"]["range"] = [start_ms, end_ms + round((end_ms - start_ms) * _LABEL_ROOM)]
    values = [value for _, line in lines.values() for value in line]
    ends = apart([line[-1] for _, line in lines.values()], _LABEL_GAP * (max(values) - min(values)))
    for coin, y in zip(lines, ends, strict=True):
        figure["layout"]["annotations"].append(
            {
                "text": f"<b>{symbols.get(coin, coin)}</b>", "x": end_ms, "y": round(y, 4), "xanchor": "left",
                "xshift": 4, "showarrow": False, "font": {"color": coin_colour(coin), "size": 12},
            }
        )  # fmt: skip
