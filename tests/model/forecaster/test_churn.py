"""Coins that come and go, as the N largest do: the engine stays small, and treats all of them alike."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import FloatArray, IntArray
from etl.features.raw_prices import STEPS_PER_DAY
from model.forecaster.engine import EngineOptions, ForecastEngine
from model.forecaster.forecasts import Forecasts
from model.forecaster.prior import Prior

START_MS = 1_700_006_400_000
OPTIONS = EngineOptions(train_days=1, use_forest=False, use_minutes=False, min_rows_prior=60, min_outcomes=60)
"""Without what depends on the order of the rows: the forest, and the terciles of all coins ever seen."""

KEPT_MS = (OPTIONS.train_days + 1) * DAY_MS
STEP_MS = 12 * HOUR_MS
NUMBERS = ("price_origin", "mean", "quantiles", "p_up", "is_model", "reach", "activity_percentile")
COINS = tuple(f"coin{number}" for number in range(8))
"""The last two hardly move."""
MEMBERSHIPS = st.lists(st.lists(st.sampled_from(COINS), min_size=2, max_size=4, unique=True), min_size=10, max_size=14)


class _Life:
    """An engine that lives through a market of random walks, as the live loop lets it.

    Args:
        forgets: whether coins take over the columns of others; without, each has its own for ever.
    """

    def __init__(self, *, forgets: bool, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.engine = ForecastEngine(OPTIONS, Prior.load())
        if not forgets:
            self.engine.grid.roster._kept_ms = 2**62
        self._ts_ms = START_MS - DAY_MS + GRID_STEP_MS * np.arange(10 * STEPS_PER_DAY)
        moves = rng.normal(0, 0.001, (len(self._ts_ms), len(COINS))) * np.array([1, 2, 3, 4, 5, 6, 0.02, 0.03])
        self._walks = dict(zip(COINS, 100 * np.exp(np.cumsum(moves, axis=0)).T, strict=True))
        self._fed_ms: dict[str, int] = {}

    def step(self, names: dict[str, str], now_ms: int) -> Forecasts:
        """Forecasts after a step in which coins are collected under some names: new and returned ones with a past."""
        self.engine.enrol(names.values(), now_ms)
        self._fed_ms = {name: fed_ms for name, fed_ms in self._fed_ms.items() if name in names.values()}
        for coin, name in names.items():
            if name in self._fed_ms:
                self.engine.grid.observe(name, *self._between(coin, self._fed_ms[name], now_ms))
            else:
                self.engine.grid.replace(name, *self._between(coin, now_ms - OPTIONS.train_days * DAY_MS, now_ms))
            self._fed_ms[name] = now_ms
        self.engine.advance(now_ms)
        self.engine.refit(now_ms)
        return self.engine.forecast(dict.fromkeys(names.values(), now_ms))

    def _between(self, coin: str, after_ms: int, until_ms: int) -> tuple[IntArray, FloatArray]:
        chosen = (self._ts_ms > after_ms) & (self._ts_ms <= until_ms)
        return self._ts_ms[chosen], self._walks[coin][chosen]


def _assert_equal(found: Forecasts, expected: Forecasts) -> None:
    """The same numbers to rounding, coin by coin in the order in which they were asked for."""
    assert len(found.coins) == len(expected.coins)
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-7, atol=1e-10, err_msg=name)


def _keys(rows: pa.Table) -> list[tuple[str, datetime]]:
    """Coins, whatever past their names tell of, and times of rows of a published table."""
    coins = (coin.partition(" ")[0] for coin in rows["coin"].to_pylist())
    return sorted(zip(coins, rows[1].to_pylist(), strict=True))


def _compare(memberships: list[list[str]]) -> tuple[_Life, _Life]:
    """Two lives: one forgets coins, in the other those that were forgotten come back under a new name."""
    frugal, lavish = _Life(forgets=True), _Life(forgets=False)
    lives = dict.fromkeys(COINS, 0)
    for step, collected in enumerate(memberships):
        now_ms = START_MS + step * STEP_MS
        for coin in collected:
            lives[coin] += coin not in frugal.engine.grid.roster
        expected = lavish.step({coin: f"{coin} {lives[coin]}" for coin in collected}, now_ms)
        _assert_equal(frugal.step({coin: coin for coin in collected}, now_ms), expected)
    return frugal, lavish


@pytest.mark.slow
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(MEMBERSHIPS)
def test_a_column_taken_over_gives_the_forecasts_of_a_column_of_its_own(memberships: list[list[str]]) -> None:
    """Whoever comes and goes when, for a week: the same forecasts to rounding."""
    _compare(memberships)


def test_coins_that_take_over_columns_are_forecast_by_the_model_like_others() -> None:
    """Two of four leave, others take their columns three days later, and at once are what they would be anywhere."""
    stay, leave, join = list(COINS[:2]), list(COINS[2:4]), list(COINS[4:6])
    frugal, lavish = _compare([stay + leave] * 4 + [stay] * 5 + [stay + join] * 5)
    assert frugal.engine.grid.roster.coins == stay + join
    assert len(lavish.engine.grid.roster) == 6
    last = frugal.step({coin: coin for coin in stay + join}, START_MS + 14 * STEP_MS)
    assert last.is_model.any()
    assert np.isfinite(last.activity_percentile).all()


def test_a_column_taken_over_at_once_holds_nothing_of_the_coin_before() -> None:
    """A clock that leaps lets coins take columns whose rows still wait: history and rows are those of new columns."""
    stay, leave, join = list(COINS[:2]), [COINS[3], COINS[6]], [COINS[4], COINS[7]]
    frugal, lavish = _compare([stay + leave] * 4)
    now_ms = START_MS + 3 * STEP_MS
    static: dict[str, list[FloatArray]] = defaultdict(list)
    for life, past in ((frugal, ""), (lavish, " 1")):
        life.engine.grid.observe_hourly(leave[0] + past, now_ms - HOUR_MS * np.arange(168)[::-1], 2.0 + np.arange(168))
        life.engine.enrol([coin + past for coin in stay], now_ms)
        life.engine.enrol([coin + past for coin in stay + join], now_ms + KEPT_MS + HOUR_MS)
        pending = life.engine.state().pending
        assert pending is not None
        assert pending.usable[:, 2].any() == (life is lavish)
        for hours in (0, 1, 13):
            made = life.step({coin: coin + past for coin in stay + join}, now_ms + hours * HOUR_MS)
            static[past].append(made.quantiles[-1])
    assert frugal.engine.grid.roster.coins == stay + join
    np.testing.assert_allclose(static[""], static[" 1"], rtol=1e-9)
    for name in ("log_price", "vol_mixed", "handed_out"):
        mine, theirs = (getattr(life.engine.grid.history, name) for life in (frugal, lavish))
        np.testing.assert_array_equal(mine, theirs[:, [0, 1, 4, 5]], err_msg=name)
    taken, wanted = frugal.engine.take_rows(), lavish.engine.take_rows()
    for name, rows in wanted.items():
        assert _keys(taken[name]) == [(coin, ts) for coin, ts in _keys(rows) if coin not in leave]


def test_a_coin_that_comes_back_soon_has_its_column_and_what_was_learned_of_it() -> None:
    """Absent for a day while another joins: the same column, the same percentile of activity as one never absent."""
    away, present = _Life(forgets=True), _Life(forgets=True)
    every = {coin: coin for coin in COINS[:3]}
    for step in range(8):
        missing = {COINS[0]} if step in (5, 6) else set()
        now_ms = START_MS + step * STEP_MS
        back = away.step({coin: coin for coin in every if coin not in missing}, now_ms)
        always = present.step(every, now_ms)
    assert away.engine.grid.roster.coins == list(COINS[:3])
    assert np.isfinite(back.activity_percentile).all()
    history = away.engine.grid.history.log_price[-STEPS_PER_DAY:, 0]
    np.testing.assert_array_equal(history, present.engine.grid.history.log_price[-STEPS_PER_DAY:, 0])
    np.testing.assert_allclose(back.price_origin, always.price_origin)


def test_a_stored_engine_knows_who_left_and_when() -> None:
    """Resumed a day after a coin left, it gives the column away when the first engine would have."""
    life = _Life(forgets=True)
    first, others = COINS[0], {coin: coin for coin in COINS[1:3]}
    life.step({first: first} | others, START_MS)
    life.step(others, START_MS + STEP_MS)
    state = life.engine.state()
    assert state.left_ms == {first: START_MS + STEP_MS}
    resumed = ForecastEngine.from_state(state)
    resumed.enrol([*others, "early"], START_MS + STEP_MS + KEPT_MS)
    resumed.enrol([*others, "early", "late"], START_MS + STEP_MS + KEPT_MS + 1)
    assert resumed.grid.roster.coins == ["late", *others, "early"]


def test_a_year_of_changes_teaches_from_as_many_coins_as_its_first_day() -> None:
    """Of 100 coins 5 are replaced each day: columns stay below those of 16 days, and 32 coins or so teach each step."""
    engine = ForecastEngine(replace(OPTIONS, train_days=14), Prior.load())
    ts_ms = START_MS + GRID_STEP_MS * np.arange(STEPS_PER_DAY)
    for day in range(365):
        collected = [f"coin{number}" for number in range(5 * day, 5 * day + 100)]
        engine.enrol(collected, START_MS + day * DAY_MS)
        engine._widen()
        places = np.array([engine.grid.column(coin) for coin in collected])
        taught = engine.model.in_turn(ts_ms, places).sum(axis=1)
        assert taught.mean() == pytest.approx(100 / 3, rel=0.02)
        assert taught.min() >= 24
    assert len(engine.grid.roster) <= 100 + 5 * 16
