"""A typed portfolio is understood in both languages, and what is not understood is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reading.values import Quote
from dashboard.holdings import from_address, parse_holdings, to_address, typed_text

QUOTES = [
    Quote("bitcoin", "btc", "Bitcoin", 1, 67_000.0, 1.0, 0),
    Quote("ethereum", "eth", "Ethereum", 2, 3_300.0, 1.0, 0),
    Quote("shiba-inu", "shib", "Shiba Inu", 20, 0.00002, 1.0, 0),
    Quote("1inch", "1inch", "1inch", 150, 0.2, 1.0, 0),
    Quote("0x", "zrx", "0x Protocol", 300, 0.3, 1.0, 0),
    Quote("other-bitcoin", "btc", "Other Bitcoin", 900, 1.0, 1.0, 0),
]
UNITS = st.dictionaries(
    st.sampled_from(["bitcoin", "ethereum", "shiba-inu", "1inch", "0x"]),
    st.integers(1, 10**15).map(lambda number: number / 10**8) | st.integers(-(10**6), -1).map(float),
    min_size=1,
)


@pytest.mark.parametrize(
    ("text", "language", "units"),
    [
        ("0,15 BTC + 2 ETH", "pt", {"bitcoin": 0.15, "ethereum": 2}),
        ("0.15 BTC + 2 ETH", "pt", {"bitcoin": 0.15, "ethereum": 2}),
        ("0.15btc; 2 eth", "en", {"bitcoin": 0.15, "ethereum": 2}),
        ("btc 0,15, eth 2", "pt", {"bitcoin": 0.15, "ethereum": 2}),
        ("bitcoin:0.15\nethereum = 2", "en", {"bitcoin": 0.15, "ethereum": 2}),
        ("1.000 Shiba Inu", "pt", {"shiba-inu": 1000}),
        ("1.000 Shiba Inu", "en", {"shiba-inu": 1}),
        ("1,000 Shiba Inu", "en", {"shiba-inu": 1000}),
        ("0.123 btc", "pt", {"bitcoin": 0.123}),
        ("1.234.567,5 shib", "pt", {"shiba-inu": 1_234_567.5}),
        ("1 btc + 2 Bitcoin", "pt", {"bitcoin": 3}),
        ("-2 eth", "pt", {"ethereum": -2}),
        ("100 1inch + 2 0x Protocol", "pt", {"1inch": 100, "0x": 2}),
        ("1INCH: 100, 0x 2,5", "pt", {"1inch": 100, "0x": 2.5}),
        ("0 btc", "pt", {}),
        ("", "pt", {}),
    ],
)
def test_amounts_and_coins_are_understood(text: str, language: str, units: dict[str, float]) -> None:
    """Amounts in either notation go with ids, symbols and names; of two coins with one symbol the larger is meant."""
    holdings = parse_holdings(text, QUOTES, language)
    assert holdings.units == units
    assert (holdings.unknown, holdings.unread) == ({}, ())


def test_what_is_not_understood_is_named() -> None:
    """An unknown coin comes with the nearest one; a piece without an amount or with a broken one is given back."""
    holdings = parse_holdings("1 ethereun + 2 + btc + 1,2,3 btc + 0,5 BTC", QUOTES, "pt")
    assert holdings.units == {"bitcoin": 0.5}
    assert holdings.unknown == {"ethereun": "ethereum"}
    assert holdings.unread == ("2", "btc", "1,2,3 btc")


@given(UNITS, st.sampled_from(["pt", "en"]))
def test_the_address_keeps_a_portfolio(units: dict[str, float], language: str) -> None:
    """Address and typed form are read back as the same portfolio, in each language."""
    assert from_address(to_address(units)) == pytest.approx(units)
    assert parse_holdings(typed_text(units, QUOTES, language), QUOTES, language).units == pytest.approx(units)


def test_a_coin_named_twice_in_the_address_is_added_up() -> None:
    """As in a typed portfolio, no amount is lost."""
    assert from_address("bitcoin:1,ethereum:3,bitcoin:2.5") == {"bitcoin": 3.5, "ethereum": 3.0}


def test_other_text_in_the_address_is_no_portfolio() -> None:
    """What a person typed into the address is left to the reader of typed text."""
    assert from_address("0,15 BTC + 2 ETH") is None
    assert from_address("") is None
