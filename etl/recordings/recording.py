"""Recorded prices for replays and backtests: a Parquet or CSV file, a crypto.db, or a data folder that holds one.

Every row is checked; the first invalid one ends the reading with an error that names file, row and column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from core.errors import BadInput, ConfigurationError
from core.price_rules import COIN_ID, EARLIEST_MS
from core.times import DAY_MS, iso
from core.wording import Message, message
from core.workspace import check_recording
from etl.arrays import BoolArray, FloatArray, IntArray, are_prices
from etl.recordings.csv_file import read_csv
from etl.recordings.database import read_database
from etl.recordings.parquet_file import read_parquet
from etl.recordings.recorded_rows import RecordedRows

__all__ = ["PriceHistory", "Recording", "Series", "read_recording"]

_DATABASE: Final = "crypto.db"
_MAX_TIME_MS: Final = 7_258_118_400_000

PriceHistory = Mapping[str, tuple[IntArray, FloatArray]]
"""Coin → event times (UTC milliseconds, strictly increasing) and prices (finite, positive)."""


@dataclass(frozen=True)
class Series:
    """One coin's rows, each time once: times (UTC ms), prices, and the volume of the 24 hours before each."""

    ts_ms: IntArray
    price: FloatArray
    volume: FloatArray


@dataclass(frozen=True)
class Recording:
    """Checked prices of some coins by id, in the order of the ids, at least one row each.

    `name` and `sha256` are those of the file, `currency` that of prices and volumes.
    """

    series: Mapping[str, Series]
    sha256: str
    name: str
    currency: str = "usd"

    @property
    def start(self) -> int:
        """Time of the first row, in UTC milliseconds."""
        return min(int(series.ts_ms[0]) for series in self.series.values())

    @property
    def end(self) -> int:
        """Time of the last row, in UTC milliseconds."""
        return max(int(series.ts_ms[-1]) for series in self.series.values())

    @property
    def play_start(self) -> int:
        """The first time at which every coin has 24 hours of history.

        Raises:
            BadInput: there is none before the recording ends.
        """
        last, series = max(self.series.items(), key=lambda item: int(item[1].ts_ms[0]))
        start_ms = int(series.ts_ms[0]) + DAY_MS
        if start_ms >= self.end:
            raise BadInput(message("recording.too_short", coin=last, end=iso(self.end)))
        return start_ms

    @property
    def prices(self) -> PriceHistory:
        """Times and prices alone, as backtests take them."""
        return {coin_id: (series.ts_ms, series.price) for coin_id, series in self.series.items()}

    def only(self, coin_ids: Collection[str]) -> Recording:
        """The recording with these coins alone.

        Raises:
            BadInput: one of them was not recorded.
        """
        for coin_id in coin_ids:
            if coin_id not in self.series:
                known = ", ".join(list(self.series)[:40])
                raise BadInput(message("recording.coin_missing", file=self.name, coin=coin_id, known=known))
        return replace(self, series={coin_id: one for coin_id, one in self.series.items() if coin_id in set(coin_ids)})


def read_recording(path: Path, coins: Collection[str] | None = None) -> Recording:
    """Read and check a recording; of several rows of a coin at one time the first stays, as in the price store.

    Args:
        path: a Parquet or CSV file, a crypto.db, or a folder that holds one; the first bytes tell which.
        coins: ids to keep; None keeps all.

    Raises:
        BadInput: the file cannot be read, a row is wrong, or a coin was not recorded; one Portuguese line.
    """
    path = path / _DATABASE if path.is_dir() else path
    try:
        check_recording(path)
        rows = _read_rows(path)
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except ConfigurationError as error:
        raise BadInput(error.message) from error
    except OSError as error:
        raise BadInput(message("recording.unreadable", path=str(path), reason=error.strerror or str(error))) from error
    _check(path, rows)
    recording = Recording(_by_coin(rows), sha256, path.name, rows.currency)
    return recording if coins is None else recording.only(coins)


def _read_rows(path: Path) -> RecordedRows:
    with path.open("rb") as file:
        first = file.read(16)
    if first.startswith(b"PAR1"):
        return read_parquet(path)
    if first.startswith(b"SQLite format 3"):
        return read_database(path)
    return read_csv(path)


def _check(path: Path, rows: RecordedRows) -> None:
    """Refuse the first row with an impossible time, price or coin id."""
    if not len(rows.number):
        raise BadInput(message("recording.no_rows", file=path.name))
    wrong_time = (rows.ts_ms < EARLIEST_MS) | (rows.ts_ms > _MAX_TIME_MS)
    _refuse(path, rows, "time", wrong_time, message("recording.implausible_time"))
    wrong_price = ~are_prices(rows.price)
    _refuse(path, rows, "price", wrong_price, message("recording.impossible_price"))
    for place in np.unique(rows.coin):
        coin_id = rows.ids[place]
        if not COIN_ID.fullmatch(coin_id.lower()):
            row, column = rows.number[np.argmax(rows.coin == place)], rows.columns["coin"]
            raise BadInput(
                message("recording.not_a_coin", file=path.name, row=int(row), column=column, coin=coin_id[:40])
            )


def _refuse(path: Path, rows: RecordedRows, purpose: str, wrong: BoolArray, reason: Message) -> None:
    if wrong.any():
        first = int(np.argmax(wrong))
        value = str((rows.price if purpose == "price" else rows.ts_ms)[first])
        raise BadInput(
            message(
                "recording.bad_value",
                file=path.name,
                row=int(rows.number[first]),
                column=rows.columns[purpose],
                value=value,
                reason=reason,
            )
        )


def _by_coin(rows: RecordedRows) -> dict[str, Series]:
    ids, place = np.unique(np.array([coin_id.lower() for coin_id in rows.ids]), return_inverse=True)
    codes = place[rows.coin]
    order = np.lexsort((rows.ts_ms, codes))  # stable: rows of one time stay in the order of the file
    parts = np.split(order, np.cumsum(np.bincount(codes, minlength=len(ids)))[:-1])
    return {str(coin_id): _series(rows, part) for coin_id, part in zip(ids, parts, strict=True) if len(part)}


def _series(rows: RecordedRows, chosen: IntArray) -> Series:
    ts_ms = rows.ts_ms[chosen]
    first = np.append(True, ts_ms[1:] != ts_ms[:-1])
    chosen, ts_ms = chosen[first], ts_ms[first]
    volume = np.where(rows.volume[chosen] >= 0, rows.volume[chosen], np.nan)
    return Series(ts_ms, rows.price[chosen], volume if rows.daily_volume else _over_a_day(ts_ms, volume))


def _over_a_day(ts_ms: IntArray, volume: FloatArray) -> FloatArray:
    """Sum of the 24 hours up to each row; all NaN if no row has a volume."""
    if not np.isfinite(volume).any():
        return volume
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(volume))])
    first = np.searchsorted(ts_ms, ts_ms - DAY_MS, side="right")
    return np.asarray(total[1:] - total[first])
