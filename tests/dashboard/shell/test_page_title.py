"""Title of the tab and footer of the page."""

from __future__ import annotations

from datetime import UTC

from core.reading.values import Quote
from core.settings import Source
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.shell.page_title import NAME, footer, page_title

FORMATS = Formats("pt", UTC, "brl")
QUOTE = Quote("bitcoin", "btc", "Bitcoin", 1, 350_000.5, None, 0)


def test_the_title_carries_coin_and_price() -> None:
    """Live prices stand alone, others say first what they are; without a price there is the name."""
    assert page_title(QUOTE, None, FORMATS) == f"BTC R$\u00a0350.000,50 · {NAME}"
    assert page_title(QUOTE, "DADOS SIMULADOS", FORMATS) == f"DADOS SIMULADOS · BTC R$\u00a0350.000,50 · {NAME}"
    assert page_title(None, None, FORMATS) == NAME


def test_the_footer_tells_the_truth_about_each_source() -> None:
    """Only live prices are CoinGecko's; before the source is decided nothing is claimed."""
    assert "CoinGecko" in footer(Source.COINGECKO, Texts("en"))
    for source in (Source.DEMO, Source.REPLAY, None):
        assert "CoinGecko" not in footer(source, Texts("pt"))
    assert footer(Source.REPLAY, Texts("en")).startswith("Replayed recording: the prices are not of now · ")
