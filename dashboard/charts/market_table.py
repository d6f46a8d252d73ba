"""The table of all coins: sorted, filtered and cut to the page that is seen. Pure: values in, plain data out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from core.answers.regime import Regime, regime
from core.reading.answers import HourAhead
from core.reading.values import Quote
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["COLUMNS", "PAGE_ROWS", "MarketRow", "market_sentence", "matching", "page_rows", "sorted_rows", "table_data"]

PAGE_ROWS: Final = 50
"""Rows sent at once: of thousands of coins, only those on the page."""

_LIVELY: Final = 90.0
_QUIET: Final = 25.0
_LINE_LEVELS: Final = 99
_BAR_REACH: Final = 0.9
"""Share of the bar's width that the widest interval of the page takes."""


@dataclass(frozen=True)
class MarketRow:
    """One coin with a price, and its next hour if there is a forecast."""

    quote: Quote
    hour: HourAhead | None

    @property
    def price(self) -> float:
        """The newest price; rows are made of coins that have one."""
        return self.quote.price or 0.0


_Key = Callable[[MarketRow], float | str | None]

COLUMNS: Final[Mapping[str, _Key]] = {
    "posicao": lambda row: row.quote.rank,
    "moeda": lambda row: row.quote.name.lower(),
    "preco": lambda row: row.quote.price,
    "1h": lambda row: row.quote.change_1h_percent,
    "24h": lambda row: row.quote.change_24h_percent,
    "faixa": lambda row: None if row.hour is None else (row.hour.high_80 - row.hour.low_80) / row.hour.price_origin,
    "movimento": lambda row: None if row.hour is None else row.hour.expected_move,
    "regime": lambda row: None if row.hour is None else row.hour.activity_percentile,
    "idade": lambda row: row.quote.updated_ms,
}
"""What the table can be sorted by, by name in the address."""


def sorted_rows(rows: Sequence[MarketRow], column: str, *, descending: bool) -> list[MarketRow]:
    """Rows in order of a column; those without a value come last either way."""
    key = COLUMNS[column]
    known = [row for row in rows if key(row) is not None]
    known.sort(key=lambda row: (key(row), row.quote.id), reverse=descending)
    return known + [row for row in rows if key(row) is None]


def matching(rows: Sequence[MarketRow], wanted: str) -> list[MarketRow]:
    """Rows whose id, symbol or name contains `wanted`, in upper or lower case."""
    part = wanted.strip().lower()
    return [
        row
        for row in rows
        if part in row.quote.id or part in row.quote.symbol.lower() or part in row.quote.name.lower()
    ]


def page_rows(rows: Sequence[MarketRow], page: int) -> Sequence[MarketRow]:
    """The rows of a page, counted from 1."""
    return rows[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]


def market_sentence(rows: Sequence[MarketRow], formats: Formats, texts: Texts) -> str:
    """What the market does, in words: how lively the next hour is expected to be, and who rose in the last one."""
    activity = [row.hour.activity_percentile for row in rows if row.hour and row.hour.activity_percentile is not None]
    changes = [row.quote.change_1h_percent for row in rows if row.quote.change_1h_percent is not None]
    sentences = [_expected(activity, formats, texts)]
    if changes:
        rose, fell = sum(change > 0 for change in changes), sum(change < 0 for change in changes)
        sentences.append(texts("market.last_hour", rose=formats.number(rose), fell=formats.number(fell)))
    return " ".join(sentences)


def _expected(activity: Sequence[float], formats: Formats, texts: Texts) -> str:
    if not activity:
        return texts("market.mood_unknown")
    mood = regime(median(activity))
    counted = [value < _QUIET if mood is Regime.CALM else value > _LIVELY for value in activity]
    return texts(f"market.mood_{mood}", count=formats.number(sum(counted)), total=formats.number(len(counted)))


def table_data(
    rows: Sequence[MarketRow], lines: Mapping[str, Sequence[float]], starred: Collection[str], formats: Formats
) -> list[dict[str, Any]]:
    """The rows of a page as the browser draws them.

    Args:
        rows: The page.
        lines: Prices of the last day by coin, in order of time.
        starred: Ids of the coins on the visitor's list.
        formats: Formats of the visitor.

    Returns:
        One dictionary of texts and numbers per row. `line` holds heights from 0 to 99; `bar` the 80 % interval and the
        price now, in hundredths of the bar's width, on one scale for the whole page.
    """
    widest = max((_reach(row) for row in rows), default=0.0)
    texts = Texts(formats.language)
    return [
        {
            **_quote_data(row.quote, formats),
            **(_hour_data(row, row.hour, widest, formats, texts) if row.hour else {}),
            "line": _heights(lines.get(row.quote.id, ())),
            "star": row.quote.id in starred,
        }
        for row in rows
    ]


def _quote_data(quote: Quote, formats: Formats) -> dict[str, Any]:
    return {
        "id": quote.id,
        "name": quote.name,
        "symbol": quote.symbol.upper(),
        "rank": "" if quote.rank is None else formats.number(quote.rank),
        "price": formats.price(quote.price),
        "1h": _change(quote.change_1h_percent, formats),
        "24h": _change(quote.change_24h_percent, formats),
        "updated_ms": quote.updated_ms,
    }


def _hour_data(row: MarketRow, hour: HourAhead, widest: float, formats: Formats, texts: Texts) -> dict[str, Any]:
    return {
        "range": formats.price_range(hour.low_80, hour.high_80),
        "bar": [_place(price / hour.price_origin - 1, widest) for price in (hour.low_80, hour.high_80, row.price)],
        "move": f"±\u00a0{formats.percent(100 * hour.expected_move)}",
        "regime": hour.regime or "",
        "regime_text": _regime_text(hour, formats, texts),
    }


def _regime_text(hour: HourAhead, formats: Formats, texts: Texts) -> str:
    if hour.regime is None or hour.activity_percentile is None:
        return texts("market.unknown")
    percentile = formats.number(hour.activity_percentile)
    return texts("market.regime_of", regime=texts(f"regime.{hour.regime}"), percentile=percentile)


def _change(percent: float | None, formats: Formats) -> list[Any]:
    """A sign (-1, 0 or 1, as it is shown) and the text of a change."""
    text = formats.percent(percent, signed=True)
    sign = 0 if percent is None or text == formats.percent(0.0) else 1 if percent > 0 else -1
    return [sign, text]


def _heights(line: Sequence[float]) -> list[int]:
    """A line as whole numbers from 0, its lowest price, to 99, its highest."""
    if len(line) < 2:
        return []
    low, high = min(line), max(line)
    span = high - low
    return [round(_LINE_LEVELS * (value - low) / span) if span else _LINE_LEVELS // 2 for value in line]


def _reach(row: MarketRow) -> float:
    """Largest distance of the interval's ends from the origin's price, as a fraction."""
    if row.hour is None:
        return 0.0
    return max(abs(price / row.hour.price_origin - 1) for price in (row.hour.low_80, row.hour.high_80))


def _place(move: float, widest: float) -> float:
    """Place on the bar, in hundredths: the origin's price in the middle, a move of `widest` near the ends."""
    return round(50.0 * (1 + _BAR_REACH * max(-1.1, min(move / widest, 1.1))), 1) if widest else 50.0
