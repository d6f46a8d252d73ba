"""How much of a grid is computed at once, so that its arrays fit into memory."""

from __future__ import annotations

from typing import Final

from etl.features.raw_prices import STEPS_PER_DAY

__all__ = ["block_rows", "parts"]

_MAX_BLOCK_CELLS: Final = 24_000
_COINS_AT_ONCE: Final = 512
"""Coins whose long windows of prices are in memory together."""


def block_rows(coins: int) -> int:
    """Grid rows per block of so many coins: a day, or the part of one that fits _MAX_BLOCK_CELLS."""
    most = _MAX_BLOCK_CELLS // max(coins, 1)
    return next((rows for rows in (STEPS_PER_DAY, 144, 96, 48, 24) if rows <= most), 12)


def parts(coins: int) -> list[slice]:
    """At least one part, of at most _COINS_AT_ONCE coins each."""
    return [slice(start, start + _COINS_AT_ONCE) for start in range(0, max(coins, 1), _COINS_AT_ONCE)]
