"""Numbers of a forecast as clients get them: eight significant digits, far finer than any forecast. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.forecast_levels import SHOWN_DIGITS

__all__ = ["shown", "shown_body", "shown_numbers", "shown_table"]

_FORMAT: Final = f"%.{SHOWN_DIGITS}g"
_POWERS: Final = 10.0 ** np.arange(23)
"""The powers of ten that are exact."""

_FIRST_OF_EIGHT: Final = 10.0 ** (SHOWN_DIGITS - 1)
_NEAR_MIDDLE: Final = 1e-6
"""Far more than the rounding of a product of eight digits."""

_EXACT: Final = ("preco_atual",)
"""Fields that are as stored."""


def shown(number: float) -> float:
    """The nearest number with eight significant digits.

    >>> shown(67190.023456789), shown(1e-7 / 3)
    (67190.023, 3.3333333e-08)
    """
    return float(_FORMAT % number)


def shown_numbers(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`shown` of each number (n,); what is zero or not finite stays.

    A whole number of eight digits divided by a power of ten up to 10^22 is the nearest number to that decimal, because
    both are exact. What lies near the middle of two decimals, or is not of that form, goes through its text.
    """
    with np.errstate(divide="ignore"):
        places = SHOWN_DIGITS - 1 - np.floor(np.log10(np.abs(numbers)))
    unit = _POWERS[np.where((places >= 0) & (places < len(_POWERS)), places, 0).astype(np.int64)]
    scaled = numbers * unit
    whole = np.rint(scaled)
    has_eight = (np.abs(whole) >= _FIRST_OF_EIGHT) & (np.abs(whole) < 10 * _FIRST_OF_EIGHT)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        is_sure = has_eight & (np.abs(np.abs(scaled - whole) - 0.5) > _NEAR_MIDDLE)
    found = np.where(is_sure, whole / unit, numbers)
    rest = np.flatnonzero(~is_sure & np.isfinite(numbers) & (numbers != 0))
    found[rest] = [shown(number) for number in numbers[rest].tolist()]
    return np.asarray(found)


def shown_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with its numbers as shown."""
    return {name: value if name in _EXACT else _shown_value(value) for name, value in body.items()}


def shown_table(table: pa.Table) -> pa.Table:
    """A table with its numbers as shown, those within other columns too."""
    columns = {name: table[name].combine_chunks() for name in table.column_names}
    return pa.table({name: column if name in _EXACT else _shown_column(column) for name, column in columns.items()})


def _shown_value(value: Any) -> Any:
    if isinstance(value, float):
        return shown(value)
    if isinstance(value, Mapping):
        return shown_body(value)
    return [_shown_value(item) for item in value] if isinstance(value, list) else value


def _shown_column(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_floating(kind):
        return pa.array(shown_numbers(column.to_numpy(zero_copy_only=False)), from_pandas=True)
    if pa.types.is_struct(kind):
        fields = [_shown_column(column.field(place)) for place in range(kind.num_fields)]
        unknown = column.is_null() if column.null_count else None
        return pa.StructArray.from_arrays(fields, [field.name for field in kind], mask=unknown)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(_shown_column(column.flatten()), kind.list_size)
    return column
