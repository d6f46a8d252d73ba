"""Forecasts as their files hold them: bounds to the eight digits that anybody is shown, in as few bits. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from core.forecast_levels import QUANTILE_COLUMNS, REACH_COLUMNS, SHOWN_DIGITS
from etl.arrays import FloatArray

__all__ = ["as_published"]

_MANTISSA_BITS: Final = 52
_KEPT_BITS: Final = 30
"""Bits of the mantissa that tell any two numbers of eight digits apart, with three to spare."""

_MEDIAN: Final = "q50"
"""Is the mean, and with no drift the price: as it is, it repeats and takes no room."""

_ROUNDED: Final = tuple(name for name in (*QUANTILE_COLUMNS, *REACH_COLUMNS) if name != _MEDIAN)


def as_published(forecasts: pa.Table) -> pa.Table:
    """Round the bounds of forecasts (FORECAST_SCHEMA), so that half of their bytes compress to nothing.

    A bound shows the same eight digits as before. Rounding keeps their order. The price of the origin, the mean and the
    median stay as they are.
    """
    for name in _ROUNDED:
        place = forecasts.schema.get_field_index(name)
        rounded = rounded_to_shown(forecasts[name].to_numpy())
        forecasts = forecasts.set_column(place, forecasts.schema.field(place), pa.array(rounded, from_pandas=True))
    return forecasts


def rounded_to_shown(values: FloatArray) -> FloatArray:
    """The nearest numbers of eight significant digits (n,), then the nearest of those with few bits; NaN stays."""
    known = np.isfinite(values) & (values != 0)
    numbers = np.where(known, values, 1.0)
    unit = 10.0 ** (SHOWN_DIGITS - 1 - np.floor(np.log10(np.abs(numbers))))
    bits = (np.round(numbers * unit) / unit).view(np.int64)
    dropped = _MANTISSA_BITS - _KEPT_BITS
    shortened = (bits + (1 << dropped - 1)) >> dropped << dropped
    return np.where(known, shortened.view(np.float64), values)
