"""Numbers, prices and times as visitors read them."""

from __future__ import annotations

import math
from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.i18n.numbers import Formats, time_zone

BRAZIL = Formats("pt", ZoneInfo("America/Sao_Paulo"), "usd")
ENGLISH = Formats("en", UTC, "brl")
NOON_UTC_MS = 1_763_812_807_000  # 2025-11-22 12:00:07


def value_of(text: str) -> float:
    """The number in a Portuguese price."""
    return float(text.partition("\u00a0")[2].replace(".", "").replace(",", "."))


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (67_187.33, "US$\u00a067.187,33"),
        (0.00002431, "US$\u00a00,00002431"),
        (1.0002, "US$\u00a01,0002"),
        (148.21, "US$\u00a0148,21"),
        (0.5123, "US$\u00a00,5123"),
        (12_345_678.9, "US$\u00a012.345.679"),
    ],
)
def test_prices_have_the_decimals_their_size_needs(price: float, text: str) -> None:
    """Expensive coins show cents, cheap ones their first four digits, millions no decimals."""
    assert BRAZIL.price(price) == text


@given(st.floats(min_value=1e-12, max_value=9.9e5))
def test_a_price_keeps_a_precision_of_a_thousandth(price: float) -> None:
    """The text differs from the price by at most 0.05 %, so that a move of 0.1 % is never hidden."""
    assert math.isclose(value_of(BRAZIL.price(price)), price, rel_tol=5.01e-4)


@given(st.floats(min_value=-1e6, max_value=1e6), st.integers(min_value=0, max_value=6))
def test_languages_differ_only_in_separators(value: float, decimals: int) -> None:
    """The English text with points and commas exchanged is the Portuguese text."""
    swapped = ENGLISH.number(value, decimals).replace(",", " ").replace(".", ",").replace(" ", ".")
    assert BRAZIL.number(value, decimals) == swapped


@given(st.floats(min_value=1e-9, max_value=1e6), st.floats(min_value=1e-4, max_value=0.5))
def test_a_range_tells_its_ends_apart(low: float, width: float) -> None:
    """The two ends of a range never look the same."""
    first, _, second = BRAZIL.price_range(low, low * (1 + width)).partition(" – ")
    assert first != second


def test_a_percentage_that_rounds_to_zero_has_no_sign() -> None:
    """Tiny changes are shown as 0,00% without plus or minus."""
    assert [BRAZIL.percent(value, signed=True) for value in (0.001, -0.001, 0.0)] == ["0,00%"] * 3
    assert [BRAZIL.percent(value, signed=True) for value in (0.126, -2.5, None)] == ["+0,13%", "-2,50%", "—"]


def test_times_are_local_to_the_visitor() -> None:
    """Times are in the visitor's zone and in the order of the language."""
    assert BRAZIL.date_time(NOON_UTC_MS) == "22/11/2025 09:00:07"
    assert ENGLISH.date_time(NOON_UTC_MS) == "2025-11-22 12:00:07"
    assert BRAZIL.date_time(None) == "—"


@pytest.mark.parametrize("name", [None, "", "No/Where", "../etc/passwd", "\x00", "America", "x" * 300])
def test_an_unknown_zone_is_utc(name: str | None) -> None:
    """A browser without a known time zone gets UTC."""
    assert time_zone(name) is UTC


def test_symbols_and_codes() -> None:
    """Common currencies have a symbol, others their code."""
    assert ENGLISH.symbol == "R$"
    assert Formats("pt", UTC, "xdr").price(2.0) == "XDR\u00a02,0000"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3, "0\u00a0s"), (12.7, "13\u00a0s"), (200, "3\u00a0min"), (90_000, "1\u00a0d")]
)
def test_durations(seconds: float, text: str) -> None:
    """Ages use the largest unit that fits."""
    assert BRAZIL.duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(999, "999\u00a0B"), (1_500, "1,5\u00a0kB"), (2_500_000_000, "2,5\u00a0GB")]
)
def test_sizes(size: int, text: str) -> None:
    """Bytes use decimal units."""
    assert BRAZIL.size(size) == text


def test_english_writes_the_dollar_as_english_does() -> None:
    """On an English page a dollar sign stands before the number; longer symbols keep a space that does not break."""
    assert Formats("en", UTC, "usd").price(67_187.33) == "$67,187.33"
    assert ENGLISH.price(148.21) == "R$\u00a0148.21"
    assert BRAZIL.price(148.21) == "US$\u00a0148,21"
