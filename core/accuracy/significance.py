"""Uncertainty of scores: Wilson's interval and the Diebold-Mariano test, in plain Python."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

__all__ = [
    "MINIMUM_LENGTH",
    "MeanTest",
    "mean_test",
    "standard_error",
    "student_t_below",
    "student_t_quantile",
    "wilson_interval",
]

MINIMUM_LENGTH: Final = 24
"""Minimum number of hours (or days) for the Diebold-Mariano test; with fewer it rejects too often."""

_Z_95: Final = 1.959963984540054


def wilson_interval(successes: float, trials: float, z: float = _Z_95) -> tuple[float, float] | None:
    """Confidence interval of a share, 95 % by default; None without trials.

    Args:
        successes: may be a fraction.
        trials: number of independent trials; forecasts that share an outcome count once.
        z: quantile of the standard normal distribution.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    if trials <= 0:
        return None
    share = min(max(successes / trials, 0.0), 1.0)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    centre, scale = share + z * z / (2 * trials), 1 + z * z / trials
    return max((centre - spread) / scale, 0.0), min((centre + spread) / scale, 1.0)


def standard_error(values: Sequence[float]) -> tuple[float, int]:
    """Standard error of the mean of a time series, whose values may depend on each other.

    The long-run variance is the mean of the lowest `T ** (1/3)` ordinates of the periodogram, with twice as many
    degrees of freedom (fixed-smoothing asymptotics).

    Args:
        values: at least two, at equal steps in time.

    Returns:
        The standard error and its degrees of freedom of Student's t.

    Source: Coroneo and Iacone (2020), "Comparing predictive accuracy in small samples using fixed-smoothing
    asymptotics", section 2.
    """
    length = len(values)
    mean = math.fsum(values) / length
    centred = [value - mean for value in values]
    ordinates = math.floor(length ** (1 / 3) + 1e-9)
    variance = sum(_periodogram(centred, j) for j in range(1, ordinates + 1)) / ordinates
    return math.sqrt(variance / length), 2 * ordinates


class MeanTest(NamedTuple):
    """What a time series of differences says of their mean.

    Attributes:
        p_value: one-sided, of "on average not better than the rival"; a small value means better.
        margin: half the width of the 95 % confidence interval of the mean.
    """

    p_value: float
    margin: float


def mean_test(differences: Sequence[float]) -> MeanTest | None:
    """The Diebold-Mariano test of losses against a rival's.

    `standard_error` allows for forecasts that overlap from one step to the next and for slow changes of volatility.

    Args:
        differences: own loss minus the rival's at equal steps in time, each the mean over all forecasts of a step (an
            hour, a day), so that forecasts with a common outcome make one value.

    Returns:
        None with fewer than `MINIMUM_LENGTH` values or if they do not vary.

    Sources: Diebold and Mariano (1995), "Comparing predictive accuracy"; Coroneo and Iacone (2020).
    """
    if len(differences) < MINIMUM_LENGTH:
        return None
    error, degrees = standard_error(differences)
    if error <= 1e-12 * max(abs(difference) for difference in differences):
        return None
    p_value = student_t_below(math.fsum(differences) / len(differences) / error, degrees)
    return MeanTest(p_value, error * _t_97_5(degrees))


@lru_cache(maxsize=64)
def _t_97_5(even_degrees: int) -> float:
    return student_t_quantile(0.975, even_degrees)


def student_t_quantile(share: float, even_degrees: int) -> float:
    """Quantile of Student's t at probability `share`, by bisection."""
    low, high = -1e6, 1e6
    while high - low > 1e-9 * max(1.0, abs(low)):
        middle = (low + high) / 2
        low, high = (middle, high) if student_t_below(middle, even_degrees) < share else (low, middle)
    return (low + high) / 2


def student_t_below(t: float, even_degrees: int) -> float:
    """Distribution function of Student's t at `t`, for an even number of degrees of freedom.

    Source: Abramowitz and Stegun (1964), 26.7.4.
    """
    angle = math.atan(t / math.sqrt(even_degrees))
    square, term, total = math.cos(angle) ** 2, 1.0, 1.0
    for k in range(1, even_degrees // 2):
        term *= square * (2 * k - 1) / (2 * k)
        total += term
    return min(max(0.5 * (1 + math.sin(angle) * total), 0.0), 1.0)


def _periodogram(values: Sequence[float], cycles: int) -> float:
    """Ordinate of the periodogram at `cycles` per length of the series, in units of the variance."""
    cosine, sine = _waves(len(values), cycles)
    real: float = sum(map(operator.mul, values, cosine))
    imaginary: float = sum(map(operator.mul, values, sine))
    return (real * real + imaginary * imaginary) / len(values)


@lru_cache(maxsize=64)
def _waves(length: int, cycles: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Cosine and sine over `length` steps; cached, because all scores of a summary need the same few."""
    angles = [2 * math.pi * cycles * step / length for step in range(length)]
    return tuple(map(math.cos, angles)), tuple(map(math.sin, angles))
