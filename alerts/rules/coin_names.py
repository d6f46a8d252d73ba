"""Which coins rules name: by id or symbol, as people write them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.rules.rule import Rule

__all__ = ["CoinName", "ids_by_name", "named_coins", "near_coin", "unknown_names"]

_LIKENESS: Final = 0.7
"""Likeness, as `difflib` computes it, from which a name counts as another one misspelt."""


@dataclass(frozen=True)
class CoinName:
    """A coin and the symbol by which rules may name it; of two with one symbol, the earlier in a list is meant."""

    id: str
    symbol: str
    name: str = ""

    @property
    def title(self) -> str:
        """As people read it: `Bitcoin (BTC)`, or the id of a coin without a name."""
        return f"{self.name} ({self.symbol.upper()})" if self.name else self.id


def ids_by_name(coins: Sequence[CoinName]) -> dict[str, str]:
    """Ids by all that a rule may write: the ids themselves, and symbols that are nobody's id."""
    return {coin.symbol: coin.id for coin in reversed(coins)} | {coin.id: coin.id for coin in coins}


def named_coins(rule: Rule, ids: Mapping[str, str]) -> frozenset[str]:
    """Ids of the coins that a rule names; of one that is not known, what the rule says. Not for a rule about all."""
    return frozenset(ids.get(name.lower(), name.lower()) for name in rule.coins or ())


def unknown_names(rules: Iterable[Rule], coins: Sequence[CoinName]) -> list[str]:
    """What rules name that is neither id nor symbol of these coins, in order."""
    known = ids_by_name(coins)
    return sorted({name for rule in rules for name in rule.coins or () if name.lower() not in known})


def near_coin(name: str, names: Collection[str]) -> str | None:
    """The name that is spelt most like `name`; None if none is like it."""
    return next(iter(difflib.get_close_matches(name.lower(), names, n=1, cutoff=_LIKENESS)), None)
