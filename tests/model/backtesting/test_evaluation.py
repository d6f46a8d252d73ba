"""Evaluation of a backtest's forecasts: parts agree with the whole, calibration is recognised, nothing looks ahead."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput
from core.forecast_schema import HORIZONS_MIN, QUANTILE_COLUMNS, QUANTILES
from model.backtesting.evaluation import REGIMES, compare, evaluate, regimes, reliability, with_benchmark
from model.scoring.losses import NAIVE_COLUMNS
from tests.support.refusals import refusal

MakeForecasts = Callable[..., pd.DataFrame]


def test_true_quantiles_are_reliable(make_forecasts: MakeForecasts) -> None:
    """Each quantile has its nominal share of outcomes below it, overall and by horizon."""
    found = evaluate(make_forecasts(4000, ("a",)))
    assert found.reliability == pytest.approx({level: level for level in QUANTILES}, abs=0.02)
    assert list(found.reliability_by_horizon) == list(HORIZONS_MIN)
    for curve in found.reliability_by_horizon.values():
        assert curve == pytest.approx({level: level for level in QUANTILES}, abs=0.03)


def test_outcomes_on_a_quantile_count_half() -> None:
    """A price that never moves lies half below and half above its own last value."""
    frame = pd.DataFrame({name: [1.0, 1.0] for name in QUANTILE_COLUMNS} | {"price_actual": [1.0, 1.0]})
    assert set(reliability(frame).values()) == {0.5}


def test_the_parts_of_an_evaluation_add_up_to_the_whole(make_forecasts: MakeForecasts) -> None:
    """Weeks and horizons hold every scored forecast; a coin's score lies among its horizons' in the grid."""
    frame = make_forecasts(24 * 30)
    frame.loc[frame.index[-7:], "price_actual"] = np.nan
    found = evaluate(frame)
    assert found.unknown == 7
    assert found.block.overall.forecasts == len(frame) - 7
    assert sum(score.forecasts for score in found.by_week.values()) == len(frame) - 7
    assert list(found.by_week) == [f"2024-W{week:02d}" for week in range(9, 14)]
    for coin, row in found.grid.items():
        low, high = min(value or 9 for value in row.values()), max(value or 0 for value in row.values())
        assert low <= (found.block.by_coin[coin].relative_pinball or 0) <= high
    assert found.interval is not None
    assert found.interval[0] < (found.block.overall.relative_pinball or 0) < found.interval[1]


def _plain_regime(frame: pd.DataFrame, coin: str) -> dict[pd.Timestamp, str | None]:
    """Regime of each origin of one coin, by loops."""
    price = dict(zip(frame["origin"][frame["coin"] == coin], frame["price_origin"][frame["coin"] == coin], strict=True))
    moments = sorted(price)
    rates: dict[pd.Timestamp, float] = {}
    for end in moments:
        square = seconds = count = 0.0
        for before, after in itertools.pairwise(moments):
            gap = (after - before).total_seconds()
            if gap <= 4 * 3600 and end - pd.Timedelta(days=1) < after <= end:
                square += math.log(price[after] / price[before]) ** 2
                seconds += gap
                count += 1
        if count >= 6:
            rates[end] = math.sqrt(square / seconds)
    first, second = np.quantile(list(rates.values()), (1 / 3, 2 / 3))
    labels: dict[pd.Timestamp, str | None] = dict.fromkeys(moments)
    for end, rate in rates.items():
        labels[end] = REGIMES[0] if rate <= first else REGIMES[1] if rate <= second else REGIMES[2]
    return labels


def test_regimes_equal_plain_loops_over_irregular_origins(make_forecasts: MakeForecasts) -> None:
    """Terciles of the volatility of the day before, also with origins missing for hours."""
    frame = make_forecasts(120)
    hours = (frame["origin"] - frame["origin"].iloc[0]).dt.total_seconds() / 3600
    frame = frame[(hours < 50) | (hours > 57)].sample(frac=1, random_state=1)
    label = regimes(frame)
    for coin in ("bitcoin", "solana"):
        own = frame["coin"] == coin
        expected = _plain_regime(frame, coin)
        found = dict(zip(frame["origin"][own], label[own].where(label[own].notna(), None), strict=True))
        assert found == {origin: expected[origin] for origin in found}
    assert label.isna().sum() == 2 * 6 * 12


def test_the_regime_of_an_origin_ignores_what_follows(make_forecasts: MakeForecasts) -> None:
    """Later prices may only move the bounds of the terciles, not the order of earlier volatilities."""
    frame = make_forecasts(200, ("a",))
    wild = frame.copy()
    late = wild["origin"] > wild["origin"].iloc[12 * 150]
    wild.loc[late, "price_origin"] *= np.random.default_rng(0).uniform(0.5, 2.0, late.sum())
    order = {name: rank for rank, name in enumerate(REGIMES)}
    early = ~late & regimes(frame).notna()
    before, after = regimes(frame)[early].map(order), regimes(wild)[early].map(order)
    assert (after <= before).all()


def test_with_benchmark_joins_by_coin_origin_and_horizon(make_forecasts: MakeForecasts) -> None:
    """The benchmark's quantiles are joined to the same forecast in any order; unmatched rows stay unknown."""
    frame = make_forecasts(10)
    bare = frame.drop(columns=list(NAIVE_COLUMNS))
    rival = frame.sample(frac=1, random_state=3).iloc[:-1]
    joined = with_benchmark(bare, rival)
    missing = joined[NAIVE_COLUMNS[0]].isna()
    assert missing.sum() == 1
    assert (joined.loc[~missing, NAIVE_COLUMNS[8]] == joined.loc[~missing, "q975"]).all()


def test_comparing_with_itself_finds_no_difference(make_forecasts: MakeForecasts) -> None:
    """Equal forecasts differ by zero; true quantiles beat wide ones on the forecasts of both."""
    true, wide = make_forecasts(24 * 20), make_forecasts(24 * 20, width=1.6)
    same = compare(true, true)
    assert (same.difference, same.interval) == (0.0, (0.0, 0.0))
    better = compare(true, wide.iloc[:-24])
    assert better.forecasts == len(wide) - 24
    assert better.interval is not None
    assert better.interval[0] < better.difference < better.interval[1] < 0


def test_stablecoins_are_left_out_of_the_overall_score(make_forecasts: MakeForecasts) -> None:
    """A coin that hardly moves has a score of its own and does not enter the pooled ones."""
    liquid = make_forecasts(100, ("bitcoin",))
    stable = make_forecasts(100, ("tether",), sigma=1e-5, width=9.0)
    joint, alone = evaluate(pd.concat([liquid, stable], ignore_index=True)), evaluate(liquid)
    assert joint.block.excluded_stable_coins == ("tether",)
    assert joint.block.overall == alone.block.overall
    assert joint.reliability == alone.reliability
    assert joint.by_regime == alone.by_regime
    assert (joint.block.by_coin["tether"].relative_pinball or 0) > 2


@pytest.mark.parametrize("origins", [1, 2, 7, 30])
def test_few_forecasts_give_finite_scores(make_forecasts: MakeForecasts, origins: int) -> None:
    """A handful of forecasts gives an evaluation without NaN."""
    found = evaluate(make_forecasts(origins))
    assert math.isfinite(found.block.overall.relative_pinball or math.nan)
    assert all(math.isfinite(value) for value in found.reliability.values())
    assert all(math.isfinite(value) for value in found.interval or ())


def test_forecasts_without_outcomes_cannot_be_evaluated(make_forecasts: MakeForecasts) -> None:
    """Without any outcome the evaluation is refused with a reason."""
    frame = make_forecasts(5).assign(price_actual=np.nan)
    with refusal(BadInput, match="nenhuma previsão"):
        evaluate(frame)
    with refusal(BadInput, match="em comum"):
        compare(make_forecasts(5), make_forecasts(5, ("other",)))
