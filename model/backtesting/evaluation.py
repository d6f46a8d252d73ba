"""Evaluates the forecasts of a backtest: by coin, horizon, regime and week, with their calibration."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accuracy.scores import MetricsBlock, Score
from core.accuracy.summary import summarise
from core.errors import BadInput
from core.forecast_schema import QUANTILE_COLUMNS, QUANTILES
from core.wording import message
from etl.arrays import FloatArray
from model.backtesting.loss_frames import FORECAST_KEY, losses, score_rows
from model.backtesting.ratio_intervals import daily_sums, mean_ratio, ratio_difference_interval, ratio_interval
from model.scoring.losses import NAIVE_COLUMNS

__all__ = ["REGIMES", "Difference", "Evaluation", "compare", "evaluate", "regimes", "reliability", "with_benchmark"]

REGIMES: Final = ("calm", "normal", "agitated")
"""Terciles of each coin's own volatility over the day before the origin."""

_KEYS: Final = list(FORECAST_KEY)
_DAY: Final = pd.Timedelta(days=1)
_MIN_MOVES: Final = 6


@dataclass(frozen=True)
class Evaluation:
    """Scores of one set of forecasts against the naive benchmark "the price stays".

    Attributes:
        block: overall, by horizon, by coin and by day, and the names of the stablecoins left out.
        interval: 95 % interval of the overall relative pinball loss, by days; None with fewer than five days.
        by_regime: REGIMES → score.
        by_week: ISO week → score.
        grid: coin → horizon → relative pinball loss.
        reliability: nominal level of each quantile → share of outcomes below it, half of those on it.
        reliability_by_horizon: the same for each horizon.
        unknown: forecasts without an outcome or a benchmark, not scored.
    """

    block: MetricsBlock
    interval: tuple[float, float] | None
    by_regime: Mapping[str, Score]
    by_week: Mapping[str, Score]
    grid: Mapping[str, Mapping[int, float | None]]
    reliability: Mapping[float, float]
    reliability_by_horizon: Mapping[int, Mapping[float, float]]
    unknown: int


@dataclass(frozen=True)
class Difference:
    """Relative pinball loss of one set of forecasts minus that of another, on the forecasts both made."""

    own: float
    other: float
    difference: float
    interval: tuple[float, float] | None
    forecasts: int


def with_benchmark(forecasts: pd.DataFrame, benchmark: pd.DataFrame) -> pd.DataFrame:
    """`forecasts` with NAIVE_COLUMNS: the quantiles of `benchmark` at the same coin, origin and horizon."""
    naive = benchmark[[*_KEYS, *QUANTILE_COLUMNS]].set_axis([*_KEYS, *NAIVE_COLUMNS], axis=1)
    return forecasts.merge(naive, on=_KEYS, how="left", validate="one_to_one")


def evaluate(frame: pd.DataFrame) -> Evaluation:
    """Score forecasts whose outcomes are known.

    Args:
        frame: one row per coin, origin (UTC) and horizon with the columns of the forecast contract, `price_actual`
            (NaN where unknown) and the benchmark's quantiles in `model.scoring.losses.NAIVE_COLUMNS`.

    Raises:
        BadInput: a column is missing, or no forecast has an outcome.
    """
    lost = losses(frame)
    block = summarise(score_rows(lost))
    if block is None:
        raise BadInput(message("backtest.no_outcome"))
    liquid = lost[~lost["coin"].isin(block.excluded_stable_coins)]
    known = frame.loc[liquid.index]
    settled = liquid[~liquid["coin"].isin(block.young_coins)]
    own, naive = daily_sums(settled, "pinball"), daily_sums(settled, "pinball_naive")
    day = liquid["origin"].dt.floor("D")
    week = day.map({date: f"{date:%G-W%V}" for date in day.unique()})
    by_horizon = {horizon: reliability(part) for horizon, part in _groups(known, known["horizon_min"])}
    return Evaluation(
        block=block,
        interval=ratio_interval(own.to_numpy(), naive.to_numpy()),
        by_regime=_scores(liquid, regimes(frame).loc[liquid.index], REGIMES),
        by_week=_scores(liquid, week, sorted(set(week))),
        grid=_grid(lost),
        reliability=reliability(known),
        reliability_by_horizon={int(str(horizon)): curve for horizon, curve in sorted(by_horizon.items())},
        unknown=len(frame) - len(lost),
    )


def compare(own: pd.DataFrame, other: pd.DataFrame) -> Difference:
    """Compare two sets of forecasts on the coins, origins and horizons of both; below zero `own` is better.

    Args:
        own: forecasts as `evaluate` takes them; stablecoins are left out.
        other: the rival's, likewise.

    Raises:
        BadInput: a column is missing, or they have no forecast in common.
    """
    first, second = losses(own), losses(other)[[*_KEYS, "pinball"]]
    joint = first.merge(second, on=_KEYS, suffixes=("", "_other"), validate="one_to_one")
    block = summarise(score_rows(joint))
    if block is None:
        raise BadInput(message("backtest.nothing_shared"))
    liquid = joint[~joint["coin"].isin(block.excluded_stable_coins)]
    settled = liquid[~liquid["coin"].isin(block.young_coins)]
    mine, theirs, naive = (
        daily_sums(settled, name).to_numpy() for name in ("pinball", "pinball_other", "pinball_naive")
    )
    ratios = mean_ratio(mine.sum(axis=0), naive.sum(axis=0)), mean_ratio(theirs.sum(axis=0), naive.sum(axis=0))
    interval = ratio_difference_interval(mine, theirs, naive)
    return Difference(*ratios, ratios[0] - ratios[1], interval, len(liquid))


def regimes(frame: pd.DataFrame) -> pd.Series:
    """REGIMES of each row, from the moves between origins of the 24 hours before; None where they are too few.

    The volatility is the root of (sum of squared log moves / time between them), from `price_origin` alone, so that
    nothing after an origin enters its regime. The terciles are each coin's own, over the whole frame.
    """
    origins = frame[["coin", "origin", "price_origin"]].drop_duplicates(["coin", "origin"]).sort_values("origin")
    parts = [part.assign(regime=_terciles(_recent_volatility(part))) for _, part in _groups(origins, origins["coin"])]
    judged = pd.concat(parts) if parts else origins.assign(regime=None)
    merged = frame[["coin", "origin"]].merge(judged[["coin", "origin", "regime"]], on=["coin", "origin"], how="left")
    return pd.Series(merged["regime"].to_numpy(dtype=object), index=frame.index, dtype=object)


def reliability(frame: pd.DataFrame) -> dict[float, float]:
    """Nominal level of each quantile → share of known outcomes below it; those that equal it count half."""
    actual = frame["price_actual"].to_numpy(dtype=np.float64)[:, None]
    quantiles = frame[list(QUANTILE_COLUMNS)].to_numpy(dtype=np.float64)
    share = 0.5 * ((actual < quantiles).mean(axis=0) + (actual <= quantiles).mean(axis=0))
    return dict(zip(QUANTILES, share.tolist(), strict=True))


def _scores(lost: pd.DataFrame, label: pd.Series, order: Sequence[str]) -> dict[str, Score]:
    found = {}
    for value in order:
        block = summarise(score_rows(lost[label == value]), excluded_stable_coins=())
        if block is not None:
            found[value] = block.overall
    return found


def _grid(lost: pd.DataFrame) -> dict[str, dict[int, float | None]]:
    sums = lost.groupby(["coin", "horizon_min"], observed=True)[["pinball", "pinball_naive"]].sum().reset_index()
    grid: dict[str, dict[int, float | None]] = {}
    for coin, horizon, own, naive in sums.itertuples(index=False):
        grid.setdefault(coin, {})[int(horizon)] = own / naive if naive > 0 else None
    return grid


def _groups(frame: pd.DataFrame, label: pd.Series) -> list[tuple[Hashable, pd.DataFrame]]:
    return list(frame.groupby(label, observed=True, sort=True))


def _recent_volatility(origins: pd.DataFrame) -> FloatArray:
    """Volatility over the day before each origin of one coin, per root of a second; NaN with few moves."""
    indexed = origins.set_index("origin")
    log_price = np.log(indexed["price_origin"])
    seconds = log_price.index.to_series().diff().dt.total_seconds()
    near = seconds <= _DAY.total_seconds() / _MIN_MOVES
    square = (log_price.diff() ** 2).where(near).rolling(_DAY).sum()
    count = near.astype(float).rolling(_DAY).sum()
    rate = square / seconds.where(near).rolling(_DAY).sum()
    return np.asarray(rate.where(count >= _MIN_MOVES).to_numpy(dtype=np.float64) ** 0.5)


def _terciles(volatility: FloatArray) -> npt.NDArray[np.object_]:
    known = np.isfinite(volatility)
    names = np.full(len(volatility), None, dtype=object)
    if known.any():
        bounds = np.quantile(volatility[known], (1 / 3, 2 / 3))
        names[known] = np.array(REGIMES, dtype=object)[np.searchsorted(bounds, volatility[known])]
    return names
