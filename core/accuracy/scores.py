"""Scores: sums of losses by coin, hour and horizon are published, and added up for display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from core.accuracy.significance import better_p_value, mean_margin, wilson_interval
from core.times import DAY_MS, HOUR_MS, to_datetime

__all__ = ["SCORE_SCHEMA", "SCORE_SUMS", "STABLE_MOVE", "Metrics", "MetricsBlock", "Score", "add_up", "summarise"]

SCORE_SUMS: Final = (
    "n",
    "pinball",
    "pinball_naive",
    "abs_error",
    "abs_error_naive",
    "inside_50",
    "inside_80",
    "inside_90",
    "inside_95",
    "width_80",
    "winkler_80",
    "winkler_80_naive",
    "brier",
    "moved",
    "hits",
    "rises",
    "forest",
    "levels",
    "beyond",
    "beyond_brier",
    "touched",
    "touch_brier",
)
"""Sums over the forecasts of a cell. Losses and widths are in simple returns (price / price at the origin − 1).

n: forecasts. pinball: mean over the nine quantiles of the pinball loss. abs_error: |mean − outcome|.
inside_X: outcomes within the central X % interval, its ends included. width_80, winkler_80: width and Winkler score of
the 80 % interval. brier: (p_up − 1)² where the price rose, p_up² where it fell or stayed.
moved: forecasts with a direction (p_up other than 1/2) whose price moved; the others are ties.
hits: forecasts among them with the right direction. rises: those whose price rose.
forest: forecasts made by the model; published files since version 0.1.0 name the column so.
levels: forecasts judged by two levels, the price at the origin times e^±s, where s is one standard deviation of the
naive benchmark. beyond, touched: share of the two beyond which the price ended, and that it touched on the way.
beyond_brier, touch_brier: mean over the two of (stated probability − 1 if it happened, 0 if not)².
…_naive: the same for the naive benchmark "the price stays", with quantiles of recent returns.
Files of version 0.1.0 lack the sums from `levels` on: they count as 0.
"""

STABLE_MOVE: Final = 0.0004
"""Coins that move less than 0.04 % on average count as stablecoins; pooled scores exclude them."""

SCORE_SCHEMA: Final = pa.schema(
    [
        ("coin", pa.string()),
        ("hour", pa.timestamp("ms", tz="UTC")),
        ("horizon_min", pa.int16()),
        *((name, pa.float64()) for name in SCORE_SUMS),
    ]
)
"""One row per coin, hour of the origin and horizon (a cell); several rows of one cell are added."""


_KEYS: Final = ("coin", "hour", "horizon_min")
_HOURLY: Final = ("n", "moved", "gain")
_Sums = Mapping[str, float]


@dataclass(frozen=True)
class Score:
    """Scores of a set of forecasts with outcomes; ratios below 1 are better than the naive benchmark.

    Attributes:
        forecasts: their number; `hours`: number of hours with origins, from `start_ms` to `end_ms`.
        relative_pinball: mean over the coins of (pinball loss / that of the naive benchmark); `skill` is 1 minus it.
        coverage: percent of a central interval → share of outcomes inside it.
        width_80_percent: mean width of the 80 % interval in percent of the price.
        winkler_ratio, mae_ratio: mean over the coins of the ratio to the naive benchmark.
        mae_percent: mean absolute error of the expected price in percent of the price.
        hit_rate: share of right directions without ties; `hit_low`, `hit_high`: its 95 % interval, in which each hour
            counts as one trial, because the forecasts of an hour are not independent.
        brier: mean squared error of the probability of a rise; 0.25 is a coin toss.
        better_p_value: one-sided p-value of "not better than the naive benchmark".
        skill_margin: half the width of the 95 % interval of `skill`; None where the p-value is.
        model_share: share of forecasts made by the model; the others are the baseline's.
        ties: forecasts without a direction or without a move; `rise_share`: hit rate of "always up".
        beyond_brier, touch_brier: mean squared error of the probabilities of ending beyond a level and of touching it,
            one standard deviation of the naive benchmark above and below the price.
        beyond_brier_constant, touch_brier_constant: those of always stating the coin's own share, known afterwards.
    """

    forecasts: int
    hours: int
    start_ms: int
    end_ms: int
    relative_pinball: float | None
    skill: float | None
    coverage: Mapping[int, float]
    width_80_percent: float | None
    winkler_ratio: float | None
    mae_percent: float | None
    mae_ratio: float | None
    hit_rate: float | None
    hit_low: float | None
    hit_high: float | None
    brier: float | None
    better_p_value: float | None
    model_share: float
    ties: int = 0
    rise_share: float | None = None
    beyond_brier: float | None = None
    beyond_brier_constant: float | None = None
    touch_brier: float | None = None
    touch_brier_constant: float | None = None
    skill_margin: float | None = None


@dataclass(frozen=True)
class MetricsBlock:
    """Scores of one kind of evidence (live or backtest): overall, by horizon, coin, day and hour of the day in UTC.

    The `excluded_stable_coins` hardly move by design: they count in `by_coin` only, unless there are no others.
    """

    overall: Score
    by_horizon: Mapping[int, Score] = field(default_factory=dict)
    by_coin: Mapping[str, Score] = field(default_factory=dict)
    by_day: Mapping[str, Score] = field(default_factory=dict)
    by_hour_of_day: Mapping[int, Score] = field(default_factory=dict)
    excluded_stable_coins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Metrics:
    """Live scores and scores of a backtest, never mixed; None if nothing was scored yet."""

    live: MetricsBlock | None
    backtest: MetricsBlock | None


def add_up(table: pa.Table) -> pa.Table:
    """Add up rows of SCORE_SCHEMA to one row per cell, sorted by coin, hour and horizon."""
    summed = _sum_by(_complete(table), _KEYS, SCORE_SUMS)
    return summed.select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA).sort_by([(key, "ascending") for key in _KEYS])


def summarise(table: pa.Table, excluded_stable_coins: Sequence[str] | None = None) -> MetricsBlock | None:
    """Compute scores from rows of SCORE_SCHEMA; None for an empty table.

    Args:
        table: rows in any order; a cell may have several.
        excluded_stable_coins: coins that count in `by_coin` only; by default those below `STABLE_MOVE`.
    """
    if not table.num_rows:
        return None
    cells = _with_gain(_complete(table))
    days = _sum_by(cells, ["coin", "day", "horizon_min"], SCORE_SUMS)
    clock = _sum_by(cells, ["coin", "hour_of_day"], SCORE_SUMS)
    excluded = _stable_coins(days) if excluded_stable_coins is None else tuple(excluded_stable_coins)
    hours = _sum_by(_without(cells, excluded), ["all", "day", "hour", "hour_of_day", "horizon_min"], _HOURLY)
    liquid = _without(days.append_column("all", pa.repeat(0, days.num_rows)), excluded)
    by_day = _scores(liquid, hours, "day")
    return MetricsBlock(
        overall=_scores(liquid, hours, "all")[0],
        by_horizon=_scores(liquid, hours, "horizon_min"),
        by_coin=_scores(days, _sum_by(cells, ["coin", "hour"], _HOURLY), "coin"),
        by_day={f"{to_datetime(day * DAY_MS):%Y-%m-%d}": score for day, score in by_day.items()},
        by_hour_of_day=_scores(_without(clock, excluded), hours, "hour_of_day"),
        excluded_stable_coins=excluded,
    )


def _complete(table: pa.Table) -> pa.Table:
    """The table with every sum; those that an earlier version did not write are 0."""
    whole = pa.concat_tables([SCORE_SCHEMA.empty_table(), table], promote_options="default")
    for name in SCORE_SUMS:
        whole = whole.set_column(whole.schema.get_field_index(name), name, pc.fill_null(whole[name], 0.0))
    return whole


def _sum_by(table: pa.Table, keys: Sequence[str], sums: Sequence[str]) -> pa.Table:
    """Sum by keys, in one thread, so that the same rows in the same order give the same bits."""
    grouped = table.group_by(list(dict.fromkeys(keys)), use_threads=False)
    summed = grouped.aggregate([(name, "sum") for name in sums])
    return summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])


def _with_gain(table: pa.Table) -> pa.Table:
    """Add the day, and the loss difference in units of the coin's naive loss, so that coins weigh the same."""
    coins = _sum_by(table, ["coin"], ["n", "pinball_naive"])
    scales = [row["n"] / row["pinball_naive"] if row["pinball_naive"] > 0 else 0.0 for row in coins.to_pylist()]
    place = pc.index_in(table["coin"], coins["coin"].combine_chunks())
    gain = pc.multiply(pc.subtract(table["pinball"], table["pinball_naive"]), pc.take(pa.array(scales), place))
    hour = table["hour"].cast(pa.int64())
    day = pc.divide(hour, DAY_MS)
    added = {"hour": hour, "day": day, "gain": gain, "all": pa.repeat(0, table.num_rows)}
    added["hour_of_day"] = pc.divide(pc.subtract(hour, pc.multiply(day, DAY_MS)), HOUR_MS)
    kept = {name: table[name] for name in table.column_names if name != "hour"}
    return pa.table(kept | {"coin": table["coin"].dictionary_encode()} | added)


def _without(table: pa.Table, coins: Sequence[str]) -> pa.Table:
    """The rows of other coins, or all rows if there are no others."""
    if not coins:
        return table
    others = table.filter(pc.invert(pc.is_in(table["coin"], pa.array(coins, pa.string()))))
    return others if others.num_rows else table


def _stable_coins(sums: pa.Table) -> tuple[str, ...]:
    """The coins below `STABLE_MOVE`; empty if all are."""
    rows = _sum_by(sums, ["coin"], ["n", "abs_error_naive"]).to_pylist()
    stable = sorted(row["coin"] for row in rows if row["abs_error_naive"] < STABLE_MOVE * row["n"])
    return tuple(stable) if len(stable) < len(rows) else ()


def _scores(sums: pa.Table, hourly: pa.Table, key: str) -> dict[Any, Score]:
    """Score by value of `key`, in increasing order of the values."""
    coins: dict[Any, list[_Sums]] = {}
    for row in _sum_by(sums, [key, "coin"], SCORE_SUMS).to_pylist():
        coins.setdefault(row[key], []).append(row)
    hours: dict[Any, list[_Sums]] = {}
    for row in _sum_by(hourly, [key, "hour"], _HOURLY).sort_by("hour").to_pylist():
        hours.setdefault(row[key], []).append(row)
    return {value: _score(coins[value], hours[value]) for value in sorted(coins)}


def _score(coins: Sequence[_Sums], hours: Sequence[_Sums]) -> Score:
    """Compute one score from the sums by coin and the sums by hour, in order of time."""
    total = {name: sum(coin[name] for coin in coins) for name in SCORE_SUMS}
    n, moved = total["n"], total["moved"]
    hit_rate = total["hits"] / moved if moved else None
    trials = sum(hour["moved"] > 0 for hour in hours)
    interval = None if hit_rate is None else wilson_interval(hit_rate * trials, trials)
    relative = _mean_ratio(coins, "pinball")
    gains = [hour["gain"] / hour["n"] for hour in hours]
    return Score(
        forecasts=round(n),
        hours=len(hours),
        start_ms=int(hours[0]["hour"]),
        end_ms=int(hours[-1]["hour"]) + HOUR_MS,
        relative_pinball=relative,
        skill=None if relative is None else 1 - relative,
        coverage={percent: total[f"inside_{percent}"] / n for percent in (50, 80, 90, 95)},
        width_80_percent=100 * total["width_80"] / n,
        winkler_ratio=_mean_ratio(coins, "winkler_80"),
        mae_percent=100 * total["abs_error"] / n,
        mae_ratio=_mean_ratio(coins, "abs_error"),
        hit_rate=hit_rate,
        hit_low=interval[0] if interval else None,
        hit_high=interval[1] if interval else None,
        brier=total["brier"] / n,
        better_p_value=better_p_value(gains),
        model_share=total["forest"] / n,
        ties=round(n - moved),
        rise_share=total["rises"] / moved if moved else None,
        beyond_brier=_per_level(coins, "beyond_brier"),
        beyond_brier_constant=_constant_brier(coins, "beyond"),
        touch_brier=_per_level(coins, "touch_brier"),
        touch_brier_constant=_constant_brier(coins, "touched"),
        skill_margin=mean_margin(gains),
    )


def _per_level(coins: Sequence[_Sums], name: str) -> float | None:
    """Mean over the forecasts judged by levels; None without any."""
    levels = sum(coin["levels"] for coin in coins)
    return sum(coin[name] for coin in coins) / levels if levels else None


def _constant_brier(coins: Sequence[_Sums], name: str) -> float | None:
    """Mean squared error of stating, for each coin, the share of levels for which it happened: share x (1 - share)."""
    known = [(coin[name] / coin["levels"], coin["levels"]) for coin in coins if coin["levels"]]
    levels = sum(count for _, count in known)
    return sum(count * share * (1 - share) for share, count in known) / levels if levels else None


def _mean_ratio(coins: Sequence[_Sums], name: str) -> float | None:
    """Mean over the coins of loss / naive loss, without coins whose price never moved."""
    ratios = [coin[name] / coin[f"{name}_naive"] for coin in coins if coin[f"{name}_naive"] > 0]
    return sum(ratios) / len(ratios) if ratios else None
