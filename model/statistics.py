"""How far the evidence reaches: intervals from resampled days."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["DRAWS", "daily_sums", "mean_ratio", "ratio_difference_interval", "ratio_interval"]

DRAWS: Final = 2000
_BLOCK_DAYS: Final = 3
_LEVELS: Final = (2.5, 97.5)

FloatArray = npt.NDArray[np.float64]


def daily_sums(losses: pd.DataFrame, column: str) -> pd.DataFrame:
    """Sums of a column of `model.losses.losses`: one row per UTC day of the origin, one column per coin."""
    day = losses["origin"].dt.floor("D").rename("day")
    summed = losses.groupby([day, "coin"], observed=True)[column].sum().reset_index()
    return summed.pivot_table(index="day", columns="coin", values=column, fill_value=0.0, aggfunc="sum", observed=True)


def mean_ratio(own: FloatArray, rival: FloatArray) -> float:
    """Mean over the coins of (`own` / `rival`), both (coins,); NaN where no rival has lost anything."""
    return float(_ratios(own[None], rival[None])[0])


def ratio_interval(own: FloatArray, rival: FloatArray, seed: int = 0) -> tuple[float, float] | None:
    """95 % interval of the mean over coins of (sum of `own` / sum of `rival`), from resampled days.

    Args:
        own: losses (days, coins), summed by day.
        rival: those of the rival, in the same places.
        seed: of the resampling.

    Returns:
        Low and high, or None with fewer than two days. Days are drawn in runs of three, around the end to the
        beginning, because one day's volatility lasts into the next.

    Source: Politis and Romano (1992), "A circular block-resampling procedure for stationary data".
    """
    weights = _day_weights(len(own), seed)
    return None if weights is None else _interval(_ratios(weights @ own, weights @ rival))


def ratio_difference_interval(
    own: FloatArray, other: FloatArray, rival: FloatArray, seed: int = 0
) -> tuple[float, float] | None:
    """95 % interval of (ratio of `own` to `rival`) − (ratio of `other` to `rival`), both on the same resampled days.

    Below zero all along, `own` is better than `other`. Arguments and method as in `ratio_interval`.
    """
    weights = _day_weights(len(own), seed)
    if weights is None:
        return None
    return _interval(_ratios(weights @ own, weights @ rival) - _ratios(weights @ other, weights @ rival))


def _day_weights(days: int, seed: int) -> FloatArray | None:
    """How often each day is drawn, (DRAWS, days)."""
    if days < 2:
        return None
    length = min(_BLOCK_DAYS, days - 1)
    blocks = -(-days // length)
    starts = np.random.default_rng(seed).integers(0, days, (DRAWS, blocks))
    chosen = ((starts[..., None] + np.arange(length)) % days).reshape(DRAWS, -1)[:, :days]
    weights = np.zeros((DRAWS, days))
    np.add.at(weights, (np.arange(DRAWS)[:, None], chosen), 1.0)
    return weights


def _ratios(own: FloatArray, rival: FloatArray) -> FloatArray:
    """Mean over the coins (columns) whose rival has lost anything; NaN for a draw without any such coin."""
    has_rival = rival > 0
    ratio = np.divide(own, rival, out=np.zeros_like(own), where=has_rival)
    count = has_rival.sum(axis=1)
    return np.asarray(np.where(count > 0, ratio.sum(axis=1) / np.maximum(count, 1), np.nan))


def _interval(draws: FloatArray) -> tuple[float, float] | None:
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return None
    low, high = np.percentile(draws, _LEVELS)
    return float(low), float(high)
