"""The foundation model's forecasters, with a model of one line in its place: what it sees, and what is made of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student_t

from bench import fracast_rival
from bench.fracast_rival import FracastScale, fracast_price, nine_quantiles
from bench.rival_forecasters import LEVELS, Forecaster

DECILES = np.arange(1, 10) / 10


class LastValue:
    """Answers the last value of a context, plus the decile's number in hundredths: 0.01 … 0.09."""

    def __init__(self) -> None:
        self.contexts: list[Any] = []

    def forecast_batch(self, contexts: Any, horizon: int) -> Any:
        """Deciles (series, horizon, 9)."""
        self.contexts += list(contexts)
        return contexts[:, -1, None, None] + np.tile(DECILES / 10, (len(contexts), horizon, 1))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> LastValue:
    """The model that the forecasters ask."""
    one = LastValue()
    monkeypatch.setattr(fracast_rival, "_model", lambda: one)
    return one


def _log_prices(marks: int = 1200) -> Any:
    return np.random.default_rng(0).normal(0, 0.002, (2, marks)).cumsum(axis=1)


def _forecasters() -> list[Forecaster]:
    return [fracast_price, FracastScale()]


def test_tails_are_those_of_students_t_with_four_degrees() -> None:
    """The distribution's own quantiles come back from its deciles, 25 and 75 % nearly; crossed deciles are sorted."""
    made = nine_quantiles(3.0 + 2.0 * student_t.ppf(DECILES, 4))
    expected = 3.0 + 2.0 * student_t.ppf(list(LEVELS.values()), 4)
    np.testing.assert_allclose(np.delete(made, [3, 5]), np.delete(expected, [3, 5]), atol=1e-3)
    np.testing.assert_allclose(made, expected, atol=0.03)
    np.testing.assert_array_equal(nine_quantiles(DECILES[::-1].copy()), nine_quantiles(DECILES))


def test_the_price_is_forecast_from_the_prices_up_to_the_origin(model: LastValue) -> None:
    """Contexts end at the origin with 0, the missing ones before the first price are NaN; moves are the model's."""
    log_price, marks = _log_prices(), np.array([700, 900])
    made = fracast_price(log_price, 0, 700, marks)
    assert made.shape == (2, 2, 12, 9)
    np.testing.assert_allclose(made, np.broadcast_to(nine_quantiles(DECILES / 10), made.shape))
    for context, (coin, mark) in zip(model.contexts, [(0, 700), (0, 900), (1, 700), (1, 900)], strict=True):
        assert len(context) == 2048
        np.testing.assert_allclose(context[-mark - 1 :], log_price[coin, : mark + 1] - log_price[coin, mark])
        assert np.isnan(context[: -mark - 1]).all()


def test_a_scale_is_that_of_whole_hours_and_its_quantiles_are_those_of_the_window(model: LastValue) -> None:
    """With the model's "as in the last hour", moves of an hour are those of the window in units of the hour before."""
    log_price, last = _log_prices(), 1000
    made = FracastScale()(log_price, 0, last, np.array([last]))
    size = np.abs(np.diff(log_price, axis=1))
    past = np.arange(last, -1, -12)[::-1]
    past = past[(past >= 24 * 12) & (past + 12 <= last)]
    before = np.stack([size[:, mark - 12 : mark].mean(axis=1) for mark in past], axis=1)
    bends = np.quantile((log_price[:, past + 12] - log_price[:, past]) / before, list(LEVELS.values()))
    np.testing.assert_allclose(made[:, 0, 11], size[:, last - 12 : last].mean(axis=1)[:, None] * bends)


def test_neither_forecaster_looks_ahead(model: LastValue) -> None:
    """Other prices after the window and the origins change nothing."""
    log_price, marks = _log_prices(), np.array([1000, 1012])
    changed = log_price.copy()
    changed[:, marks[-1] + 1 :] += 1.0
    for forecaster, other in zip(_forecasters(), _forecasters(), strict=True):
        np.testing.assert_array_equal(forecaster(log_price, 0, 1000, marks), other(changed, 0, 1000, marks))


def test_a_coin_without_history_is_left_out(model: LastValue) -> None:
    """With fewer than 24 prices or hours a coin has no forecast; the other one has."""
    log_price = _log_prices()
    log_price[1, :990] = np.nan
    for forecaster in _forecasters():
        made = forecaster(log_price, 0, 1000, np.array([1000]))
        assert np.isfinite(made[0]).all()
        assert np.isnan(made[1]).all()
