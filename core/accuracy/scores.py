"""Scores: sums of losses by coin, hour and horizon are published; `core.accuracy.summary` adds them up for display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from core.times import HOUR_MS

__all__ = [
    "SCORE_SCHEMA",
    "SCORE_SUMS",
    "STABLE_MOVE",
    "Metrics",
    "MetricsBlock",
    "Score",
    "add_up",
    "complete_sums",
    "hours_before",
    "sum_by",
    "trimmed",
]

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


@dataclass(frozen=True)
class Score:
    """Scores of a set of forecasts with outcomes; ratios below 1 are better than the naive benchmark.

    Attributes:
        forecasts: their number; `hours`: number of hours with origins.
        start_ms, end_ms: beginning of the first hour with origins, end of the last one; `trimmed` moves them inwards.
        relative_pinball: mean over the coins of (pinball loss / that of the naive benchmark), without the young ones of
            `MetricsBlock`; `skill` is 1 minus it.
        coverage: percent of a central interval → share of outcomes inside it.
        width_80_percent: mean width of the 80 % interval in percent of the price.
        winkler_ratio, mae_ratio: mean over the same coins of the ratio to the naive benchmark.
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
    The `young_coins` have less than a day of hours: in a mean over the coins they would weigh as much as others with
    months, so that they do not count there, unless a score has no others.
    """

    overall: Score
    by_horizon: Mapping[int, Score] = field(default_factory=dict)
    by_coin: Mapping[str, Score] = field(default_factory=dict)
    by_day: Mapping[str, Score] = field(default_factory=dict)
    by_hour_of_day: Mapping[int, Score] = field(default_factory=dict)
    excluded_stable_coins: tuple[str, ...] = ()
    young_coins: tuple[str, ...] = ()


def trimmed(block: MetricsBlock, first_ms: int, last_ms: int) -> MetricsBlock:
    """The block with spans that begin at the first origin, where it lies in their first hour, and end by `last_ms`.

    Args:
        block: scores whose spans are whole hours.
        first_ms: the first origin that may be scored.
        last_ms: when the scores were published; no outcome is later.
    """

    def trim(score: Score) -> Score:
        begins_later = score.start_ms < first_ms < min(score.start_ms + HOUR_MS, last_ms)
        start_ms = first_ms if begins_later else score.start_ms
        return replace(score, start_ms=start_ms, end_ms=max(start_ms, min(score.end_ms, last_ms)))

    return replace(
        block,
        overall=trim(block.overall),
        by_horizon={minutes: trim(score) for minutes, score in block.by_horizon.items()},
        by_coin={coin: trim(score) for coin, score in block.by_coin.items()},
        by_day={day: trim(score) for day, score in block.by_day.items()},
        by_hour_of_day={hour: trim(score) for hour, score in block.by_hour_of_day.items()},
    )


@dataclass(frozen=True)
class Metrics:
    """Live scores and scores of a backtest, never mixed; None if nothing was scored yet."""

    live: MetricsBlock | None
    backtest: MetricsBlock | None


def add_up(table: pa.Table) -> pa.Table:
    """Add up rows of SCORE_SCHEMA to one row per cell, sorted by coin, hour and horizon."""
    summed = sum_by(complete_sums(table), _KEYS, SCORE_SUMS)
    return summed.select(SCORE_SCHEMA.names).cast(SCORE_SCHEMA).sort_by([(key, "ascending") for key in _KEYS])


def hours_before(table: pa.Table, moment_ms: int) -> pa.Table:
    """The rows of SCORE_SCHEMA whose whole hour lies before a time."""
    return table.filter(pc.less_equal(table["hour"].cast(pa.int64()), moment_ms - HOUR_MS))


def complete_sums(table: pa.Table) -> pa.Table:
    """The table with every sum; those that an earlier version did not write are 0."""
    whole = pa.concat_tables([SCORE_SCHEMA.empty_table(), table], promote_options="default")
    for name in SCORE_SUMS:
        whole = whole.set_column(whole.schema.get_field_index(name), name, pc.fill_null(whole[name], 0.0))
    return whole


def sum_by(table: pa.Table, keys: Sequence[str], sums: Sequence[str]) -> pa.Table:
    """Sum by keys, in one thread, so that the same rows in the same order give the same bits."""
    grouped = table.group_by(list(dict.fromkeys(keys)), use_threads=False)
    summed = grouped.aggregate([(name, "sum") for name in sums])
    return summed.rename_columns([name.removesuffix("_sum") for name in summed.column_names])
