"""Days of the simulated market in a price store, as a suite that has run for so long would have collected them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.price_store import Coin, Price, PriceWriter
from core.times import DAY_MS, GRID_STEP_MS, now_ms
from etl.local_market.coin_names import coins_wanted
from etl.local_market.simulated import SimulatedMarket

__all__ = ["store_history"]


def store_history(database: Path, wanted: str, days: int, *, seed: int = 0, step_ms: int = GRID_STEP_MS) -> None:
    """Store the last `days` of the coins that `wanted` names (`top:250`), a price every `step_ms`, up to now."""
    market = SimulatedMarket(coins_wanted(wanted), seed)
    end_ms = now_ms() // 1000 * 1000
    with PriceWriter(database) as writer:
        writer.update_coins(Coin(coin.id, coin.symbol, coin.name, coin.rank, end_ms) for coin in market.coins)
        for day_ms in range(end_ms - days * DAY_MS, end_ms, DAY_MS):
            times = np.arange(day_ms, day_ms + DAY_MS, step_ms)
            rows = np.repeat(np.arange(len(market.coins)), len(times))
            prices = market.prices(rows, np.tile(times, len(market.coins))).reshape(len(market.coins), -1)
            for coin, values in zip(market.coins, prices, strict=True):
                pairs = zip(times.tolist(), values.tolist(), strict=True)
                writer.store((Price(coin.id, ts, price, 1e9, 1e7, ts) for ts, price in pairs), clock_ms=end_ms)
