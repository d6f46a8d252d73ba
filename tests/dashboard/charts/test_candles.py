"""Candles as traces of the basic plotly.js."""

from __future__ import annotations

from datetime import UTC

import pytest

from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from dashboard.charts.candles import candle_step_ms, candle_traces
from dashboard.charts.figure import unpacked
from dashboard.charts.style import ChartStyle
from dashboard.i18n.numbers import Formats

START_MS = 1_763_812_800_000  # 2025-11-22 12:00
STYLE = ChartStyle(Formats("pt", UTC, "usd"))


def test_bodies_and_wicks_hold_the_four_prices() -> None:
    """The first interval rose, hollow, the second fell, filled; wicks reach from the body to the extremes."""
    minutes = (0, 1, 2, 4, 5, 6, 7, 9)
    prices = [10.0, 9.0, 13.0, 12.0, 12.0, 12.5, 8.0, 11.0]
    history = ([START_MS + minute * MINUTE_MS for minute in minutes], prices)
    rose, rose_wick, fell, fell_wick = candle_traces(history, 2, STYLE)
    assert [unpacked(rose[name]) for name in ("x", "base", "y")] == [[START_MS], [10.0], [2.0]]
    assert [unpacked(fell[name]) for name in ("x", "base", "y")] == [[START_MS + 5 * MINUTE_MS], [11.0], [1.0]]
    assert unpacked(rose_wick["y"]) == [9.0, 10.0, None, 12.0, 13.0, None]
    assert unpacked(fell_wick["y"]) == [8.0, 11.0, None, 12.0, 12.5, None]
    assert rose["marker"]["color"] != rose["marker"]["line"]["color"]
    assert fell["marker"]["color"] == fell["marker"]["line"]["color"]
    assert rose["text"] == ["10,00 → 12,00<br>mín. 9,00 · máx. 13,00"]


def test_the_open_candle_ends_with_the_newest_price() -> None:
    """The body of an interval that is not over does not reach beyond the newest price."""
    history = ([START_MS, START_MS + 7 * MINUTE_MS], [10.0, 11.0])
    body = candle_traces(history, 2, STYLE)[0]
    ends = [
        x + offset + width for x, offset, width in zip(unpacked(body["x"]), body["offset"], body["width"], strict=True)
    ]
    assert max(ends) <= history[0][-1]


@pytest.mark.parametrize(
    ("span_ms", "step_ms"),
    [
        (HOUR_MS, 5 * MINUTE_MS),
        (6 * HOUR_MS, 15 * MINUTE_MS),
        (DAY_MS, 30 * MINUTE_MS),
        (7 * DAY_MS, 4 * HOUR_MS),
        (3000 * DAY_MS, 7 * DAY_MS),
    ],
)
def test_an_interval_suits_the_window(span_ms: int, step_ms: int) -> None:
    """Each window has few enough candles to tell them apart, except years, which have one a week."""
    assert candle_step_ms(span_ms) == step_ms


def test_no_price_gives_no_candle() -> None:
    """Before the first price there is nothing to draw."""
    assert candle_traces(([], []), 2, STYLE) == []
