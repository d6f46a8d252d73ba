"""Title of the browser's tab, which carries coin and price, and the footer that says where prices come from. Pure."""

from __future__ import annotations

from typing import Final

from core.reading.csv_export import attribution
from core.reading.values import Quote
from core.settings import Source
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["NAME", "footer", "page_title"]

NAME: Final = "Crypto Forecasting Pipeline"


def page_title(quote: Quote | None, watermark: str | None, formats: Formats) -> str:
    """`BTC US$ 67.187,33 · Crypto Forecasting Pipeline`; prices that are not live say so first."""
    if quote is None or quote.price is None:
        return NAME
    price = f"{quote.symbol.upper()} {formats.price(quote.price)}"
    return " · ".join([*([watermark] if watermark else []), price, NAME])


def footer(source: Source | None, texts: Texts) -> str:
    """Where the prices on the page come from, as Markdown, and what the forecasts are not."""
    sentences = [texts("footer.disclaimer")]
    if source is Source.COINGECKO:
        sentences.insert(0, texts("footer.coingecko"))
    elif source is not None:
        sentences.insert(0, attribution(source, texts.language))
    return " · ".join(sentences)
