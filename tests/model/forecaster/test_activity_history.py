"""The percentile of the present activity against plain loops over all that was noted."""

from __future__ import annotations

import numpy as np
import pytest

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from model.forecaster.activity_history import ActivityHistory
from model.forecaster.lesson import HourScales

START_MS = 1_700_006_400_000


def _noted(rows: int, coins: int, seed: int = 0) -> tuple[ActivityHistory, np.ndarray, np.ndarray]:
    """A history fed with grid rows in blocks, the times of the rows, and their scales."""
    rng = np.random.default_rng(seed)
    ts_ms = START_MS + GRID_STEP_MS * np.arange(rows)
    scale = rng.lognormal(0, 1, (rows, coins)).astype(np.float32).astype(np.float64)
    scale[rng.random(scale.shape) < 0.2] = np.nan
    history = ActivityHistory()
    history.widen(coins)
    for part in np.array_split(np.arange(rows), 37):
        history.note(HourScales.of(ts_ms[part], np.arange(coins), scale[part]))
    return history, ts_ms, scale


@pytest.mark.parametrize("days", [0.3, 1.5, 4, 20])
def test_the_percentile_is_that_of_plain_loops(days: float) -> None:
    """Share of the coin's own full hours of the last 14 days with a smaller scale; NaN with fewer than 8."""
    history, ts_ms, scale = _noted(round(days * 288), coins=3)
    now_ms = int(ts_ms[-1]) + 3 * 60_000
    found = history.percentile(np.full(3, now_ms), np.arange(3), np.full(3, 1.2))
    for coin in range(3):
        own = [
            scale[row, coin]
            for row, time in enumerate(ts_ms.tolist())
            if time % HOUR_MS == 0 and time // HOUR_MS > now_ms // HOUR_MS - 14 * 24 and np.isfinite(scale[row, coin])
        ]
        if len(own) < 8:
            assert np.isnan(found[coin])
        else:
            assert found[coin] == pytest.approx(100 * sum(value < 1.2 for value in own) / len(own))
    assert np.isnan(found).any() == (days < 0.4)


def test_hours_after_the_origin_do_not_count() -> None:
    """The percentile as of an earlier origin is the one that was given then."""
    whole, ts_ms, _ = _noted(6 * 288, coins=2)
    half, _, _ = _noted(6 * 288, coins=2)
    early = ActivityHistory()
    early.widen(2)
    cut = 4 * 288 + 5
    _, _, scale = _noted(6 * 288, coins=2)
    early.note(HourScales.of(ts_ms[:cut], np.arange(2), scale[:cut]))
    origin = np.full(2, int(ts_ms[cut - 1]))
    now = np.array([0.8, 1.5])
    np.testing.assert_array_equal(
        early.percentile(origin, np.arange(2), now), whole.percentile(origin, np.arange(2), now)
    )
    later = np.full(2, int(ts_ms[-1]))
    assert not np.array_equal(half.percentile(later, np.arange(2), now), early.percentile(origin, np.arange(2), now))


def test_rows_noted_again_without_a_scale_erase_nothing() -> None:
    """A repaired coin's rows come again, most of them without a prediction: what was noted stays."""
    history, ts_ms, _ = _noted(5 * 288, coins=2)
    origin, coins, now = np.full(2, int(ts_ms[-1])), np.arange(2), np.ones(2)
    before = history.percentile(origin, coins, now)
    history.note(HourScales.of(ts_ms, coins, np.full((len(ts_ms), 2), np.nan)))
    np.testing.assert_array_equal(history.percentile(origin, coins, now), before)
    history.note(HourScales.of(ts_ms - 20 * DAY_MS, coins, np.full((len(ts_ms), 2), 99.0)))
    np.testing.assert_array_equal(history.percentile(origin, coins, now), before)


def test_without_a_scale_now_there_is_no_percentile() -> None:
    """NaN for a coin that no model can forecast, also for one that joined just now."""
    history, ts_ms, _ = _noted(5 * 288, coins=2)
    history.widen(3)
    found = history.percentile(np.full(3, int(ts_ms[-1])), np.arange(3), np.array([1.0, np.nan, 1.0]))
    assert np.isfinite(found).tolist() == [True, False, False]
