"""What collector and pipeline have added since a known moment, read from what they stored.

Nothing is remembered from one call to the next, so the answers stay the same over restarts of every process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.errors import NotReady
from core.price_store import Price
from core.publishing.parquet import read_table
from core.reading.forecast_columns import ForecastColumns, read_columns
from core.reading.queries import parts_between
from core.reading.readers import Readers
from core.reading.tables import Page
from core.times import FOREVER_MS, HOUR_MS, now_ms

__all__ = [
    "Moment",
    "NewPrices",
    "fetched_ahead",
    "moment",
    "new_outcomes",
    "new_prices",
    "new_publications",
    "published_forecasts",
]

_LATEST: Final = re.compile(r"latest-(\d+)\.parquet")
_PRICE_LIMITS: Final = (8, 64, 2_000)
_HOUR_MIN: Final = 60
_APART_MS: Final = 10_000
"""Between the pages of one poll, and between the clocks of two machines."""


@dataclass(frozen=True, order=True)
class Moment:
    """A moment in what is stored; both numbers are 0 before there is anything.

    Attributes:
        publication: number of the newest published forecasts; it only grows.
        fetched_ms: when the newest price was fetched, in UTC milliseconds, without those of `fetched_ahead`.
    """

    publication: int
    fetched_ms: int


@dataclass(frozen=True)
class NewPrices:
    """Rows of PRICE_TABLE of one coin, oldest first, and the event time of the price before them, if there is one."""

    before_ms: int | None
    rows: pa.Table


def moment(readers: Readers) -> Moment:
    """The present moment.

    Raises:
        NotReady: the suite has not decided on a source yet.
    """
    try:
        entry = readers.manifest()[1].entries.get("latest")
        publication = 0 if entry is None else _number(entry.file)
    except NotReady:
        publication = 0
    try:
        latest = readers.latest_prices()
        timely = latest.keys() - fetched_ahead(latest)
        fetched_ms = max((latest[coin].fetched_ms for coin in timely), default=0)
    except NotReady:
        fetched_ms = 0
    readers.workspace()
    return Moment(publication, fetched_ms)


def fetched_ahead(latest: Mapping[str, Price]) -> set[str]:
    """Coins whose newest price was fetched while the clock was ahead, and has not changed since it is right again.

    It was fetched both after the present moment and after the price with the newest event time, which the source gave.
    """
    newest = max(latest.values(), key=lambda price: price.ts_ms, default=None)
    right_ms = max(now_ms(), 0 if newest is None else newest.fetched_ms) + _APART_MS
    return {coin for coin, price in latest.items() if price.fetched_ms > right_ms}


def new_publications(folder: Path, start: int, end: int) -> list[int] | None:
    """Numbers of the forecasts that were published after `start`, up to `end`; None if some may be deleted already.

    Superseded files live on for a while. They are deleted from the oldest on, so that none is missing after one that
    is still there.
    """
    if start == end:
        return []
    kept = sorted(_number(path.name) for path in folder.glob("latest-*.parquet"))
    is_whole = start in kept or (start == 0 and kept[:1] == [1])
    return [number for number in kept if start < number <= end] if is_whole else None


def published_forecasts(folder: Path, number: int) -> ForecastColumns:
    """Forecasts of one publication.

    Raises:
        NotReady: they were deleted.
    """
    return read_columns(read_table(folder / f"latest-{number:09d}.parquet"))


def new_prices(readers: Readers, coin_id: str, start_ms: int, end_ms: int) -> NewPrices | None:
    """Newest prices of a coin that were fetched within (start_ms, end_ms]; None if they are too many.

    Prices that a back-fill added before the newest known one are no news.
    """
    for limit in _PRICE_LIMITS:
        table = readers.price_table(coin_id, Page(0, FOREVER_MS, limit))
        times, fetched = (_milliseconds(table[name]) for name in ("time", "fetched"))
        known = np.flatnonzero(fetched <= start_ms)
        if known.size or len(times) < limit:
            count = int(known[0]) if known.size else len(times)
            fresh = np.flatnonzero(fetched[:count] <= end_ms)[::-1]
            return NewPrices(int(times[count]) if known.size else None, table.take(pa.array(fresh)))
    return None


def new_outcomes(readers: Readers, prices: Mapping[str, NewPrices]) -> Mapping[str, pa.Table]:
    """Logged one-hour forecasts whose outcome became known with these prices: rows of LOG_TABLE, oldest first."""
    spans = {
        coin: (new.before_ms - HOUR_MS + 1, int(_milliseconds(new.rows["time"])[-1]) - HOUR_MS)
        for coin, new in prices.items()
        if new.rows.num_rows and new.before_ms is not None
    }
    if not spans:
        return {}
    due = _logged_coins(readers, min(first for first, _ in spans.values()), max(last for _, last in spans.values()))
    found = {coin: readers.log_table(coin, Page(*spans[coin], _PRICE_LIMITS[-1])) for coin in spans if coin in due}
    return {coin: rows.filter(pc.is_valid(rows["actual"])).sort_by("origin") for coin, rows in found.items()}


def _logged_coins(readers: Readers, start_ms: int, end_ms: int) -> set[str]:
    """Coins with a logged one-hour forecast whose origin lies within [start_ms, end_ms]."""
    try:
        folder, manifest = readers.manifest()
    except NotReady:
        return set()
    coins: set[str] = set()
    for part in parts_between(manifest.parts.get("log", ()), start_ms, end_ms):
        table = read_table(folder / part.file, ["coin", "origin", "horizon_min"])
        origin = _milliseconds(table["origin"])
        is_due = (origin >= start_ms) & (origin <= end_ms) & (table["horizon_min"].to_numpy() == _HOUR_MIN)
        coins.update(table["coin"].filter(pa.array(is_due)).unique().to_pylist())
    return coins


def _milliseconds(times: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(times.cast(pa.int64()).to_numpy(), dtype=np.int64)


def _number(file: str) -> int:
    match = _LATEST.fullmatch(file)
    return int(match[1]) if match else 0
