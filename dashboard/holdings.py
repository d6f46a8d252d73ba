"""A portfolio as people type it, "0,15 BTC + 2 ETH", and as the address keeps it, `bitcoin:0.15,ethereum:2`. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.number_format import format_number
from core.reading.coins import nearest_coins
from core.reading.values import Quote
from dashboard.i18n.typed_numbers import typed_number

__all__ = ["MAX_COINS", "Holdings", "amount_text", "from_address", "parse_holdings", "to_address", "typed_text"]

MAX_COINS: Final = 50
_MAX_DECIMALS: Final = 8
_SEPARATORS: Final = re.compile(r"[+;\n]|,(?=\s)")
_AMOUNT: Final = r"(?P<amount>-?\d[\d.,]*)"
_FORMS: Final = (
    re.compile(rf"{_AMOUNT}\s*(?P<name>[^\d\s].*)"),
    re.compile(rf"(?P<name>\S.*?)\s*[:=\s]\s*{_AMOUNT}"),
    re.compile(rf"{_AMOUNT}\s(?P<name>\d+[^\d\s.,].*)"),  # 1INCH, 0x
)
_ADDRESS: Final = re.compile(r"([^:,]+):(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Holdings:
    """What was understood of a typed portfolio.

    Attributes:
        units: coin id → units held, in the order typed; the same coin typed twice is added up.
        unknown: name that is no coin → id of the nearest one, or None without coins.
        unread: pieces that are no amount with a name.
    """

    units: Mapping[str, float]
    unknown: Mapping[str, str | None]
    unread: tuple[str, ...]


def parse_holdings(text: str, quotes: Sequence[Quote], language: str) -> Holdings:
    """Read amounts and coins, by id, symbol or name, separated by `+`, `;`, a line end or a comma with a space.

    Args:
        text: what was typed.
        quotes: the coins there are; of two with one symbol the first is meant.
        language: pt or en, which decides whether `1.000` is a thousand.
    """
    ids = {key.casefold(): quote.id for quote in reversed(quotes) for key in (quote.name, quote.symbol, quote.id)}
    units: dict[str, float] = {}
    unknown: dict[str, str | None] = {}
    unread: list[str] = []
    for piece in filter(None, (" ".join(piece.split()).strip(" ,") for piece in _SEPARATORS.split(text))):
        name, amount = _read(piece, ids, language)
        if amount is None:
            unread.append(piece)
            continue
        coin = ids.get(name.casefold())
        if coin is None:
            unknown[name] = next(iter(nearest_coins(name, quotes)), None)
        elif coin in units or len(units) < MAX_COINS:
            units[coin] = units.get(coin, 0.0) + amount
        else:
            unread.append(piece)
    return Holdings({coin: amount for coin, amount in units.items() if amount}, unknown, tuple(unread))


def _read(piece: str, names: Collection[str], language: str) -> tuple[str, float | None]:
    """Name and amount in the first form in which a piece names a coin, or else in the first one that it has."""
    found = (form.fullmatch(piece) for form in _FORMS)
    readings = [(one["name"].strip(), typed_number(one["amount"], language)) for one in found if one]
    known = (reading for reading in readings if reading[0].casefold() in names and reading[1] is not None)
    return next(known, next(iter(readings), ("", None)))


def to_address(units: Mapping[str, float]) -> str:
    """A portfolio as it stands in the address, the same in every language."""
    return ",".join(f"{coin}:{_plain(amount)}" for coin, amount in units.items())


def from_address(address: str) -> dict[str, float] | None:
    """The portfolio of an address by name of the coin, each added up; None if the text has another form."""
    units: dict[str, float] = {}
    for piece in map(_ADDRESS.fullmatch, address.split(",")):
        if piece is None:
            return None
        units[piece[1]] = units.get(piece[1], 0.0) + float(piece[2])
    return units


def typed_text(units: Mapping[str, float], quotes: Sequence[Quote], language: str) -> str:
    """A portfolio as a person of that language would type it; `parse_holdings` reads it back."""
    symbols = {quote.id: quote.symbol for quote in quotes}
    shared = [quote.symbol for quote in quotes]
    names = {coin: coin if shared.count(symbol) > 1 else symbol.upper() for coin, symbol in symbols.items()}
    return " + ".join(f"{amount_text(amount, language)} {names.get(coin, coin)}" for coin, amount in units.items())


def amount_text(amount: float, language: str) -> str:
    """An amount with the decimals it has, `1.234,5` in Portuguese; eight at most."""
    return format_number(amount, len(_plain(amount).partition(".")[2]), language)


def _plain(amount: float) -> str:
    return f"{amount:.{_MAX_DECIMALS}f}".rstrip("0").rstrip(".")
