"""Frames of a walk: the naive benchmark beside the forecasts follows the rule of the live scores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.forecast_schema import HORIZONS_MIN, QUANTILE_COLUMNS
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from model.backtesting.forecast_frames import RecordedBenchmark
from model.scoring.naive_benchmark import naive_quantiles

NOON = 20_000 * DAY_MS + 12 * HOUR_MS


def test_a_coin_younger_than_the_last_renewal_is_compared_with_all_before_the_origin() -> None:
    """With an old and a young coin at one origin, each has the quantiles of the history that counts for it."""
    rng = np.random.default_rng(4)
    starts = {"old": NOON - DAY_MS, "young": NOON + HOUR_MS}
    recording = {}
    for coin, start in starts.items():
        ts_ms = np.arange(start, NOON + 5 * HOUR_MS, GRID_STEP_MS)
        recording[coin] = ts_ms, 100.0 * np.exp(np.cumsum(rng.normal(0, 0.001, len(ts_ms))))
    origin_ms, steps = NOON + 4 * HOUR_MS, len(HORIZONS_MIN)
    forecasts = pd.DataFrame(
        {
            "coin": pd.Categorical(np.repeat(["old", "young"], steps)),
            "origin": pd.to_datetime(np.full(2 * steps, origin_ms), unit="ms", utc=True),
            "horizon_min": np.tile(HORIZONS_MIN, 2),
            "price_origin": 100.0,
        }
    )
    found = RecordedBenchmark(recording).frame(forecasts)
    for coin, until_ms in (("old", NOON), ("young", origin_ms)):
        ts_ms, price = recording[coin]
        expected = 100.0 * np.exp(naive_quantiles(np.log(price[ts_ms <= until_ms])))
        np.testing.assert_allclose(found.loc[found["coin"] == coin, list(QUANTILE_COLUMNS)], expected)
