"""The plotly package, which knows every property of every trace, checks the figures written as plain data."""

from __future__ import annotations

import plotly.graph_objects as go
import pytest

from core.times import MINUTE_MS
from dashboard.charts.accuracy import (
    by_clock_chart,
    by_coin_chart,
    by_day_chart,
    by_horizon_chart,
    interval_coverage_chart,
)
from dashboard.charts.co_movement import Liveliness
from dashboard.charts.comparison import comparison_chart, moves_chart
from dashboard.charts.figure import Figure, unpacked
from dashboard.charts.portfolio import contribution_chart
from dashboard.charts.price import price_chart
from dashboard.charts.style import ChartStyle
from tests.dashboard.charts.test_accuracy import FORMATS, SCORE, TEXTS
from tests.dashboard.charts.test_price import NONE, ORIGIN_MS, forecast, history

STYLE = ChartStyle(FORMATS)
LINES = {coin: ([ORIGIN_MS - MINUTE_MS, ORIGIN_MS], [1.0, 1.01]) for coin in ("bitcoin", "ripple")}
FIGURES = {
    "price": price_chart(history(), forecast(), NONE, "6h", STYLE),
    "candles": price_chart(history(), forecast(), NONE, "6h", STYLE, as_candles=True),
    "comparison": comparison_chart(LINES, {}, {"bitcoin": "BTC"}, "1h", STYLE),
    "moves": moves_chart([Liveliness("bitcoin", 0.003, 0.002, 60.0)], {"bitcoin": "BTC"}, STYLE),
    "contribution": contribution_chart({"bitcoin": 0.7, "ripple": 0.3}, FORMATS),
    "coverage": interval_coverage_chart(SCORE, FORMATS, TEXTS),
    "horizon": by_horizon_chart({5: SCORE, 60: SCORE}, FORMATS, TEXTS),
    "day": by_day_chart({"2025-11-22": SCORE}, FORMATS, TEXTS),
    "clock": by_clock_chart({0: SCORE, 13: SCORE}, ORIGIN_MS, FORMATS, TEXTS),
    "coin": by_coin_chart({"bitcoin": SCORE}, {"bitcoin": "Bitcoin"}, FORMATS, TEXTS),
}


def plain(figure: Figure) -> Figure:
    """The figure as chart.js hands it to plotly.js, its numbers unpacked."""
    traces = [
        trace | {axis: unpacked(trace[axis]) for axis in ("x", "y", "base") if axis in trace}
        for trace in figure["data"]
    ]
    return {"data": traces, "layout": figure["layout"]}


@pytest.mark.parametrize("name", FIGURES)
def test_plotly_knows_every_property(name: str) -> None:
    """Plotly accepts the figure; it refuses one with a property that it does not know."""
    figure = plain(FIGURES[name])
    assert len(go.Figure(figure).data) == len(figure["data"]) > 0
    misspelt = {"data": figure["data"], "layout": figure["layout"] | {"hovermod": "x"}}
    with pytest.raises(ValueError, match="hovermod"):
        go.Figure(misspelt)
