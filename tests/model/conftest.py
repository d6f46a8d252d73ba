"""Synthetic forecasts with known properties, shared by the tests of scores and reports."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from core.forecast_schema import HORIZONS_MIN, QUANTILE_COLUMNS, QUANTILES, REACH_COLUMNS, REACH_LEVELS
from model.scoring.losses import NAIVE_COLUMNS

MakeForecasts = Callable[..., pd.DataFrame]


def _forecasts(
    origins: int = 60,
    coins: tuple[str, ...] = ("bitcoin", "solana"),
    *,
    step_min: int = 60,
    width: float = 1.0,
    naive_width: float = 1.5,
    sigma: float = 0.002,
    seed: int = 0,
) -> pd.DataFrame:
    """Forecasts of Gaussian random walks: quantiles `width` times the true spread, the benchmark's `naive_width`."""
    rng = np.random.default_rng(seed)
    steps = max(step_min // 5, 1)
    bends = stats.norm.ppf(QUANTILES)
    spread = np.sqrt(np.arange(1, 13))[:, None] * bends
    frames = []
    for number, coin in enumerate(coins):
        scale = sigma * (number + 1)
        walk = 100.0 * np.exp(np.cumsum(rng.normal(0, scale, origins * steps + 13)))
        start = steps * np.arange(origins)
        price = np.repeat(walk[start], 12)
        quantiles = price[:, None] * np.exp(np.tile(width * scale * spread, (origins, 1)))
        naive = price[:, None] * np.exp(np.tile(naive_width * scale * spread, (origins, 1)))
        rows = pd.DataFrame(quantiles, columns=list(QUANTILE_COLUMNS))
        rows[list(NAIVE_COLUMNS)] = naive
        rows["coin"] = coin
        rows["horizon_min"] = np.tile(np.array(HORIZONS_MIN, dtype=np.int16), origins)
        first = pd.Timestamp("2024-03-01", tz="UTC")
        rows["origin"] = first + pd.to_timedelta(np.repeat(step_min * np.arange(origins), 12), unit="min")
        rows["price_origin"] = rows["mean"] = price
        way = walk[start[:, None] + np.arange(1, 13)]
        rows["price_actual"] = way.ravel()
        rows["price_high"] = np.maximum.accumulate(way, axis=1).ravel()
        rows["price_low"] = np.minimum.accumulate(way, axis=1).ravel()
        reach = width * scale * np.sqrt(np.arange(1, 13))[:, None] * stats.halfnorm.ppf(REACH_LEVELS)
        rows[list(REACH_COLUMNS)] = np.tile(reach, (origins, 1))
        frames.append(rows)
    frame = pd.concat(frames, ignore_index=True)
    frame["p_up"] = rng.uniform(0.4, 0.6, len(frame))
    frame["kind"] = rng.choice(["model", "baseline"], len(frame))
    return frame


@pytest.fixture(scope="session")
def make_forecasts() -> MakeForecasts:
    """A function that makes forecasts of random walks, with outcomes and naive benchmark."""
    return _forecasts
