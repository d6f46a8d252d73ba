"""An array that grows at its end and keeps its last rows, without a second copy of a long history."""

from __future__ import annotations

from typing import Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from etl.arrays import IntArray

__all__ = ["RollingRows"]

_SPARE_SHARE: Final = 100
"""Of so many rows there is room for one more, so that a long array is moved seldom."""

_Number = TypeVar("_Number", bound=np.generic)


class RollingRows(Generic[_Number]):
    """The last rows of what was appended, oldest first.

    Args:
        most: rows that are kept.
        first: rows to begin with (n, columns, ...).
    """

    def __init__(self, most: int, first: npt.NDArray[_Number]) -> None:
        self._most = most
        self._end = 0
        self._buffer = np.empty((most + most // _SPARE_SHARE, *first.shape[1:]), dtype=first.dtype)
        self.append(first)

    @property
    def rows(self) -> npt.NDArray[_Number]:
        """The rows kept now, as a view: the next `append` may move them."""
        return self._buffer[max(0, self._end - self._most) : self._end]

    def append(self, later: npt.NDArray[_Number]) -> None:
        """Add rows (m, columns, ...) at the end; the oldest leave."""
        later = later[-self._most :]
        if self._end + len(later) > len(self._buffer):
            self._move_to_front(min(self._end, self._most - len(later)))
        self._buffer[self._end : self._end + len(later)] = later
        self._end += len(later)

    def put(self, columns: IntArray, values: npt.NDArray[_Number], later: int) -> None:
        """Replace some columns (j,) of consecutive rows by `values` (m, j, ...), as far as these rows are kept.

        `later` rows follow them.
        """
        stop = len(self.rows) - later
        start = max(0, stop - len(values))
        if start < stop:
            self.rows[start:stop, columns] = values[start - stop :]

    def _move_to_front(self, rows: int) -> None:
        cells, width = self._buffer.reshape(-1), self._buffer[0].size
        cells[: rows * width] = cells[(self._end - rows) * width : self._end * width]
        self._end = rows

    def widen(self, added: npt.NDArray[_Number]) -> None:
        """Append columns (columns, ...), the same in each row."""
        rows = self.rows
        buffer = np.empty((len(self._buffer), rows.shape[1] + len(added), *rows.shape[2:]), dtype=rows.dtype)
        buffer[: len(rows), : rows.shape[1]] = rows
        buffer[: len(rows), rows.shape[1] :] = added
        self._buffer, self._end = buffer, len(rows)
