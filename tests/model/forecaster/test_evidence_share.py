"""Shares of corrections against known best ones, and coins sorted by their volatility."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.times import DAY_MS, GRID_STEP_MS
from model.forecaster.evidence_share import GROUPS, CoinGroups, EvidenceShare

DAY = 19_000
OUTPUTS = 3
ROWS_A_DAY = 288

FloatArray = npt.NDArray[np.float64]


def _learn_days(
    share: EvidenceShare, days: range, best: FloatArray, *, group: int | None = None, noise: float = 1.0
) -> None:
    """Outcomes of some days: the residual is `best` (by group) times the correction, and noise."""
    rng = np.random.default_rng(days.start)
    for day in days:
        ts_ms = DAY_MS * day + GRID_STEP_MS * np.arange(ROWS_A_DAY)
        groups = np.arange(ROWS_A_DAY) % GROUPS if group is None else np.full(ROWS_A_DAY, group)
        correction = rng.normal(0, 0.5, (ROWS_A_DAY, OUTPUTS))
        residual = best[groups][:, None] * correction + rng.normal(0, noise, correction.shape)
        share.learn(ts_ms, groups, correction, residual)


@pytest.mark.parametrize("best", [0.0, 0.3, 0.7, 1.4])
def test_the_share_approaches_the_best_one(best: float) -> None:
    """With a residual of s times the correction and noise, the share comes close to s, but not beyond the limit."""
    share = EvidenceShare(days=60, start=0.0, start_days=0.0, errors=0.0, limit=1.0)
    _learn_days(share, range(DAY, DAY + 60), np.full(GROUPS, best))
    share.refit(DAY_MS * (DAY + 60))
    assert share.share == pytest.approx(np.full(GROUPS, min(best, 1.0)), abs=0.1)


def test_a_useless_correction_gets_less_than_a_useful_one_with_a_doubt() -> None:
    """Lowered by two standard errors, a useless or harmful correction gets about nothing, a useful one keeps most."""
    share = EvidenceShare(days=14, start=0.0, start_days=0.0, errors=2.0, limit=1.0)
    _learn_days(share, range(DAY, DAY + 14), np.array([0.0, -0.5, 0.8]))
    share.refit(DAY_MS * (DAY + 14))
    useless, harmful, useful = share.share
    assert useless < 0.1
    assert harmful == 0.0
    assert 0.5 < useful < 0.8


@pytest.mark.parametrize("start", [0.4, 1.0])
def test_without_outcomes_the_first_belief_stands_and_outcomes_wear_it_down(start: float) -> None:
    """The belief counts like days of outcomes: alone it is the share, beside as many useless days half of it is."""
    share = EvidenceShare(days=30, start=start, start_days=5.0, errors=0.0, limit=1.0)
    share.refit(DAY_MS * DAY)
    assert share.share.tolist() == [start] * GROUPS
    found = []
    for days in (range(DAY, DAY + 5), range(DAY + 5, DAY + 20)):
        _learn_days(share, days, np.zeros(GROUPS), noise=0.1)
        share.refit(DAY_MS * days.stop)
        found.append(share.share)
    assert found[0] == pytest.approx(np.full(GROUPS, start / 2), abs=0.03)
    assert found[1] == pytest.approx(np.full(GROUPS, start / 5), abs=0.03)


def test_old_days_are_forgotten() -> None:
    """A record older than the window counts no more, beside a newer one as well as alone."""
    share = EvidenceShare(days=10, start=0.4, start_days=0.0, errors=0.0, limit=1.0)
    _learn_days(share, range(DAY, DAY + 20), np.full(GROUPS, 1.0), noise=0.1)
    _learn_days(share, range(DAY + 20, DAY + 32), np.zeros(GROUPS), noise=0.1)
    share.refit(DAY_MS * (DAY + 24))
    assert (share.share > 0.3).all()
    share.refit(DAY_MS * (DAY + 32))
    assert share.share == pytest.approx(np.zeros(GROUPS), abs=0.02)
    share.refit(DAY_MS * (DAY + 60))
    assert share.share.tolist() == [0.4] * GROUPS


def test_groups_do_not_mix() -> None:
    """What one group's coins show changes the share of no other group."""
    share = EvidenceShare(days=30, start=0.2, start_days=1.0, errors=0.0, limit=1.0)
    _learn_days(share, range(DAY, DAY + 30), np.full(GROUPS, 0.9), group=1)
    share.refit(DAY_MS * (DAY + 30))
    assert share.share[[0, 2]].tolist() == [0.2, 0.2]
    assert share.share[1] == pytest.approx(0.9, abs=0.1)


def test_rows_without_a_correction_or_an_outcome_say_nothing() -> None:
    """Rows with NaN in correction or residual, and corrections of exactly 0, leave the share as it is without them."""
    rng = np.random.default_rng(0)
    shares = []
    for spoiled in (False, True):
        share = EvidenceShare(days=30, start=0.5, start_days=1.0, errors=1.0, limit=1.0)
        _learn_days(share, range(DAY, DAY + 10), np.full(GROUPS, 0.6))
        if spoiled:
            rows = np.full((9, OUTPUTS), np.nan), rng.normal(0, 1, (9, OUTPUTS)), np.zeros((9, OUTPUTS))
            for correction, residual in ((rows[0], rows[1]), (rows[1], rows[0]), (rows[2], rows[1])):
                share.learn(np.full(9, DAY_MS * (DAY + 11)), np.arange(9) % GROUPS, correction, residual)
        share.refit(DAY_MS * (DAY + 12))
        shares.append(share.share.tolist())
    assert shares[0] == shares[1]


@given(
    days=st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, GROUPS - 1), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
        max_size=30,
    ),
    start=st.floats(0, 1),
    start_days=st.floats(0, 10),
    errors=st.floats(0, 4),
    limit=st.floats(0.01, 1),
)
def test_a_share_lies_between_zero_and_the_limit(
    days: list[tuple[int, int, float, float]], start: float, start_days: float, errors: float, limit: float
) -> None:
    """Whatever the outcomes, each share with a record lies within its bounds, and one without is the first belief."""
    share = EvidenceShare(days=14, start=start * limit, start_days=start_days, errors=errors, limit=limit)
    for day, group, correction, residual in days:
        share.learn(
            np.array([DAY_MS * (DAY + day)]), np.array([group]), np.array([[correction]]), np.array([[residual]])
        )
        share.refit(DAY_MS * (DAY + day))
        assert np.isfinite(share.share).all()
        assert ((share.share >= 0) & (share.share <= limit)).all()


def _groups_of(volatility: FloatArray, calls: int, rows: int) -> list[int]:
    """Groups after `calls` calls of `rows` rows a coin, whose volatilities scatter by a third."""
    rng = np.random.default_rng(0)
    groups = CoinGroups()
    groups.widen(len(volatility))
    coins = np.tile(np.arange(len(volatility)), rows)
    for _ in range(calls):
        groups.learn(coins, volatility[coins] * np.exp(rng.normal(0, 0.3, len(coins))))
    return [int(group) for group in groups.of(np.arange(len(volatility)))]


@pytest.mark.parametrize(("calls", "rows"), [(1, 288), (20, 288), (600, 1)])
def test_coins_are_sorted_by_their_volatility(calls: int, rows: int) -> None:
    """Calm, middling and lively coins are three groups, whether their rows came day by day or one by one."""
    volatility = np.tile([0.001, 0.003, 0.009], 4)
    assert _groups_of(volatility, calls, rows) == [0, 1, 2] * 4


def test_a_coin_that_comes_alive_changes_its_group() -> None:
    """Of twelve coins one that was the calmest is among the liveliest after a week of ten times its volatility."""
    volatility = np.geomspace(0.001, 0.004, 12)
    groups = CoinGroups()
    groups.widen(12)
    found = []
    for first in (1.0, 10.0):
        volatility[0] *= first
        for _ in range(7):
            groups.learn(np.tile(np.arange(12), 288), np.tile(volatility, 288))
        found.append(int(groups.of(np.array([0]))[0]))
    assert found == [0, GROUPS - 1]


def test_few_coins_are_one_group() -> None:
    """With three coins of very different volatility all are in the first group."""
    assert _groups_of(np.array([0.001, 0.01, 0.1]), calls=5, rows=10) == [0, 0, 0]
