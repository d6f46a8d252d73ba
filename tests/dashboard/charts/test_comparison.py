"""The comparison charts as figures."""

from __future__ import annotations

import itertools
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.settings import DEFAULT_COINS
from core.times import MINUTE_MS
from dashboard.charts.co_movement import Liveliness
from dashboard.charts.comparison import apart, comparison_chart, moves_chart
from dashboard.charts.figure import unpacked
from dashboard.charts.palette import coin_colour
from dashboard.charts.style import ChartStyle
from dashboard.i18n.numbers import Formats

ORIGIN_MS = 1_763_812_800_000  # 2025-11-22 12:00
STYLE = ChartStyle(Formats("pt", UTC, "usd"))
TIMES = [ORIGIN_MS - 10 * MINUTE_MS, ORIGIN_MS]


def test_coins_share_one_scale() -> None:
    """An expensive and a cheap coin that both doubled have the same line, at +100 %."""
    series = {"bitcoin": (TIMES, [50_000.0, 100_000.0]), "shiba-inu": (TIMES, [0.00001, 0.00002]), "new": ([], [])}
    percent = comparison_chart(series, {"bitcoin": "Bitcoin"}, {}, "1h", STYLE)
    assert {trace["name"]: unpacked(trace["y"]) for trace in percent["data"]} == {
        "Bitcoin": [0.0, 100.0],
        "shiba-inu": [0.0, pytest.approx(100.0)],
    }


def test_a_coin_keeps_its_colour_and_its_label_beside_any_others() -> None:
    """Alone or with others a coin has one colour; its symbol stands in that colour at the end of its line."""
    symbols = {"ripple": "XRP", "bitcoin": "BTC"}
    both = {coin: (TIMES, [1.0, 1.01]) for coin in ("bitcoin", "ripple")}
    alone = {"ripple": both["ripple"]}
    for series in (both, alone):
        figure = comparison_chart(series, {}, symbols, "1h", STYLE)
        colours = {trace["name"]: trace["line"]["color"] for trace in figure["data"]}
        labels = {note["text"]: note["font"]["color"] for note in figure["layout"]["annotations"]}
        assert colours["ripple"] == labels["<b>XRP</b>"] == coin_colour("ripple")
    assert not figure["layout"]["showlegend"]


def test_coins_of_one_colour_differ_in_their_dashes() -> None:
    """The first and the ninth of the default coins share a colour and are still told apart."""
    first, ninth = DEFAULT_COINS[0], DEFAULT_COINS[8]
    assert coin_colour(first) == coin_colour(ninth)
    series = {coin: (TIMES, [1.0, 1.01]) for coin in (first, ninth)}
    lines = [trace["line"] for trace in comparison_chart(series, {}, {}, "1h", STYLE)["data"]]
    assert lines[0]["dash"] != lines[1]["dash"]


@given(st.lists(st.floats(-100, 100), max_size=8), st.floats(0.1, 10))
def test_labels_stand_apart_in_their_order(values: list[float], gap: float) -> None:
    """No two labels are nearer than the gap, their order is that of the lines, and their mean stays."""
    placed = apart(values, gap)
    order = sorted(range(len(values)), key=values.__getitem__)
    ordered = [placed[place] for place in order]
    assert all(high - low >= gap * 0.999 for low, high in itertools.pairwise(ordered))
    assert sum(placed) == pytest.approx(sum(values), abs=1e-6)


def test_expected_moves_stand_against_recent_ones() -> None:
    """Each coin with a past is a point in percent under its symbol; the diagonal is where both are equal."""
    rows = [Liveliness("bitcoin", 0.003, 0.002, 60.0), Liveliness("new", 0.01, None, None)]
    diagonal, points = moves_chart(rows, {"bitcoin": "BTC"}, STYLE)["data"]
    assert (points["text"], points["x"], points["y"]) == (["BTC"], [0.2], [0.3])
    assert diagonal["x"] == diagonal["y"]
