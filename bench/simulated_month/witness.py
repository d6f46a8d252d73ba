"""Writes down what each cycle of the simulated machine published, apart from the product's own log.

Of each coin and 5-minute slot of the origin the first forecast is kept: what the product's log must hold. Reads the
published files with json and pyarrow alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bench.simulated_month.clock import SharedClock

__all__ = ["ROW", "SLOT_MS", "Rows", "Witness", "number_of", "read_rows", "rows_of"]

SLOT_MS: Final = 300_000
_OLDEST_MS: Final = 7_200_000
"""Forecasts from older prices are shown, not logged."""

ROW: Final = np.dtype(
    [
        ("coin", "i8"),
        ("origin", "i8"),
        ("horizon_min", "i8"),
        ("created_at", "i8"),
        ("mean", "f8"),
        ("q10", "f8"),
        ("q90", "f8"),
        ("machine_ms", "i8"),
        ("true_ms", "i8"),
    ]
)
_COLUMNS: Final = ("coin", "origin", "horizon_min", "created_at", "mean", "q10", "q90")

Rows = npt.NDArray[np.void]


def read_rows(path: Path) -> Rows:
    """All rows that were written down."""
    return np.fromfile(path, dtype=ROW) if path.exists() else np.empty(0, dtype=ROW)


def rows_of(table: pa.Table, coins: Sequence[str]) -> Rows:
    """Forecasts as rows; `coin` is a place in `coins`, times are UTC milliseconds."""
    rows = np.zeros(table.num_rows, dtype=ROW)
    places = {coin: place for place, coin in enumerate(coins)}
    rows["coin"] = [places[coin] for coin in table["coin"].to_pylist()]
    for name in _COLUMNS[1:]:
        column = table[name]
        rows[name] = (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_numpy()
    return rows


def number_of(file: str) -> int:
    """The number of the publication in the name of a file."""
    return int(Path(file).stem.rpartition("-")[2])


class Witness:
    """Appends to the file `path` what appears in `processed`; goes on where an earlier process ended."""

    def __init__(self, path: Path, processed: Path, coins: Sequence[str], clock: SharedClock) -> None:
        self._processed = processed
        self._coins = tuple(coins)
        self._clock = clock
        self._ahead_ms = clock.ahead_ms
        known = read_rows(path)
        self._newest = {
            place: int(known["origin"][known["coin"] == place].max(initial=-1)) // SLOT_MS
            for place in range(len(coins))
        }
        self._file = path.open("ab", buffering=0)

    def look(self) -> None:
        """Write down the forecasts published last, unless they are known.

        If the machine's clock was set back since they were made, what it would show without that counts.
        """
        set_back_ms = max(0, self._ahead_ms - self._clock.ahead_ms)
        self._ahead_ms = self._clock.ahead_ms
        manifest = self._processed / "manifest.json"
        entry = json.loads(manifest.read_bytes())["entries"].get("latest") if manifest.exists() else None
        if entry is None or (number := number_of(entry["file"])) == self._clock.seen:
            return
        machine_ms = self._clock.machine_ms + set_back_ms
        rows = rows_of(pq.read_table(self._processed / entry["file"], columns=list(_COLUMNS)), self._coins)
        rows["machine_ms"], rows["true_ms"] = machine_ms, self._clock.true_ms
        slots = rows["origin"] // SLOT_MS
        newest = np.array([self._newest[place] for place in rows["coin"].tolist()])
        first = rows[(slots > newest) & (rows["created_at"] - rows["origin"] <= _OLDEST_MS)]
        self._file.write(first.tobytes())
        for place, origin_ms in zip(first["coin"].tolist(), first["origin"].tolist(), strict=True):
            self._newest[place] = origin_ms // SLOT_MS
        self._clock.seen = number

    def close(self) -> None:
        """Close the file."""
        self._file.close()
