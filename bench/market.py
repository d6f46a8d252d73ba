"""Prices for benchmarks, stored through the collector's own writer: seeded random walks, and the simulated market."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from core.price_store import Coin, Price, PriceWriter, open_writer
from core.settings import load_settings
from core.times import DAY_MS, GRID_STEP_MS, MINUTE_MS, now_ms
from etl.coingecko.client import PER_PAGE
from etl.collector.coin_universe import Universe
from etl.local_market.coin_names import coins_wanted
from etl.local_market.simulated import SimulatedMarket

__all__ = ["Market", "coin_names", "store_simulated"]

_DAY_SPREAD: Final = 0.03
_MARKET_SHARE: Final = 0.5


def coin_names(count: int) -> tuple[Coin, ...]:
    """`count` coins with made-up names, by rank."""
    return tuple(Coin(f"coin-{n:03d}", f"c{n:03d}", f"Coin {n:03d}", n + 1, 1) for n in range(count))


@dataclass
class Market:
    """Random walks with a common factor and bursts of volatility; prices are `step_ms` apart.

    `log_price` (coins,) and `spread` (coins + 1,) are the state of the walks; `now_ms` is the newest price's time.
    """

    coins: Sequence[Coin]
    step_ms: int
    now_ms: int
    random: np.random.Generator
    log_price: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64]

    @classmethod
    def start(cls, coins: int, step_ms: int, start_ms: int, seed: int = 0) -> Market:
        """A market whose first price comes one step after `start_ms`."""
        random = np.random.default_rng(seed)
        return cls(coin_names(coins), step_ms, start_ms, random, random.normal(2.0, 3.0, coins), np.zeros(coins + 1))

    @classmethod
    def stored(cls, database: Path, *, coins: int, rows: int, days: float, end_ms: int, seed: int = 0) -> Market:
        """A market with `rows` stored prices per coin, evenly spaced over `days` up to `end_ms`."""
        step_ms = round(days * DAY_MS / rows)
        market = cls.start(coins, step_ms, end_ms - rows * step_ms, seed)
        times, prices = market.walk(rows)
        with open_writer(database) as writer:
            writer.update_coins(market.coins)
            for column, coin in enumerate(market.coins):
                pairs = zip(times.tolist(), prices[:, column].tolist(), strict=True)
                writer.store((Price(coin.id, ts, price, 1e9, 1e7, ts) for ts, price in pairs), clock_ms=end_ms)
        return market

    def walk(self, steps: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Event times (steps,) and prices (steps, coins) of the next steps."""
        coins = len(self.coins)
        scale = _DAY_SPREAD * np.sqrt(self.step_ms / DAY_MS)
        keep = 0.5 ** (self.step_ms / (DAY_MS / 6))
        shocks = self.random.standard_t(5, (steps, coins + 1)).astype(np.float32)
        bursts = np.sqrt(1.0 - keep**2) * self.random.standard_normal((steps, coins + 1)).astype(np.float32)
        moves = np.empty((steps, coins))
        for row in range(steps):
            self.spread = keep * self.spread + bursts[row]
            shock = scale * np.exp(0.5 * self.spread) * shocks[row]
            moves[row] = _MARKET_SHARE * shock[0] + shock[1:]
        log_price = self.log_price + np.cumsum(moves, axis=0)
        times = self.now_ms + self.step_ms * np.arange(1, steps + 1)
        self.log_price, self.now_ms = log_price[-1], int(times[-1])
        return times, np.exp(log_price)

    def poll(self, writer: PriceWriter, step_ms: int) -> int:
        """Store one price per coin, `step_ms` after the last, page by page as they come; return its event time."""
        self.step_ms = step_ms
        times, prices = self.walk(1)
        ts_ms = int(times[0])
        quotes = zip(self.coins, prices[0].tolist(), strict=True)
        polled = [Price(coin.id, ts_ms, price, 1e9, 1e7, ts_ms) for coin, price in quotes]
        for first in range(0, len(polled), PER_PAGE):
            writer.store(polled[first : first + PER_PAGE], clock_ms=ts_ms)
        return ts_ms


def store_simulated(database: Path, wanted: str, days: int) -> None:
    """Store the last `days` of the coins that `wanted` names (`top:250`), a price every 5 minutes, the last one now.

    The list counts as looked up now too: a collector that starts within moments goes on, and has no gap to fill.
    """
    market = SimulatedMarket(coins_wanted(wanted), 0)
    start_ms = now_ms() // MINUTE_MS * MINUTE_MS - days * DAY_MS
    with open_writer(database) as writer:
        writer.update_coins(Coin(coin.id, coin.symbol, coin.name, coin.rank, start_ms) for coin in market.coins)
        while (end_ms := now_ms()) > start_ms:  # storing thousands of coins takes minutes
            times = np.arange(start_ms, min(start_ms + DAY_MS, end_ms), GRID_STEP_MS)
            _store(writer, market, times)
            start_ms = int(times[-1]) + GRID_STEP_MS
        _store(writer, market, np.array([now_ms()]))
        universe = Universe(load_settings(source="demo", coins=wanted))
        universe.add_page((coin.id for coin in market.coins), is_last=True, wall_ms=now_ms())
        writer.set_meta({"universe": universe.dump_state()})


def _store(writer: PriceWriter, market: SimulatedMarket, times: npt.NDArray[np.int64]) -> None:
    now = now_ms()
    for row, coin in enumerate(market.coins):
        pairs = zip(times.tolist(), market.prices(np.full(len(times), row), times).tolist(), strict=True)
        writer.store([Price(coin.id, ts, price, 1e9, 1e7, ts) for ts, price in pairs], clock_ms=now)
