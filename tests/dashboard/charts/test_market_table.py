"""The table of all coins: order, filter, page, and what the browser gets."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC

import pytest

from core.answers.regime import regime
from core.reading.answers import HourAhead
from core.reading.values import Quote
from dashboard.charts.market_table import (
    COLUMNS,
    PAGE_ROWS,
    MarketRow,
    market_sentence,
    matching,
    page_rows,
    sorted_rows,
    table_data,
)
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

FORMATS = Formats("pt", UTC, "usd")


def row(name: str, price: float = 100.0, *, change: float | None = 0.5, percentile: float | None = 50.0) -> MarketRow:
    """A coin whose 80 % range of the next hour is 1 % to either side."""
    hour = HourAhead(price, 0.99 * price, 1.01 * price, 0.004, percentile, regime(percentile))
    return MarketRow(Quote(name, name[:3], name.title(), 1, price, 2.0, 1_000, change), hour)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("descending", [False, True])
def test_rows_without_a_value_come_last(column: str, descending: bool) -> None:
    """Whatever the column and direction, a coin that lacks the value is below those that have it."""
    bare = MarketRow(Quote("zzz", "z", "Zzz", None, 1.0, None, None), None)
    order = sorted_rows([bare, row("bitcoin"), row("ether", 5.0)], column, descending=descending)
    assert len(order) == 3
    if COLUMNS[column](bare) is None:
        assert order[-1] is bare


def test_a_column_sorts_both_ways() -> None:
    """Prices ascend, or descend when asked."""
    rows = [row("a", 3.0), row("b", 1.0), row("c", 2.0)]
    assert [one.price for one in sorted_rows(rows, "preco", descending=False)] == [1.0, 2.0, 3.0]
    assert [one.price for one in sorted_rows(rows, "preco", descending=True)] == [3.0, 2.0, 1.0]


def test_the_filter_finds_names_and_symbols() -> None:
    """Part of a name or symbol is enough, in upper or lower case; nothing typed means all."""
    rows = [row("bitcoin"), row("dogecoin"), row("ether")]
    assert [one.quote.id for one in matching(rows, " COIN ")] == ["bitcoin", "dogecoin"]
    assert matching(rows, "") == rows


def test_of_two_thousand_coins_one_page_is_sent() -> None:
    """A page holds fifty rows, and the last one what is left."""
    rows = [row(f"coin-{number}") for number in range(2010)]
    assert [one.quote.id for one in page_rows(rows, 2)][:1] == ["coin-50"]
    assert len(page_rows(rows, 1)) == PAGE_ROWS
    assert len(page_rows(rows, 41)) == 10


@pytest.mark.parametrize(
    ("percentiles", "words"),
    [
        ([95.0, 92.0, 80.0, 10.0], r"Hora agitada\. .* maior .*: 2 de 4\."),
        ([50.0, 60.0, 91.0], r"Hora comum\. .* maior .*: 1 de 3\."),
        ([5.0, 6.0, 91.0], r"Hora calma\. .* menor .*: 2 de 3\."),
        ([60.0], r"Hora comum\. .* maior .*: 0 de 1\."),
        ([None, None], "Ainda não se sabe"),
    ],
)
def test_the_sentence_says_what_the_market_does(percentiles: list[float | None], words: str) -> None:
    """The median coin names the hour; the count is of coins beyond nine tenths (or below a quarter) of their hours."""
    rows = [row(f"coin-{place}", percentile=value) for place, value in enumerate(percentiles)]
    assert re.match(words, market_sentence(rows, FORMATS, Texts("pt")))


def test_the_sentence_counts_rises_and_falls() -> None:
    """Coins without a price an hour ago and those that stayed count on neither side."""
    rows = [row("a"), row("b", change=-1.0), row("c", change=0.0), row("d", change=None)]
    english = Formats("en", UTC, "usd")
    assert market_sentence(rows, english, Texts("en")).endswith("In the last hour, 1 rose and 1 fell.")
    many = [row(f"coin-{number}") for number in range(2010)]
    assert market_sentence(many, english, Texts("en")).endswith("0 of 2,010. In the last hour, 2,010 rose and 0 fell.")
    assert "2.010 em alta" in market_sentence(many, FORMATS, Texts("pt"))
    assert market_sentence(rows, FORMATS, Texts("pt")).endswith("Na última hora, 1 em alta e 1 em queda.")


def test_the_bar_has_one_scale_for_the_page() -> None:
    """The widest range nearly fills its bar, a narrower one less, and the price now lies where it is."""
    wide = row("wide")
    moved = replace(wide, quote=replace(wide.quote, price=101.0))
    narrow = MarketRow(wide.quote, HourAhead(100.0, 99.5, 100.5, 0.002, None, None))
    bars = [data["bar"] for data in table_data([moved, narrow], {}, (), FORMATS)]
    assert bars == [[5.0, 95.0, 95.0], [27.5, 72.5, 50.0]]


def test_the_browser_gets_texts_of_the_visitors_language() -> None:
    """Prices, signed changes, activity and a line of heights; a coin without a forecast has less."""
    bare = MarketRow(Quote("new", "new", "New", None, 2.0, None, None), None)
    lively, new = table_data([row("bitcoin", percentile=93.4), bare], {"bitcoin": [1.0, 3.0, 2.0]}, ["new"], FORMATS)
    assert lively["price"] == "US$\u00a0100,00"
    assert lively["1h"] == [1, "+0,50%"]
    assert lively["regime_text"] == "agitada · 93%"
    assert lively["line"] == [0, 99, 50]
    assert (lively["star"], new["star"]) == (False, True)
    assert new["24h"] == [0, "—"]
    assert "bar" not in new
