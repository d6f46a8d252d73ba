"""Values that a setting chooses among, and the coins that are collected unless others are named."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["DEFAULT_COINS", "Plan", "Source"]

DEFAULT_COINS: Final = (
    "bitcoin",
    "ethereum",
    "solana",
    "ripple",
    "cardano",
    "dogecoin",
    "litecoin",
    "binancecoin",
    "chainlink",
    "polkadot",
)


class Source(StrEnum):
    """Where prices come from; the suite decides what `AUTO` means when it starts."""

    AUTO = "auto"
    COINGECKO = "coingecko"
    DEMO = "demo"
    REPLAY = "replay"


class Plan(StrEnum):
    """CoinGecko plans; the free "Demo" plan is `DEMO_KEY`, to keep it apart from the simulated market."""

    KEYLESS = "keyless"
    DEMO_KEY = "demo-key"
    PRO_KEY = "pro-key"
    LOCAL = "local"
