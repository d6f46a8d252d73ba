"""A folder that the API can serve: prices of the simulated market, and everything that a pipeline publishes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np

from core.price_store import Coin, Price, open_writer
from core.publishing.parquet import sorted_by
from etl.local_market.coin_names import coins_wanted
from etl.local_market.replies import shown_number
from etl.local_market.simulated import SimulatedMarket
from tests.support.workspace import SampleWorkspace

__all__ = ["LONG_HISTORIES", "fill_folder", "new_prices"]

LONG_HISTORIES: Final = 4
"""Coins with all prices that are asked for; the others have those of a day."""

_STEP_MS: Final = 30_000
_DAY_ROWS: Final = 2 * 24 * 60 + 2


def fill_folder(folder: Path, *, coins: int, rows: int, hours: int) -> SampleWorkspace:
    """Fill the empty `folder` as collector and pipeline would.

    Args:
        folder: for data and models.
        coins: of the simulated market, by rank.
        rows: prices of each of the first `LONG_HISTORIES` coins, half a minute apart.
        hours: length of log, scores and backtest.
    """
    market = SimulatedMarket(coins_wanted(f"top:{coins}"), 0)
    names = [Coin(coin.id, coin.symbol, coin.name, coin.rank, 1) for coin in market.coins]
    sample = SampleWorkspace.make(folder, names)
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins(names)
        writer.track(coin.id for coin in names)
        for row, coin in enumerate(names):
            writer.store(_prices(market, row, coin.id, sample.now, rows if row < LONG_HISTORIES else _DAY_ROWS))
    sample.publish_log(hours)
    while sample.publisher.compact("log", sample.now, sorted_by("coin", "origin", "horizon_min")):
        pass
    sample.publish_scores(hours)
    sample.publish_backtest(hours)
    sample.publish_scaled_hours()
    sample.publish_forecasts()
    return sample


@contextmanager
def new_prices(sample: SampleWorkspace, every_s: float = 30.0) -> Iterator[None]:
    """Store new prices and publish new forecasts at this pace, as the running suite does."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(every_s):
            sample.tick()
            sample.publish_forecasts()

    worker = threading.Thread(target=work, name="prices")
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


def _prices(market: SimulatedMarket, row: int, coin_id: str, end_ms: int, count: int) -> Iterator[Price]:
    times_ms = end_ms - _STEP_MS * np.arange(count - 1, -1, -1, dtype=np.int64)
    rows = np.full(count, row)
    prices, volumes = market.prices(rows, times_ms), market.volumes(rows, times_ms)
    for ts_ms, price, volume in zip(times_ms.tolist(), prices.tolist(), volumes.tolist(), strict=True):
        cap = shown_number(price * market.supply[row])
        yield Price(coin_id, ts_ms, shown_number(price) or price, cap, shown_number(volume), ts_ms + 900)
