"""What the portfolio page says, as rows and cards of text. Pure: values in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.accuracy.scores import Score
from core.number_format import price_decimals
from core.reading.answers import PortfolioOutlook
from core.reading.values import Quote
from dashboard.holdings import amount_text
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["CONFIDENCE", "Worth", "contribution_shares", "money", "position_rows", "range_rows", "worth"]

CONFIDENCE: Final = 95.0
"""Confidence of the value at risk and the expected shortfall on the cards, in percent."""

_SHOWN_RANGES: Final = (50, 80, 95)


@dataclass(frozen=True)
class Worth:
    """Present value of a portfolio, its change over 24 hours in percent if known, and the age of its oldest price."""

    value: float
    change_24h_percent: float | None
    oldest_ms: int


def worth(units: Mapping[str, float], quotes: Mapping[str, Quote]) -> Worth:
    """Value a portfolio at the newest prices; each coin must have one."""
    held = [(amount, quotes[coin]) for coin, amount in units.items()]
    value = sum(amount * (quote.price or 0.0) for amount, quote in held)
    changes = [quote.change_24h_percent for _, quote in held]
    known = [change for change in changes if change is not None]
    before = 0.0
    if len(known) == len(changes):
        before = sum(
            amount * (quote.price or 0.0) / (1 + change / 100)
            for (amount, quote), change in zip(held, known, strict=True)
        )
    return Worth(
        value=value,
        change_24h_percent=100 * (value / before - 1) if before > 0 else None,
        oldest_ms=min(quote.updated_ms or 0 for _, quote in held),
    )


def money(value: float, formats: Formats) -> str:
    """An amount of money: cents, or the decimals of a price where the amount is smaller than one."""
    return formats.price(value, 2 if abs(value) >= 1 else price_decimals(abs(value)))


def range_rows(outlook: PortfolioOutlook, formats: Formats, texts: Texts) -> list[dict[str, str]]:
    """One row per central range: the values it lies between, and the changes in percent."""
    value = outlook.risk.value
    rows = []
    for percent in _SHOWN_RANGES:
        low, high = outlook.risk.ranges[percent]
        rows.append(
            {
                texts("portfolio.range"): f"{percent}%",
                texts("portfolio.from"): money(value + low, formats),
                texts("portfolio.to"): money(value + high, formats),
                texts("portfolio.change_from"): _share(low, value, formats),
                texts("portfolio.change_to"): _share(high, value, formats),
            }
        )
    return rows


def position_rows(
    units: Mapping[str, float],
    quotes: Mapping[str, Quote],
    scores: Mapping[str, Score | None],
    formats: Formats,
    texts: Texts,
) -> list[dict[str, str]]:
    """One row per position: amount, price, value, share, and how often the coin's own 80 % range held."""
    total = worth(units, quotes).value
    rows = []
    for coin, amount in units.items():
        quote = quotes[coin]
        value = amount * (quote.price or 0.0)
        rows.append(
            {
                texts("table.coin"): f"{quote.name} ({quote.symbol.upper()})",
                texts("portfolio.amount"): amount_text(amount, formats.language),
                texts("table.price"): formats.price(quote.price),
                texts("portfolio.value"): money(value, formats),
                texts("portfolio.share"): _share(value, total, formats, decimals=1, signed=False),
                texts("portfolio.coverage"): _coverage(scores.get(coin), formats, texts),
            }
        )
    return rows


def contribution_shares(outlook: PortfolioOutlook, names: Sequence[str]) -> dict[str, float]:
    """Name of each position → its part of the expected shortfall in percent; empty where there is no loss to share."""
    loss = outlook.risk.expected_shortfall[CONFIDENCE]
    if loss <= 0:
        return {}
    return {name: 100 * part / loss for name, part in zip(names, outlook.risk.contributions[CONFIDENCE], strict=True)}


def _share(part: float, whole: float, formats: Formats, decimals: int = 2, *, signed: bool = True) -> str:
    return formats.percent(100 * part / whole if whole > 0 else None, decimals, signed=signed)


def _coverage(score: Score | None, formats: Formats, texts: Texts) -> str:
    if score is None:
        return "—"
    return texts(
        "portfolio.covered",
        share=formats.percent(100 * score.coverage[80], 0),
        count=formats.number(score.forecasts),
    )
