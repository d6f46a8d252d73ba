"""Intervals from daily sums: they cover the true ratio, ignore the scale of losses, and need five days."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from model.backtesting.loss_frames import losses
from model.backtesting.ratio_intervals import daily_sums, mean_ratio, ratio_difference_interval, ratio_interval

MakeForecasts = Callable[..., pd.DataFrame]


def _days(days: int, truth: float, seed: int, persistence: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Losses of three coins of very different size, `truth` times those of the rival on average; days correlate."""
    rng = np.random.default_rng(seed)
    rival = rng.gamma(5, 1, (days, 3)) * np.array([1.0, 10.0, 100.0])
    weather = np.zeros(days + 50)
    for day in range(1, days + 50):
        weather[day] = persistence * weather[day - 1] + rng.normal()
    return truth * rival * (1 + 0.1 * weather[50:, None]) * rng.normal(1.0, 0.05, (days, 3)), rival


def test_daily_sums_are_sums_by_day_and_coin(make_forecasts: MakeForecasts) -> None:
    """A loop over the rows gives the same table."""
    lost = losses(make_forecasts(60))
    table = daily_sums(lost, "pinball")
    expected: dict[tuple[str, str], float] = {}
    for origin, coin, value in zip(lost["origin"], lost["coin"], lost["pinball"], strict=True):
        key = (f"{origin:%Y-%m-%d}", coin)
        expected[key] = expected.get(key, 0.0) + value
    found = {(f"{day:%Y-%m-%d}", coin): table.loc[day, coin] for day in table.index for coin in table.columns}
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("persistence", [0.0, 0.5])
def test_the_interval_covers_the_true_ratio_in_95_percent_of_samples(persistence: float) -> None:
    """Over many samples the interval covers the true ratio as often as it promises, also with dependent days."""
    hits = 0
    for seed in range(300):
        interval = ratio_interval(*_days(60, 0.93, seed, persistence))
        assert interval is not None
        hits += interval[0] <= 0.93 <= interval[1]
    assert 0.90 <= hits / 300 <= 0.985


def test_the_difference_of_equal_forecasts_is_zero() -> None:
    """Equal losses differ by zero; uniformly smaller ones have an interval below zero."""
    own, rival = _days(30, 0.93, 0)
    assert ratio_difference_interval(own, own, rival) == (0.0, 0.0)
    interval = ratio_difference_interval(0.99 * own, own, rival)
    assert interval is not None
    assert interval[0] < interval[1] < 0


def test_intervals_are_centred_and_do_not_depend_on_the_scale_of_losses() -> None:
    """The middle is the ratio itself, and multiplying one coin's losses changes nothing."""
    own, rival = _days(20, 0.9, 1)
    scale = np.array([1.0, 1000.0, 0.001])
    interval = ratio_interval(own, rival)
    assert interval is not None
    assert sum(interval) / 2 == pytest.approx(mean_ratio(own.sum(axis=0), rival.sum(axis=0)))
    assert ratio_interval(own * scale, rival * scale) == pytest.approx(interval)


def test_with_few_days_there_is_no_interval() -> None:
    """Four days are too few for an interval; no days at all raise no error."""
    own, rival = _days(5, 0.9, 0)
    assert ratio_interval(own, rival) is not None
    assert ratio_interval(own[:4], rival[:4]) is None
    assert ratio_difference_interval(own[:4], own[:4], rival[:4]) is None
    assert ratio_interval(own[:0], rival[:0]) is None


def test_coins_without_naive_loss_have_no_ratio() -> None:
    """A coin that never moved is left out; where none moved there is no interval."""
    own, rival = _days(10, 0.9, 2)
    with_frozen = ratio_interval(np.pad(own, ((0, 0), (0, 1))), np.pad(rival, ((0, 0), (0, 1))))
    assert with_frozen == pytest.approx(ratio_interval(own, rival))
    assert ratio_interval(own, np.zeros_like(rival)) is None
    assert np.isnan(mean_ratio(own[0], np.zeros(3)))
    assert mean_ratio(np.array([1.0, 3.0, 5.0]), np.array([2.0, 3.0, 0.0])) == pytest.approx(0.75)
