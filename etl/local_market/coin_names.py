"""Well-known coins: CoinGecko id, symbol, name and a typical price, in the order of a typical market cap."""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import BadInput
from core.price_rules import COIN_ID
from core.wording import message

__all__ = ["STABLECOINS", "MarketCoin", "coin_named", "coins_offered", "coins_wanted", "known_coins"]

STABLECOINS: Final = frozenset(
    {
        "tether",
        "usd-coin",
        "dai",
        "frax",
        "true-usd",
        "first-digital-usd",
        "paypal-usd",
        "ethena-usde",
        "usdd",
        "gemini-dollar",
        "paxos-standard",
    }
)
"""Coins that are worth about one US dollar."""

_TABLE: Final = Path(__file__).with_name("coin_names.csv")
_TOP = re.compile(r"top:([1-9]\d{0,3})")
_UNKNOWN_RANK: Final = 500
_ONE_MORE_IN: Final = 100
"""For each so many of the largest coins a market offers one more."""


@dataclass(frozen=True, slots=True)
class MarketCoin:
    """One coin of a local market; `price_usd` and `rank` are typical values of no particular day."""

    id: str
    symbol: str
    name: str
    price_usd: float
    rank: int


@functools.cache
def known_coins() -> dict[str, MarketCoin]:
    """The well-known coins by id, the largest first."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["id"]: MarketCoin(row["id"], row["symbol"], row["name"], float(row["price"]), rank)
        for rank, row in enumerate(rows, start=1)
    }


def coin_named(coin_id: str) -> MarketCoin:
    """The coin with this id; an unknown id gets a symbol and a name made from it."""
    known = known_coins().get(coin_id)
    if known is not None:
        return known
    return MarketCoin(coin_id, coin_id.replace("-", "")[:12], coin_id.replace("-", " ").title(), 1.0, _UNKNOWN_RANK)


def coins_wanted(text: str) -> tuple[MarketCoin, ...]:
    """The coins named by a text such as `bitcoin,ethereum` or `top:250`; beyond the table coins are synthetic.

    Raises:
        BadInput: the text names no coin, or something that is not a coin id.
    """
    text = text.strip().lower()
    if match := _TOP.fullmatch(text):
        return _largest(int(match[1]))
    ids = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for coin_id in ids:
        if not COIN_ID.fullmatch(coin_id):
            raise BadInput(message("settings.coin_id", coin=coin_id[:60]))
    if not ids:
        raise BadInput(message("simulator.no_coins"))
    return tuple(coin_named(coin_id) for coin_id in ids)


def coins_offered(text: str) -> tuple[MarketCoin, ...]:
    """The coins of the market that the named ones belong to; for `top:N` it has more, so that its N largest change.

    Raises:
        BadInput: as `coins_wanted`.
    """
    wanted = coins_wanted(text)
    return _largest(len(wanted) + len(wanted) // _ONE_MORE_IN) if _TOP.fullmatch(text.strip().lower()) else wanted


def _largest(count: int) -> tuple[MarketCoin, ...]:
    known = list(known_coins().values())[:count]
    return (*known, *(_synthetic(rank) for rank in range(len(known) + 1, count + 1)))


def _synthetic(rank: int) -> MarketCoin:
    """A coin with an obviously invented name; cheap and expensive ones alternate."""
    price_usd = 10.0 ** (rank % 7 - 4) * (1 + rank % 9)
    return MarketCoin(f"synthetic-{rank:04d}", f"syn{rank:04d}", f"Synthetic {rank:04d}", price_usd, rank)
