"""The yardstick of the cycle benchmark: what the first implementation of this project did each cycle."""

from __future__ import annotations

from typing import Final

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from bench.market import Market
from bench.process_cost import cpu_s
from core.times import DAY_MS
from etl.arrays import FloatArray

__all__ = ["naive_loop_cpu_s"]

_MEASURED_COINS: Final = 2
"""The loop fits one forest per coin, so its cost is measured on two coins and multiplied."""


def naive_loop_cpu_s(coins: int, rows: int, days: float, seed: int = 0) -> float:
    """CPU-seconds to fit one RandomForestRegressor(200) per coin on price levels and to ask it once.

    Features are the price, its means over 3 and 6 samples and its last change; the target is the next sample; the
    oldest 80 % of the rows are for training. At most two coins are fitted; their cost is scaled to `coins`.
    """
    measured = min(coins, _MEASURED_COINS)
    _, prices = Market.start(measured, round(days * DAY_MS / rows), 0, seed).walk(rows)
    started = cpu_s()
    for coin in range(measured):
        x, y = _levels(prices[:, coin])
        train = int(0.8 * len(y))
        forest = RandomForestRegressor(n_estimators=200, random_state=seed).fit(x[:train], y[:train])
        forest.predict(x[-1:])
    return (cpu_s() - started) * coins / measured


def _levels(price: FloatArray) -> tuple[FloatArray, FloatArray]:
    total = np.cumsum(np.insert(price, 0, 0.0))
    mean3, mean6 = ((total[window:] - total[:-window]) / window for window in (3, 6))
    x = np.stack([price[5:], mean3[3:], mean6, price[5:] - price[4:-1]], axis=1)
    return x[:-1], price[6:]
