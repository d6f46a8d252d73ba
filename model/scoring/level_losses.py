"""Brier scores of two probabilities for a level: that the price ends beyond it, and that it touches it on the way."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.answers.distribution import ending_above
from core.answers.touch import touching
from core.forecast_schema import INTERVALS, QUANTILE_COLUMNS
from etl.arrays import FloatArray

__all__ = ["level_terms", "naive_deviation"]

_LOW, _HIGH = (QUANTILE_COLUMNS.index(column) for column in INTERVALS[80])
_DEVIATIONS_80: Final = 1.2816
"""Half-width of the central 80 % interval of a normal distribution, in standard deviations."""


def naive_deviation(naive: FloatArray) -> FloatArray:
    """Standard deviation of the log move (n,) that the naive benchmark's price quantiles (n, 9) imply.

    It is that of a normal distribution with the same 80 % interval.
    """
    return np.asarray(np.log(naive[:, _HIGH] / naive[:, _LOW]) / 2 / _DEVIATIONS_80)


def level_terms(
    *,
    price_origin: FloatArray,
    quantiles: FloatArray,
    naive: FloatArray,
    reach: FloatArray,
    actual: FloatArray,
    high: FloatArray,
    low: FloatArray,
) -> dict[str, FloatArray]:
    """The sums from `levels` to `touch_brier` of SCORE_SUMS for n forecasts; 0 without a reach or a naive deviation.

    The arguments are those of `model.scoring.losses.loss_terms`.
    """
    deviation = naive_deviation(naive)
    judged = np.isfinite(reach).all(axis=1) & (deviation > 0)
    terms = {name: np.zeros(len(judged)) for name in ("beyond", "beyond_brier", "touched", "touch_brier")}
    price, distance = price_origin[judged], deviation[judged]
    log_quantiles = np.log(quantiles[judged] / price[:, None])
    end, rise, fall = (np.log(prices[judged] / price) for prices in (actual, high, low))
    touch = touching(reach[judged], distance)
    for ends, way, ahead in ((end, rise, log_quantiles), (-end, -fall, -log_quantiles[:, ::-1])):
        beyond, touched = ends > distance, np.fmax(way, ends) >= distance
        terms["beyond"][judged] += 0.5 * beyond
        terms["beyond_brier"][judged] += 0.5 * (ending_above(ahead, distance) - beyond) ** 2
        terms["touched"][judged] += 0.5 * touched
        terms["touch_brier"][judged] += 0.5 * (touch - touched) ** 2
    return {"levels": judged.astype(np.float64), **terms}
