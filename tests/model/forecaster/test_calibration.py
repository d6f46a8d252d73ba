"""Residual store, phases of the hour, tracker, gate and point forecast, each on data made for it."""

from __future__ import annotations

import numpy as np
import pytest

from core.forecast_schema import QUANTILES
from core.times import DAY_MS, GRID_STEP_MS
from etl.arrays import IntArray
from etl.features.columns import FEATURE_NAMES
from etl.features.targets import STEPS
from model.forecaster.baseline_gate import BaselineGate, interval_loss
from model.forecaster.calibration import LEVELS, Calibration, SizeHistogram, generic_shape
from model.forecaster.point_forecast import SIGNED_COLUMNS, PointForecast
from model.forecaster.prior import SHAPE_LEVELS
from model.forecaster.training_data import TrainingStore
from model.scoring.losses import pinball

MINUTE_WEIGHTS = np.eye(12, dtype=np.float32)


def _day(day: int) -> IntArray:
    """The grid points of a day, in UTC milliseconds."""
    return day * DAY_MS + GRID_STEP_MS * np.arange(288, dtype=np.int64)


def test_quantiles_of_the_histogram_are_those_of_the_sizes() -> None:
    """Quantiles are within one percent of numpy's over the kept days; forgotten days do not count."""
    rng = np.random.default_rng(0)
    store = SizeHistogram()
    days = [np.abs(rng.standard_t(4, (4_000, STEPS))) * (day + 1) for day in range(3)]
    for day, sizes in enumerate(days):
        store.add(day, sizes)
    store.add(2, np.full((10, STEPS), np.nan))
    np.testing.assert_allclose(store.quantiles(LEVELS), np.quantile(np.concatenate(days), LEVELS, axis=0).T, rtol=0.01)
    store.forget_before(2)
    np.testing.assert_allclose(store.quantiles(LEVELS), np.quantile(days[2], LEVELS, axis=0).T, rtol=0.01)
    assert store.rows == 4_000


def test_a_shape_alone_gives_its_own_quantiles() -> None:
    """Without outcomes the half-widths are those of the shape, also where it has zeros."""
    shape = generic_shape()
    expected = shape[:, [SHAPE_LEVELS.index(level) for level in LEVELS]]
    np.testing.assert_allclose(SizeHistogram(shape, 100.0).quantiles(LEVELS), expected, rtol=0.02)
    shape[:, :5] = 0.0
    assert (SizeHistogram(shape, 100.0).quantiles(LEVELS) > 0).all()


def _outcomes(days: int, seed: int, spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    ts = np.arange(days * 288, dtype=np.int64) * 300_000
    phase = (ts // 300_000) % 12
    factor = np.where(phase == 0, 2.0, 1.0)[:, None]
    return ts, MINUTE_WEIGHTS[phase], rng.normal(0, spread, (len(ts), STEPS)) * factor


def test_intervals_cover_in_every_phase_of_the_hour() -> None:
    """A full hour with twice the volatility gets twice the width: both phases have their nominal coverage."""
    calibration = Calibration(30, generic_shape(), 100.0, True, 0.0)
    calibration.widen(1)
    scale = np.ones((288, STEPS))
    for day in range(12):
        ts, minute_weights, move = _outcomes(1, day, 1.0)
        factor = calibration.phase_factor(minute_weights)
        calibration.learn(ts + day * DAY_MS, np.zeros(288, dtype=np.int64), minute_weights, scale * factor, move)
    ts, minute_weights, move = _outcomes(40, 99, 1.0)
    widths = calibration.half_widths(calibration.phase_factor(minute_weights), np.zeros(len(ts), dtype=np.int64))
    for rows in (minute_weights[:, 0] == 1, minute_weights[:, 0] == 0):
        covered = (np.abs(move)[rows][..., None] <= widths[rows]).mean(axis=(0, 1))
        np.testing.assert_allclose(covered, LEVELS, atol=0.03)


@pytest.mark.parametrize("phases", [True, False])
def test_days_past_the_window_no_longer_count(phases: bool) -> None:
    """Widths and phases are those of a calibration that never saw the day before its window."""
    kept, fresh = (Calibration(5, generic_shape(), 100.0, phases, 0.0) for _ in range(2))
    for calibration, days in ((kept, (0, 10, 11)), (fresh, (10, 11))):
        calibration.widen(1)
        for day in days:
            ts, minute_weights, move = _outcomes(1, day, 10.0 if day == 0 else 1.0)
            scale = calibration.phase_factor(minute_weights)
            calibration.learn(ts + day * DAY_MS, np.zeros(288, dtype=np.int64), minute_weights, scale, move)
    assert kept.rows == fresh.rows == 2 * 288
    np.testing.assert_allclose(kept.phase_factor(MINUTE_WEIGHTS), fresh.phase_factor(MINUTE_WEIGHTS))
    ones, coin = np.ones((1, STEPS)), np.zeros(1, dtype=np.int64)
    np.testing.assert_allclose(kept.half_widths(ones, coin), fresh.half_widths(ones, coin), rtol=0.2)


def test_the_tracker_adapts_to_a_coin_unlike_the_others() -> None:
    """A coin with half the pooled volatility reaches its nominal coverage; the others keep theirs."""
    calibration = Calibration(30, generic_shape(), 100.0, False, 0.005)
    calibration.widen(5)
    coins = np.tile(np.arange(5), 12)
    rng = np.random.default_rng(1)
    inside = []
    for hour in range(24 * 25):
        ts = np.repeat((hour * 12 + np.arange(12, dtype=np.int64)) * 300_000, 5)
        move = rng.normal(0, 1, (60, STEPS)) * np.where(coins == 0, 0.5, 1.0)[:, None]
        widths = calibration.half_widths(np.ones(move.shape), coins)
        inside.append(np.abs(move)[..., None] <= widths)
        calibration.learn(ts, coins, MINUTE_WEIGHTS[np.zeros(60, dtype=int)], np.ones(move.shape), move)
    early, late = np.array(inside[:48]).mean(axis=(0, 2)), np.array(inside[-96:]).mean(axis=(0, 2))
    assert (early[::5].mean(axis=0)[:2] > LEVELS[:2] + 0.1).all()
    np.testing.assert_allclose(late[::5].mean(axis=0), LEVELS, atol=0.03)
    np.testing.assert_allclose(late[1::5].mean(axis=0), LEVELS, atol=0.03)


def test_interval_loss_is_the_pinball_loss_of_the_nine_quantiles() -> None:
    """The closed form for symmetric quantiles equals the score's own pinball loss."""
    rng = np.random.default_rng(2)
    move, widths = rng.normal(0, 1, 50), np.sort(rng.uniform(0.1, 3, (50, 4)), axis=1)
    quantiles = np.concatenate([-widths[:, ::-1], np.zeros((50, 1)), widths], axis=1)
    np.testing.assert_allclose(interval_loss(move, widths), pinball(quantiles, move, QUANTILES), rtol=1e-12)


def test_the_gate_closes_for_single_coins_and_opens_again() -> None:
    """A coin on which the model loses is closed, its neighbour stays open; better days open it again."""
    gate = BaselineGate(half_life_rows=288)
    gate.widen(2)
    both = np.arange(2)
    assert gate.passes(both).all()

    def learn_day(day: int, first: float) -> None:
        loss = np.tile([first, 0.19], 288)
        gate.learn(np.repeat(_day(day), 2), np.tile(both, 288), loss, np.full(576, 0.2))

    for day in range(30):
        learn_day(day, 0.22)
    assert gate.passes(both).tolist() == [False, True]
    for day in range(30, 35):
        learn_day(day, 0.19)
    assert gate.passes(both).all()
    gate.learn(np.full(2, 35 * DAY_MS), both, np.full(2, 0.201), np.full(2, 0.2))
    assert gate.passes(both).all()


def test_the_gate_remembers_a_coin_while_the_days_of_others_are_back_filled() -> None:
    """A coin whose model was better for three days stays open after a bad hour, also if eight coins joined before."""
    gate = BaselineGate(half_life_rows=288)
    gate.widen(9)

    def learn(ts_ms: IntArray, coin: int, loss: float) -> None:
        gate.learn(ts_ms, np.full(len(ts_ms), coin), np.full(len(ts_ms), loss), np.full(len(ts_ms), 0.2))

    for day in range(3):
        learn(_day(day), 0, 0.19)
    for joined in range(1, 9):
        learn(_day(2), joined, 0.19)
    learn(_day(3)[:12], 0, 0.25)
    assert gate.passes(np.arange(9)).all()


@pytest.mark.parametrize(("reversal", "moves"), [(0.0, False), (0.3, True)])
def test_the_centre_moves_only_on_evidence(reversal: float, moves: bool) -> None:
    """A reversal of the last move moves the centre after some weeks; in a random walk it never moves."""
    rng = np.random.default_rng(3)
    point = PointForecast(days=14)
    point.widen(2)
    for day in range(25):
        rows = 576
        ts = day * DAY_MS + np.repeat(np.arange(288, dtype=np.int64) * 300_000, 2)
        coins = np.tile(np.arange(2), 288)
        x = np.zeros((rows, len(FEATURE_NAMES)), dtype=np.float32)
        x[:, SIGNED_COLUMNS] = rng.normal(0, 1, (rows, len(SIGNED_COLUMNS)))
        move = rng.normal(0, 1, (rows, STEPS)) - reversal * x[:, SIGNED_COLUMNS[:1]]
        point.learn(ts, coins, x, point.drift(x), move)
        point.refit((day + 1) * DAY_MS)
    mean = point.mean(x[:2], coins[:2])
    assert bool((mean != 0).any()) == moves
    drift = point.drift(x)[:, 0] * -x[:, SIGNED_COLUMNS[0]]
    assert bool(drift.mean() > 0.9 * np.abs(drift).mean()) == moves
    assert ((point.p_up(mean) != 0.5).any()) == moves


def test_a_coin_on_which_the_drift_lost_keeps_its_last_price() -> None:
    """A drift that pays on four coins is not published for a fifth coin that moves the other way."""
    rng = np.random.default_rng(5)
    point = PointForecast(days=14)
    point.widen(5)
    coins = np.tile(np.arange(5), 288)
    direction = np.where(coins == 4, -0.3, 0.3)[:, None]
    x = np.zeros((1440, len(FEATURE_NAMES)), dtype=np.float32)
    for day in range(20):
        x[:, SIGNED_COLUMNS] = rng.normal(0, 1, (1440, len(SIGNED_COLUMNS)))
        move = rng.normal(0, 1, (1440, STEPS)) + direction * x[:, SIGNED_COLUMNS[:1]]
        ts = day * DAY_MS + np.repeat(np.arange(288, dtype=np.int64) * 300_000, 5)
        point.learn(ts, coins, x, point.drift(x), move)
        point.refit((day + 1) * DAY_MS)
    mean = point.mean(x[:5], coins[:5])
    assert (mean[:4] != 0).any(axis=1).all()
    assert (mean[4] == 0).all()


def test_the_centre_remembers_a_coin_while_the_days_of_others_are_back_filled() -> None:
    """A coin on which the drift paid for weeks keeps it after three bad hours, also if sixty coins joined before."""
    rng = np.random.default_rng(5)
    point = PointForecast(days=14)
    point.widen(2)
    x = np.zeros((288, len(FEATURE_NAMES)), dtype=np.float32)

    def learn(ts_ms: IntArray, coin: int, direction: float) -> None:
        x[:, SIGNED_COLUMNS] = rng.normal(0, 1, (288, len(SIGNED_COLUMNS)))
        rows = x[: len(ts_ms)]
        move = direction * rows[:, SIGNED_COLUMNS[:1]] + rng.normal(0, 0.1, (len(ts_ms), STEPS))
        point.learn(ts_ms, np.full(len(ts_ms), coin), rows, point.drift(rows), move)

    for day in range(20):
        learn(_day(day), 0, 0.3)
        point.refit((day + 1) * DAY_MS)
    for _ in range(60):
        learn(_day(19), 1, 0.3)
    learn(_day(20)[:36], 0, -0.3)
    assert (point.mean(x[:1], np.array([0])) != 0).any()


def test_the_training_store_keeps_its_window_and_its_size() -> None:
    """Sums count every row of the kept days; the sample has fewer days, a bound, and is in order of time."""
    store = TrainingStore(days=3, sample_days=2, sample_rows=200)
    rng = np.random.default_rng(4)
    for day in range(6):
        ts = day * DAY_MS + np.arange(288, dtype=np.int64) * 300_000
        x = np.full((288, 4), day, dtype=np.float32)
        store.add(ts, x, rng.normal(size=(288, 2)).astype(np.float32), np.arange(288) % 2 == 0)
        store.forget((day + 1) * DAY_MS)
    assert store.rows == 3 * 288
    assert store.effective_days == pytest.approx(3.0)
    x, y = store.sample()
    assert len(x) == len(y) == 200
    assert (np.diff(x[:, 0]) >= 0).all()
    assert set(x[:, 0]) == {4.0, 5.0}
