"""The two writers at full speed, to be killed: `python tight_loop.py prices|forecasts`.

Prices are those of the simulated market at 5-minute steps from `EPOCH_MS` on; each is printed after it is stored.
Forecasts follow the newest price. While a file is written the loop pauses before every call to the operating system, so
that most kills hit a file that is half-written, not yet synced, or not yet renamed.
"""

from __future__ import annotations

import random
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Final

import core.files
from core.errors import NotReady
from core.price_store import Coin, Price, open_writer
from core.processes.health_schema import PIPELINE
from core.processes.heartbeat import Heartbeat
from core.processes.lifecycle import run_main
from core.settings import load_settings
from core.times import GRID_STEP_MS, MINUTE_MS
from core.workspace import open_workspace
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.simulated import SimulatedMarket
from model.loop.session import open_session
from model.pipeline import Pipeline

COINS: Final = "bitcoin,ethereum,dogecoin"
EPOCH_MS: Final = 1_767_225_600_000
"""The first of January 2026, UTC."""
HISTORY: Final = 288
LONGEST_PAUSE_S: Final = 0.004


def linger(frame: FrameType, event: str, _: object) -> None:
    """Pause at random; Python calls this before every call of C code."""
    if event == "c_call" and frame.f_code.co_filename == core.files.__file__:
        time.sleep(random.uniform(0, LONGEST_PAUSE_S))


def write_prices() -> int:
    """Store one price per coin and step: a day at the first start, and now and then a price that was left out."""
    market = SimulatedMarket(coins_wanted(COINS), 0)
    with open_writer(open_workspace(load_settings()).database) as writer:
        writer.update_coins(Coin(coin.id, coin.symbol, coin.name, rank) for rank, coin in enumerate(market.coins, 1))
        newest = max((price.ts_ms for price in writer.latest().values()), default=EPOCH_MS)
        while True:
            ahead = GRID_STEP_MS * HISTORY if newest == EPOCH_MS else GRID_STEP_MS
            moments = [*range(newest + GRID_STEP_MS, newest + ahead + 1, GRID_STEP_MS), newest - MINUTE_MS]
            if newest // GRID_STEP_MS % 20:
                moments.pop()
            prices = [
                Price(coin.id, ts_ms, price_at(market, coin.id, ts_ms), fetched_ms=ts_ms)
                for ts_ms in moments
                for coin in market.coins
            ]
            writer.store(prices)
            print(*(f"{price.coin_id}:{price.ts_ms}" for price in prices), flush=True)  # noqa: T201 - the test reads it
            newest += ahead
            time.sleep(0.1)


def write_forecasts() -> int:
    """Run cycles without a pause between them."""
    settings = load_settings()
    sys.setprofile(linger)
    with Heartbeat(settings.run_dir, PIPELINE) as heartbeat, open_session(settings) as session:
        pipeline = Pipeline(session, heartbeat)
        while True:
            with suppress(NotReady):
                session.pull(EPOCH_MS)
            if session.executor.origins:
                pipeline.cycle(max(session.executor.origins.values()) + MINUTE_MS)
            else:
                time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(run_main({"prices": write_prices, "forecasts": write_forecasts}[sys.argv[1]]))
