"""The naive benchmark: plain empirical quantiles, also with gaps and short histories."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.forecast_schema import HORIZONS_MIN, QUANTILES
from core.times import DAY_MS, HOUR_MS
from model.scoring.naive_benchmark import HISTORY_POINTS, MIN_RETURNS, naive_quantiles, renewal_ms


def _walk(points: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.cumsum(np.random.default_rng(seed).normal(0, 0.002, points))


def _plain_quantile(values: list[float], level: float) -> float:
    """Linear interpolation between order statistics."""
    ordered = sorted(values)
    place = level * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def test_quantiles_equal_plain_loops_with_gaps() -> None:
    """Only moves with a price at both ends count."""
    log_price = _walk(300)
    log_price[[5, 17, 18, 100]] = np.nan
    found = naive_quantiles(log_price)
    for row, horizon in enumerate(HORIZONS_MIN):
        steps = horizon // 5
        pairs = [(log_price[k], log_price[k + steps]) for k in range(len(log_price) - steps)]
        moves = [late - early for early, late in pairs if not math.isnan(late) and not math.isnan(early)]
        assert found[row] == pytest.approx([_plain_quantile(moves, level) for level in QUANTILES])


def test_only_the_last_fourteen_days_count() -> None:
    """Older prices change nothing."""
    log_price = _walk(HISTORY_POINTS + 500)
    older = log_price.copy()
    older[:500] += np.random.default_rng(1).normal(0, 1, 500)
    assert np.array_equal(naive_quantiles(log_price), naive_quantiles(older))


def test_horizons_with_few_moves_grow_with_the_square_root_of_time() -> None:
    """A history with just enough 5-minute moves scales their quantiles to the longer horizons."""
    found = naive_quantiles(_walk(MIN_RETURNS + 1))
    assert np.isfinite(found).all()
    assert found[11] == pytest.approx(found[0] * math.sqrt(12))


def test_too_little_history_is_no_benchmark() -> None:
    """With one move too few the quantiles are NaN."""
    assert np.isnan(naive_quantiles(_walk(MIN_RETURNS))).all()
    assert np.isnan(naive_quantiles(np.full(5000, np.nan))).all()
    assert np.isnan(naive_quantiles(np.zeros(0))).all()


def test_it_is_renewed_every_six_hours() -> None:
    """All origins of a quarter of a day share the quantiles made at its start."""
    midnight = 20_000 * DAY_MS
    assert renewal_ms(midnight) == midnight
    assert renewal_ms(midnight + 6 * HOUR_MS - 1) == midnight
    assert renewal_ms(midnight + 6 * HOUR_MS) == midnight + 6 * HOUR_MS
