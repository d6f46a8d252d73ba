"""Scores from published sums: each file is condensed once, and what was condensed is added up for display."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.accuracy.score_arrays import DailySums, FloatArray, HourlySums, Places, distinct, sums_by_place
from core.accuracy.scores import SCORE_SUMS, STABLE_MOVE, MetricsBlock, Score, complete_sums, sum_by
from core.accuracy.significance import MINIMUM_LENGTH, mean_test, wilson_interval
from core.forecast_schema import INTERVALS
from core.times import DAY_MS, HOUR_MS, to_datetime

__all__ = ["CondensedScores", "condense", "join_condensed", "summarise", "summarise_condensed"]

_Value = TypeVar("_Value")
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CondensedScores:
    """What scores need of rows of SCORE_SCHEMA; a tenth of their size.

    Attributes:
        daily: one row per coin, day and horizon, with every sum.
        clock: one row per coin and hour of the day in UTC, with every sum.
        hourly: at least one row per coin, hour and horizon: n, moved, and by how much the pinball loss exceeds the
            naive one.
    """

    daily: pa.Table
    clock: pa.Table
    hourly: pa.Table

    def of_coin(self, coin: str) -> CondensedScores:
        """The scores of one coin alone."""
        tables = (self.daily, self.clock, self.hourly)
        return CondensedScores(*(table.filter(pc.equal(table["coin"], coin)) for table in tables))


def condense(table: pa.Table) -> CondensedScores:
    """Add up rows of SCORE_SCHEMA in any order; a cell may have several."""
    rows = complete_sums(table)
    hour = rows["hour"].cast(pa.int64())
    named = {"coin": rows["coin"].dictionary_encode(), "hour": hour, "horizon_min": rows["horizon_min"]}
    day = pc.divide(hour, DAY_MS)
    sums = {name: rows[name] for name in SCORE_SUMS}
    daily = pa.table(named | {"day": day} | sums)
    hour_of_day = pc.divide(pc.subtract(hour, pc.multiply(day, DAY_MS)), HOUR_MS)
    clock = pa.table({"coin": named["coin"], "hour_of_day": hour_of_day} | sums)
    excess = pc.subtract(rows["pinball"], rows["pinball_naive"])
    hourly = pa.table(named | {"n": rows["n"], "moved": rows["moved"], "excess": excess})
    return CondensedScores(
        sum_by(daily, ("coin", "day", "horizon_min"), SCORE_SUMS),
        sum_by(clock, ("coin", "hour_of_day"), SCORE_SUMS),
        hourly,
    )


def join_condensed(parts: Sequence[CondensedScores]) -> CondensedScores:
    """Join the condensed scores of at least one part."""
    return CondensedScores(
        pa.concat_tables([part.daily for part in parts]).unify_dictionaries(),
        pa.concat_tables([part.clock for part in parts]).unify_dictionaries(),
        pa.concat_tables([part.hourly for part in parts]).unify_dictionaries(),
    )


def summarise(table: pa.Table, excluded_stable_coins: Sequence[str] | None = None) -> MetricsBlock | None:
    """Compute scores from rows of SCORE_SCHEMA; None for an empty table.

    Args:
        table: rows in any order; a cell may have several.
        excluded_stable_coins: coins that count in `by_coin` only; by default those below `STABLE_MOVE`.
    """
    return summarise_condensed(condense(table), excluded_stable_coins)


def summarise_condensed(
    scores: CondensedScores, excluded_stable_coins: Sequence[str] | None = None
) -> MetricsBlock | None:
    """Compute scores as `summarise` does."""
    if not scores.daily.num_rows:
        return None
    daily = DailySums.of(scores.daily)
    hourly = HourlySums.of(scores.hourly, _scales(daily))
    coins, no_group = daily.coins, np.zeros_like(daily.coin)
    excluded = _stable_coins(daily) if excluded_stable_coins is None else tuple(excluded_stable_coins)
    is_liquid = np.array([coin not in excluded for coin in coins])
    shown = is_liquid if is_liquid.any() else np.ones_like(is_liquid)
    by_coin_hours = hourly.by_coin()
    young = _young(by_coin_hours[0], shown)
    pooled, pooled_hours = daily.where(shown[daily.coin]), hourly.pooled(shown)
    days, day = np.unique(pooled.day, return_inverse=True)
    is_of_day = hourly.hours_ms // DAY_MS == days[:, None]
    horizons, horizon = np.unique(pooled.horizon, return_inverse=True)
    all_horizons = pooled_hours.sum(axis=1, keepdims=True)
    overall = _scores(pooled.by_coin(no_group[: len(pooled.coin)], 1), all_horizons, hourly.hours_ms, ~young)
    by_horizon = _scores(pooled.by_coin(horizon, len(horizons)), pooled_hours[:, horizons], hourly.hours_ms, ~young)
    by_coin = _scores(daily.by_group(daily.coin, len(coins)), by_coin_hours, hourly.hours_ms, np.ones(1, dtype=bool))
    by_day = _scores(pooled.by_coin(day, len(days)), all_horizons * is_of_day, hourly.hours_ms, ~young)
    return MetricsBlock(
        overall=overall[0],
        by_horizon=dict(zip(horizons.tolist(), by_horizon, strict=True)),
        by_coin=dict(zip(coins, by_coin, strict=True)),
        by_day={f"{to_datetime(int(day) * DAY_MS):%Y-%m-%d}": score for day, score in zip(days, by_day, strict=True)},
        by_hour_of_day=_by_hour_of_day(scores.clock, shown, ~young, all_horizons, hourly.hours_ms),
        excluded_stable_coins=excluded,
        young_coins=tuple(coins[place] for place in np.flatnonzero(young).tolist()),
    )


def _by_hour_of_day(
    clock: pa.Table, shown: _Mask, settled: _Mask, hourly: FloatArray, hours_ms: Places
) -> dict[int, Score]:
    """Scores of the shown coins together by hour of the day; `hourly` (3, 1, hours) is over all horizons."""
    _, coin = distinct(clock["coin"])
    chosen = shown[coin]
    hours, hour = np.unique(clock["hour_of_day"].to_numpy()[chosen], return_inverse=True)
    shape = (len(hours), len(shown))
    place = hour * shape[1] + coin[chosen]
    sums = {
        name: sums_by_place(place, clock[name].to_numpy()[chosen], shape[0] * shape[1]).reshape(shape)
        for name in SCORE_SUMS
    }
    is_of_hour = hours_ms % DAY_MS // HOUR_MS == hours[:, None]
    return dict(zip(hours.tolist(), _scores(sums, hourly * is_of_hour, hours_ms, settled), strict=True))


def _without_nan(values: FloatArray) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _scales(daily: DailySums) -> FloatArray:
    """What makes a difference in loss a share of the coin's mean naive loss (coins,), so that coins weigh the same."""
    n, naive = (np.bincount(daily.coin, daily.sums[name]) for name in ("n", "pinball_naive"))
    return np.divide(n, naive, out=np.zeros(len(n)), where=naive > 0)


def _stable_coins(daily: DailySums) -> tuple[str, ...]:
    """The coins below `STABLE_MOVE`; empty if all are."""
    n, moves = (np.bincount(daily.coin, daily.sums[name]) for name in ("n", "abs_error_naive"))
    stable = moves < STABLE_MOVE * n
    return () if stable.all() else tuple(daily.coins[place] for place in np.flatnonzero(stable))


def _young(forecasts: FloatArray, shown: _Mask) -> _Mask:
    """The shown coins (coins,) with forecasts (coins, hours) in fewer than `MINIMUM_LENGTH` hours; none if all are."""
    young = shown & ((forecasts > 0).sum(axis=1) < MINIMUM_LENGTH)
    return young if (young != shown).any() else np.zeros_like(young)


def _scores(sums: Mapping[str, FloatArray], hourly: FloatArray, hours_ms: Places, settled: _Mask) -> list[Score]:
    """Scores of g groups.

    Args:
        sums: each sum by group and coin (g, c).
        hourly: forecasts, those that moved, and gains by group and hour (3, g, h).
        hours_ms: the hours (h,), in order.
        settled: the coins (c,) that count in mean ratios.
    """
    total = {name: values.sum(axis=1) for name, values in sums.items()}
    means = {
        "relative_pinball": _mean_ratio(sums, "pinball", settled),
        "winkler_ratio": _mean_ratio(sums, "winkler_80", settled),
        "mae_ratio": _mean_ratio(sums, "abs_error", settled),
        "hit_rate": _share(total["hits"], total["moved"]),
        "rise_share": _share(total["rises"], total["moved"]),
        "beyond_brier": _share(total["beyond_brier"], total["levels"]),
        "touch_brier": _share(total["touch_brier"], total["levels"]),
        "beyond_brier_constant": _constant_brier(sums, "beyond"),
        "touch_brier_constant": _constant_brier(sums, "touched"),
    }
    totals = _rows({name: values.tolist() for name, values in total.items()})
    known = _rows({name: _without_nan(values) for name, values in means.items()})
    return [_score(totals[group], known[group], hourly[:, group], hours_ms) for group in range(hourly.shape[1])]


def _rows(columns: Mapping[str, Sequence[_Value]]) -> list[dict[str, _Value]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _score(
    total: Mapping[str, float], means: Mapping[str, float | None], hourly: FloatArray, hours_ms: Places
) -> Score:
    n = total["n"]
    known = np.flatnonzero(hourly[0])
    forecasts, moved, gain = hourly[:, known]
    hit_rate, relative, trials = means["hit_rate"], means["relative_pinball"], int((moved > 0).sum())
    interval = None if hit_rate is None else wilson_interval(hit_rate * trials, trials)
    tested = mean_test((gain / forecasts).tolist())
    return Score(
        forecasts=round(n),
        hours=len(known),
        start_ms=int(hours_ms[known[0]]),
        end_ms=int(hours_ms[known[-1]]) + HOUR_MS,
        skill=None if relative is None else 1 - relative,
        coverage={percent: total[f"inside_{percent}"] / n for percent in INTERVALS},
        width_80_percent=100 * total["width_80"] / n,
        mae_percent=100 * total["abs_error"] / n,
        hit_low=interval[0] if interval else None,
        hit_high=interval[1] if interval else None,
        brier=total["brier"] / n,
        better_p_value=tested.p_value if tested else None,
        model_share=total["forest"] / n,
        ties=round(n - total["moved"]),
        skill_margin=tested.margin if tested else None,
        **means,
    )


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """The ratio; NaN where the whole is 0."""
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def _mean_ratio(sums: Mapping[str, FloatArray], name: str, settled: _Mask) -> FloatArray:
    """Mean over the coins of loss / naive loss (g,), without coins whose price never moved; NaN without any.

    A group without a settled coin (c,) has the mean of the others.
    """
    ratios = _share(sums[name], sums[f"{name}_naive"])
    known = ~np.isnan(ratios)
    counted = np.where((known & settled).any(axis=1, keepdims=True), known & settled, known)
    return _share(np.where(counted, ratios, 0.0).sum(axis=1), counted.sum(axis=1).astype(np.float64))


def _constant_brier(sums: Mapping[str, FloatArray], name: str) -> FloatArray:
    """Mean squared error (g,) of stating, for each coin, the share of levels for which it happened; NaN without any.

    That error is share x (1 - share).
    """
    share = np.nan_to_num(_share(sums[name], sums["levels"]))
    return _share((sums["levels"] * share * (1 - share)).sum(axis=1), sums["levels"].sum(axis=1))
