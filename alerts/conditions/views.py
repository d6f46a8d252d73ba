"""What the conditions see: new prices, forecasts, and the suite, as columns over subjects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from core.answers.curves import FloatArray

__all__ = ["CoverageView", "ForecastView", "Places", "PriceView", "ProcessView", "SuiteView", "Times", "View"]

Times = npt.NDArray[np.int64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """What was seen of n subjects.

    Attributes:
        places: (n,) of the subjects among all, without repetitions.
        at_ms: (n,) event times in UTC milliseconds.
    """

    places: Places
    at_ms: Times


@dataclass(frozen=True)
class PriceView(View):
    """At most one new price for each coin.

    Attributes:
        price: (n,).
        before: span in milliseconds → price (n,) so long before; NaN without one.
        hour_origin: (n,) price at the origin of the forecast made an hour before; NaN without one.
        hour_quantiles: (n, 9) prices that it gave for one hour ahead.
    """

    price: FloatArray
    before: Mapping[int, FloatArray] = field(default_factory=dict)
    hour_origin: FloatArray | None = None
    hour_quantiles: FloatArray | None = None


@dataclass(frozen=True)
class ForecastView(View):
    """The newest forecast of each coin; `at_ms` is its origin.

    Attributes:
        price: (n,) at the origin.
        log_quantiles: (n, 12, 9) log(quantile / price at the origin).
        reach: (n, 12, 7); NaN when unknown.
        expected_move, band_80: (n,) of the next hour, as fractions of the price.
        activity_percentile: (n,); NaN when unknown.
    """

    price: FloatArray
    log_quantiles: FloatArray
    reach: FloatArray
    expected_move: FloatArray
    band_80: FloatArray
    activity_percentile: FloatArray


@dataclass(frozen=True)
class CoverageView(View):
    """Scores of the last day of each coin, and of all together as the last subject.

    Attributes:
        coverage: (n,) percent of the outcomes within the 80 % interval; NaN with too few.
        forecasts: (n,) their number.
    """

    coverage: FloatArray
    forecasts: FloatArray


@dataclass(frozen=True)
class ProcessView(View):
    """The processes of the suite.

    Attributes:
        silent_ms: (n,) since the last sign of life; 0 of a live process, NaN where there never was one.
        restarted_ms: (n,) since run_all.py started it again; NaN if it never did.
        is_needed: (n,) whether the suite needs it.
    """

    silent_ms: FloatArray
    restarted_ms: FloatArray
    is_needed: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SuiteView(View):
    """The suite as a whole, one subject: arrays (1,), NaN where unknown.

    Attributes:
        price_age_ms: of the newest price of all.
        free_gb: on the disk of the data folder.
        calls_left_percent: of the month's calls to CoinGecko.
        calls_left: their number.
    """

    price_age_ms: FloatArray
    free_gb: FloatArray
    calls_left_percent: FloatArray
    calls_left: FloatArray
