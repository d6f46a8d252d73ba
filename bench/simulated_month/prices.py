"""The stored prices of a simulated month against the market itself and what its good answers carried."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.simulated_month.market import Prices
from core.times import DAY_MS
from etl.arrays import FloatArray, IntArray
from etl.local_market.market import Market

__all__ = ["PriceVerdict", "Series", "check_prices", "read_series"]

_BAR_MS: Final = 300_000
_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class Series:
    """The stored prices (n,) of one coin in order of time, with when each was fetched; times in UTC milliseconds."""

    ts_ms: IntArray
    price: FloatArray
    fetched_ms: IntArray


@dataclass(frozen=True)
class PriceVerdict:
    """What is wrong with the stored prices.

    Attributes:
        stored: rows.
        carried: prices of good answers.
        lost: coins and times of prices of good answers that are not stored, nor, in thinned days, a later one of their
            five minutes.
        false: rows with a price that the market did not have.
        doubled: rows beyond the first of a coin and time; in thinned days, of a coin and five minutes.
    """

    stored: int
    carried: int
    lost: tuple[tuple[str, int], ...]
    false: int
    doubled: int


def read_series(database: Path) -> dict[str, Series]:
    """All prices of a database, by coin, read with SQLite alone."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT coin_id, ts_ms, price, fetched_ms FROM prices ORDER BY coin_id, ts_ms")
        by_coin: dict[str, list[tuple[int, float, int]]] = {}
        for coin, *row in rows:
            by_coin.setdefault(coin, []).append((row[0], row[1], row[2]))
    return {
        coin: Series(*(np.array(column) for column in zip(*values, strict=True))) for coin, values in by_coin.items()
    }


def check_prices(stored: dict[str, Series], carried: Prices, market: Market, keep_days: int) -> PriceVerdict:
    """Compare; whole UTC days older than `keep_days` must hold the last price of each five minutes alone."""
    newest_ms = max(int(series.ts_ms[-1]) for series in stored.values())
    thinned_before_ms = (newest_ms - keep_days * DAY_MS) // DAY_MS * DAY_MS
    places = {coin.id: place for place, coin in enumerate(market.coins)}
    false = doubled = 0
    for coin, series in stored.items():
        true = market.prices(np.full(len(series.ts_ms), places[coin]), series.ts_ms)
        false += int(np.sum(np.abs(series.price / true - 1) > _TOLERANCE))
        doubled += len(series.ts_ms) - len(set(map(int, series.ts_ms)))
        bars = [_bar(int(ts_ms)) for ts_ms in series.ts_ms if ts_ms < thinned_before_ms]
        doubled += len(bars) - len(set(bars))
    return PriceVerdict(
        stored=sum(len(series.ts_ms) for series in stored.values()),
        carried=len(carried),
        lost=_lost(stored, carried, thinned_before_ms),
        false=false,
        doubled=doubled,
    )


def _lost(stored: dict[str, Series], carried: Prices, thinned_before_ms: int) -> tuple[tuple[str, int], ...]:
    known = {
        (coin, int(ts_ms)): float(price)
        for coin, series in stored.items()
        for ts_ms, price in zip(series.ts_ms, series.price, strict=True)
    }
    last = {(coin, _bar(ts_ms)): ts_ms for coin, ts_ms in sorted(known)}
    return tuple(
        (coin, ts_ms)
        for (coin, ts_ms), price in carried.items()
        if (
            last.get((coin, _bar(ts_ms)), 0) < ts_ms if ts_ms < thinned_before_ms else known.get((coin, ts_ms)) != price
        )
    )


def _bar(ts_ms: int) -> tuple[int, int]:
    """The day and the five minutes, which end on the grid, that a time belongs to."""
    return ts_ms // DAY_MS, -(-ts_ms // _BAR_MS)
