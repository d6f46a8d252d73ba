"""The benchmark of the answers judges known probabilities as a plain count would."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.level_events import DISTANCES, brier_scores, largest_gap, level_events, reliability
from bench.portfolio_coverage import PortfolioHour, coverage, walk_portfolio
from core.forecast_schema import HORIZONS_MIN, QUANTILE_COLUMNS, QUANTILES, REACH_COLUMNS, REACH_LEVELS
from core.times import DAY_MS, GRID_STEP_MS
from model.backtesting.walk_forward import WalkOptions
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.prior import Prior
from model.scoring.losses import NAIVE_COLUMNS

START_MS = 1_709_251_200_000


def _forecasts(rows: int, spread: float = 0.01) -> pd.DataFrame:
    """One-hour forecasts of fine Brownian paths with a standard deviation of 1 %, stated with `spread`."""
    way = np.cumsum(np.random.default_rng(0).normal(0, 0.01 / np.sqrt(400), (rows, 400)), axis=1)
    frame = pd.DataFrame({"coin": "bitcoin", "horizon_min": HORIZONS_MIN[-1], "price_origin": np.full(rows, 50.0)})
    normal, half = stats.norm.ppf(QUANTILES), stats.halfnorm.ppf(REACH_LEVELS)
    frame[list(QUANTILE_COLUMNS)] = 50 * np.exp(np.tile(spread * normal, (rows, 1)))
    frame[list(NAIVE_COLUMNS)] = 50 * np.exp(np.tile(0.01 * normal, (rows, 1)))
    frame[list(REACH_COLUMNS)] = np.tile(spread * half, (rows, 1))
    frame["origin"] = pd.Timestamp("2024-03-01", tz="UTC") + pd.to_timedelta(np.arange(rows), unit="h")
    frame["price_actual"] = 50 * np.exp(way[:, -1])
    frame["price_high"], frame["price_low"] = 50 * np.exp(way.max(axis=1)), 50 * np.exp(way.min(axis=1))
    return frame


@pytest.mark.parametrize("kind", ["end", "touch"])
def test_true_probabilities_are_reliable_and_others_are_not(kind: str) -> None:
    """With the true spread every group comes true as often as it says; with twice the spread it does not."""
    true, wide = (level_events(_forecasts(6_000, spread), kind) for spread in (0.01, 0.02))
    assert len(true) == 2 * len(DISTANCES) * 6_000
    assert (reliability(true, "tenth")["forecasts"] == 6_000).all()
    assert reliability(true)["events"].tolist() == [len(true) // 10] * 10
    assert largest_gap(reliability(true, "tenth")) < 3.0
    assert largest_gap(reliability(true)) < 3.0
    assert largest_gap(reliability(wide)) > 10.0
    own, constant = brier_scores(true)
    assert own == pytest.approx(constant, abs=0.002)
    assert brier_scores(wide)[0] > constant + 0.005


def test_events_are_those_of_a_plain_count() -> None:
    """A level a standard deviation above is touched by the highest price, one below by the lowest."""
    frame = _forecasts(300)
    frame.loc[7, "price_actual"] = np.nan
    known = frame.drop(index=7)
    touch = level_events(frame, "touch")
    for side, column, beyond in ((1, "price_high", np.greater_equal), (-1, "price_low", np.less_equal)):
        found = touch[(touch["distance"] == 1.0) & (touch["side"] == side)]["happened"].to_numpy()
        level = 50 * np.exp(side * np.log(known["naive_q90"] / known["naive_q10"]) / 2 / 1.2816)
        np.testing.assert_array_equal(found, beyond(known[column], level))


def test_groups_of_few_forecasts_do_not_count() -> None:
    """A large gap in a group of 199 is passed over, one in a group of 200 is not."""
    table = pd.DataFrame({"forecasts": [199, 200], "gap": [9.0, -1.5]})
    assert largest_gap(table) == 1.5


def test_a_portfolio_of_random_walks_is_covered_as_promised() -> None:
    """Two walks with a common part: scenarios known by then give ranges that hold, from the third day on."""
    rng = np.random.default_rng(2)
    ts_ms = START_MS + GRID_STEP_MS * np.arange(6 * 288)
    sizes = 0.001 * (rng.normal(size=len(ts_ms)) + rng.normal(size=(3, len(ts_ms))))
    recording = {f"coin{n}": (ts_ms, 50 * np.exp(np.cumsum(size))) for n, size in enumerate(sizes)}
    engine = ForecastEngine(EngineOptions(train_days=4, n_trees=4), Prior.load())
    options = WalkOptions(start_ms=START_MS + 2 * DAY_MS, step_min=60, refit_min=1440)
    hours = walk_portfolio(recording, ["coin0", "coin1"], options, engine)
    assert 70 < len(hours) <= 4 * 24
    for hour in hours[::10]:
        place = int(np.searchsorted(ts_ms, hour.origin_ms))
        change = np.mean([price[place + 12] / price[place] - 1 for _, price in list(recording.values())[:2]])
        assert hour.change == pytest.approx(change)
    assert coverage(hours)[80] == pytest.approx(0.8, abs=0.08)


def test_coverage_counts_the_ends_of_a_range() -> None:
    """A change at the end of a range lies within it."""
    ranges = dict.fromkeys((50, 80, 90, 95), (-0.01, 0.01))
    hours = [PortfolioHour(0, change, ranges) for change in (-0.01, 0.01, 0.011, 0.0)]
    assert coverage(hours)[50] == 0.75
