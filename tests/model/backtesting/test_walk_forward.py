"""Walking forward: when forecasts are made, for which coins, and how often the models are renewed."""

from __future__ import annotations

import numpy as np

from core.times import GRID_STEP_MS, HOUR_MS
from etl.recordings.recording import PriceHistory
from model.backtesting.walk_forward import WalkOptions, origins, walk_forward
from model.forecaster.engine import EngineOptions
from model.forecaster.forecasts import Forecasts

START_MS = 1_709_251_200_000  # 2024-03-01T00:00Z
ENGINE = EngineOptions(train_days=2, n_trees=4, min_rows=200)


def recording(hours: int, late_h: int = 0) -> PriceHistory:
    """Two random walks; the second coin's begins `late_h` hours later."""
    rng = np.random.default_rng(0)
    ts = START_MS + GRID_STEP_MS * np.arange(hours * 12)
    price = 50 * np.exp(np.cumsum(rng.normal(0, 0.002, (2, len(ts))), axis=1))
    return {"first": (ts, price[0]), "second": (ts[late_h * 12 :], price[1][late_h * 12 :])}


def walked(prices: PriceHistory, options: WalkOptions) -> list[Forecasts]:
    """All forecasts, without a prior."""
    return list(walk_forward(prices, options, ENGINE, None))


def test_a_coin_is_forecast_once_it_has_its_minimal_history() -> None:
    """A coin whose prices begin ten hours later is forecast ten hours later."""
    made = walked(recording(hours=40, late_h=10), WalkOptions(step_min=60, min_history_hours=24))
    first_h: dict[str, float] = {}
    for one in made:
        for coin in one.coins:
            first_h.setdefault(coin, (int(one.origin_ms[0]) - START_MS) / HOUR_MS)
    assert first_h == {"first": 24.0, "second": 34.0}


def test_models_are_refitted_at_the_given_interval() -> None:
    """The first origin sees the same models, later ones those of its own last refit."""
    prices = recording(hours=44)
    often, once = (walked(prices, WalkOptions(step_min=60, refit_min=minutes)) for minutes in (60, 10_080))
    np.testing.assert_array_equal(often[0].model_quantiles, once[0].model_quantiles)
    assert not np.array_equal(often[-1].model_quantiles, once[-1].model_quantiles)


def test_origins_lie_on_multiples_of_the_step_within_the_bounds() -> None:
    """From the minimal history, or the start asked for, to the last price or the end; so are those that are named."""
    prices = recording(hours=30)
    last_ms = int(prices["first"][0][-1])
    bounded = WalkOptions(START_MS + 25 * HOUR_MS + 1, START_MS + 27 * HOUR_MS, step_min=30)
    assert origins(prices, bounded).tolist() == [START_MS + n * HOUR_MS // 2 for n in (51, 52, 53, 54)]
    free = origins(prices, WalkOptions(step_min=30))
    assert (free[0], free[-1]) == (START_MS + 24 * HOUR_MS, last_ms - last_ms % (HOUR_MS // 2))
    named = WalkOptions(START_MS + 25 * HOUR_MS, at_ms=tuple(START_MS + n * HOUR_MS for n in (24, 25, 28, 31)))
    assert origins(prices, named).tolist() == [START_MS + n * HOUR_MS for n in (25, 28)]
