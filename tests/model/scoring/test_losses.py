"""Losses against plain loops, and against what is known of distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from core.accuracy.scores import SCORE_SCHEMA, SCORE_SUMS, MetricsBlock
from core.accuracy.summary import summarise
from core.answers.distribution import ending_above
from core.answers.touch import touching
from core.errors import BadInput
from core.forecast_schema import INTERVALS, QUANTILE_COLUMNS, QUANTILES, REACH_COLUMNS
from core.times import HOUR_MS
from model.backtesting.loss_frames import losses, score_rows
from model.scoring.losses import brier, pinball, winkler
from tests.support.refusals import refusal

MakeForecasts = Callable[..., pd.DataFrame]


def _plain_pinball(quantiles: list[float], outcome: float) -> float:
    """Definition, one quantile at a time."""
    total = 0.0
    for level, quantile in zip(QUANTILES, quantiles, strict=True):
        total += level * (outcome - quantile) if outcome >= quantile else (1 - level) * (quantile - outcome)
    return total / len(QUANTILES)


def _plain_winkler(low: float, high: float, outcome: float) -> float:
    """Definition for the 80 % interval."""
    score = high - low
    if outcome < low:
        score += 10 * (low - outcome)
    elif outcome > high:
        score += 10 * (outcome - high)
    return score


def _plain_losses(row: Any) -> dict[str, float]:
    """Every sum of one forecast, in plain Python."""
    price = row.price_origin
    own = [getattr(row, name) / price - 1 for name in QUANTILE_COLUMNS]
    naive = [getattr(row, f"naive_{name}") / price - 1 for name in QUANTILE_COLUMNS]
    move = row.price_actual / price - 1
    moved = row.p_up != 0.5 and row.price_actual != price
    outcome = 1.0 if move > 0 else 0.0
    named = dict(zip(QUANTILE_COLUMNS, own, strict=True))
    inside = {f"inside_{p}": float(named[low] <= move <= named[high]) for p, (low, high) in INTERVALS.items()}
    return inside | {
        "n": 1.0,
        "pinball": _plain_pinball(own, move),
        "pinball_naive": _plain_pinball(naive, move),
        "abs_error": abs(row.mean - row.price_actual) / price,
        "abs_error_naive": abs(move),
        "width_80": named["q90"] - named["q10"],
        "winkler_80": _plain_winkler(named["q10"], named["q90"], move),
        "winkler_80_naive": _plain_winkler(naive[2], naive[6], move),
        "brier": (row.p_up - outcome) ** 2,
        "moved": float(moved),
        "hits": float(moved and ((row.p_up > 0.5) == (move > 0))),
        "rises": float(moved and move > 0),
        "forest": float(row.kind == "model"),
        **_plain_levels(row),
    }


def _plain_levels(row: Any) -> dict[str, float]:
    """Events and Brier scores of the two levels, from the probabilities that a reader is told."""
    deviation = (math.log(row.naive_q90) - math.log(row.naive_q10)) / 2 / 1.2816
    log_quantiles = np.log([[getattr(row, name) / row.price_origin for name in QUANTILE_COLUMNS]])
    reach = np.array([[getattr(row, name) for name in REACH_COLUMNS]])
    touch = float(touching(reach, np.array([deviation]))[0])
    above = float(ending_above(log_quantiles, np.array([deviation]))[0])
    below = 1 - float(ending_above(log_quantiles, np.array([-deviation]))[0])
    upper, lower = row.price_origin * math.exp(deviation), row.price_origin * math.exp(-deviation)
    ended = [row.price_actual > upper, row.price_actual < lower]
    touched = [max(row.price_high, row.price_actual) >= upper, min(row.price_low, row.price_actual) <= lower]
    return {
        "levels": 1.0,
        "beyond": sum(ended) / 2,
        "beyond_brier": ((above - ended[0]) ** 2 + (below - ended[1]) ** 2) / 2,
        "touched": sum(touched) / 2,
        "touch_brier": sum((touch - event) ** 2 for event in touched) / 2,
    }


def test_a_forecast_without_reach_is_not_judged_by_levels(make_forecasts: MakeForecasts) -> None:
    """Rows of version 0.1.0, forecasts of other methods, and a benchmark without spread add nothing to the sums."""
    frame = make_forecasts(3)
    names = ["levels", "beyond", "beyond_brier", "touched", "touch_brier"]
    other = losses(frame.drop(columns=[*REACH_COLUMNS, "price_high", "price_low"]))
    assert (other[names] == 0).all(axis=None)
    still = frame.assign(**{f"naive_{name}": frame["price_origin"] for name in QUANTILE_COLUMNS})
    assert (losses(still)[names] == 0).all(axis=None)
    assert (losses(frame)["levels"] == 1).all()
    np.testing.assert_array_equal(other["pinball"], losses(frame)["pinball"])


def test_the_true_probabilities_of_levels_have_the_lowest_brier_scores(make_forecasts: MakeForecasts) -> None:
    """Over random walks the Brier scores are lowest with the true spread, and then those of the share that happened."""
    scores = {}
    for width in (0.4, 1.0, 2.5):
        block = summarise(score_rows(make_forecasts(2_000, ("bitcoin",), width=width)))
        assert block is not None
        scores[width] = block.by_horizon[60]
    for name in ("beyond_brier", "touch_brier"):
        best = getattr(scores[1.0], name)
        assert best < min(getattr(scores[0.4], name), getattr(scores[2.5], name))
        assert best == pytest.approx(getattr(scores[1.0], f"{name}_constant"), abs=0.005)


def test_every_loss_equals_plain_loops(make_forecasts: MakeForecasts) -> None:
    """The vectorised losses are those of the definitions, also for ties and unchanged prices."""
    frame = make_forecasts(20)
    frame["mean"] *= 1.0003
    frame.loc[::7, "price_actual"] = frame.loc[::7, "price_origin"]
    frame.loc[::5, "p_up"] = 0.5
    found = losses(frame)
    for row, values in zip(frame.itertuples(), found[list(SCORE_SUMS)].to_dict("records"), strict=True):
        assert values == pytest.approx(_plain_losses(row), rel=1e-9, abs=1e-15)


def test_rows_are_summed_by_coin_hour_and_horizon(make_forecasts: MakeForecasts) -> None:
    """Three origins an hour give one row per coin, hour and horizon, with the sums of a loop."""
    frame = make_forecasts(9, step_min=20)
    table = score_rows(frame)
    assert table.schema.equals(SCORE_SCHEMA)
    assert table.num_rows == 2 * 3 * 12
    expected: dict[tuple[str, int, int], float] = {}
    for row in frame.itertuples():
        origin_ms = round(row.origin.timestamp() * 1000)  # type: ignore[union-attr]  # itertuples is untyped
        key = (str(row.coin), origin_ms - origin_ms % HOUR_MS, int(str(row.horizon_min)))
        expected[key] = expected.get(key, 0.0) + _plain_losses(row)["pinball"]
    hours = table["hour"].cast("int64").to_pylist()
    keys = zip(table["coin"].to_pylist(), hours, table["horizon_min"].to_pylist(), strict=True)
    assert dict(zip(keys, table["pinball"].to_pylist(), strict=True)) == pytest.approx(expected)


@pytest.fixture(scope="module")
def whole(make_forecasts: MakeForecasts) -> tuple[pd.DataFrame, MetricsBlock]:
    """Sixty forecasts and their scores."""
    frame = make_forecasts(30, seed=1)
    scores = summarise(score_rows(frame))
    assert scores is not None
    return frame, scores


@settings(max_examples=10)
@given(st.integers(0, 1000), st.integers(1, 59))
def test_scores_of_parts_add_up(whole: tuple[pd.DataFrame, MetricsBlock], seed: int, cut: int) -> None:
    """Scoring two parts in any order gives the same sums as scoring the whole."""
    frame, other = whole
    shuffled = frame.sample(frac=1, random_state=seed)
    joint = pa.concat_tables([score_rows(shuffled[: 12 * cut]), score_rows(shuffled[12 * cut :])])
    one = summarise(joint)
    assert one is not None
    assert one.overall.relative_pinball == pytest.approx(other.overall.relative_pinball)
    assert one.overall.coverage == pytest.approx(other.overall.coverage)
    assert one.overall.hit_rate == pytest.approx(other.overall.hit_rate)


@given(st.floats(0.2, 3.0).filter(lambda factor: abs(factor - 1) > 0.1), st.floats(-1.0, 1.0))
def test_pinball_is_least_at_the_true_quantiles(factor: float, shift: float) -> None:
    """Wider, narrower or shifted quantiles lose more in expectation; the expectation is a fine grid of outcomes."""
    outcomes = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    truth = np.tile(stats.norm.ppf(QUANTILES), (len(outcomes), 1))
    assert pinball(truth, outcomes).mean() < pinball(factor * truth, outcomes).mean()
    if abs(shift) > 0.05:
        assert pinball(truth, outcomes).mean() < pinball(truth + shift, outcomes).mean()


def test_pinball_approximates_half_the_crps_of_a_normal() -> None:
    """With many equally spaced levels, twice the mean pinball loss is the closed-form CRPS."""
    levels = (np.arange(2000) + 0.5) / 2000
    outcome = np.array([-1.3, 0.0, 0.4, 2.5])
    crps = outcome * (2 * stats.norm.cdf(outcome) - 1) + 2 * stats.norm.pdf(outcome) - 1 / np.sqrt(np.pi)
    quantiles = np.tile(stats.norm.ppf(levels), (4, 1))
    assert 2 * pinball(quantiles, outcome, list(levels)) == pytest.approx(crps, rel=2e-3)


@settings(deadline=None)
@given(st.floats(0.3, 3.0).filter(lambda factor: abs(factor - 1) > 0.1))
def test_winkler_is_least_at_the_true_interval(factor: float) -> None:
    """A narrower or wider interval than the true one has a larger expected score."""
    outcomes = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    high = np.full(len(outcomes), stats.norm.ppf(0.9))
    own, rival = winkler(-high, high, outcomes, 80), winkler(-factor * high, factor * high, outcomes, 80)
    assert own.mean() < rival.mean()


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1))
def test_brier_is_least_at_the_true_probability(truth: float, other: float) -> None:
    """The expected score is least at the true probability."""

    def expected(p_up: float) -> float:
        rise, fall = brier(np.array([p_up, p_up]), np.array([0.01, -0.01]))
        return float(truth * rise + (1 - truth) * fall)

    assert expected(truth) <= expected(other) + 1e-12


def test_coverage_of_a_known_distribution(make_forecasts: MakeForecasts) -> None:
    """True quantiles have their nominal coverage; half as wide ones have the normal distribution's."""
    for width in (1.0, 0.5):
        block = summarise(score_rows(make_forecasts(3000, ("a",), width=width)))
        assert block is not None
        for percent, share in block.overall.coverage.items():
            half = width * stats.norm.ppf(0.5 + percent / 200)
            assert share == pytest.approx(2 * stats.norm.cdf(half) - 1, abs=0.015)


def test_the_last_price_has_exactly_the_naive_error(make_forecasts: MakeForecasts) -> None:
    """A point forecast that is the last price has an MAE ratio of exactly 1 for every coin and horizon."""
    block = summarise(score_rows(make_forecasts(50)))
    assert block is not None
    assert {score.mae_ratio for score in block.by_coin.values()} == {1.0}
    assert block.overall.mae_ratio == 1.0
    assert {score.mae_ratio for score in block.by_horizon.values()} == {1.0}


def test_true_quantiles_beat_wide_ones_and_tie_with_themselves(make_forecasts: MakeForecasts) -> None:
    """On random walks there is no skill against the same quantiles, and some against wide ones."""
    same = summarise(score_rows(make_forecasts(200, naive_width=1.0)))
    wide = summarise(score_rows(make_forecasts(200, naive_width=1.7)))
    assert same is not None
    assert wide is not None
    assert same.overall.skill == 0.0
    assert same.overall.better_p_value is None
    assert wide.overall.skill is not None
    assert wide.overall.skill > 0.03
    assert wide.overall.better_p_value is not None
    assert wide.overall.better_p_value < 0.01


def test_unknown_outcomes_are_left_out(make_forecasts: MakeForecasts) -> None:
    """A forecast without an outcome, or without a benchmark, is not scored."""
    frame = make_forecasts(10)
    frame.loc[:4, "price_actual"] = np.nan
    frame.loc[100, "naive_q025"] = np.nan
    assert len(losses(frame)) == len(frame) - 6
    assert score_rows(frame.assign(price_actual=np.nan)).num_rows == 0


def test_a_missing_column_is_named(make_forecasts: MakeForecasts) -> None:
    """The error says which columns are missing."""
    with refusal(BadInput, match=r"p_up, naive_q50"):
        losses(make_forecasts(1).drop(columns=["p_up", "naive_q50"]))
