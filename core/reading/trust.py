"""How far the forecasts of each coin could be trusted lately: coverage and skill of the last days, as scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from core.accuracy.scores import sum_by
from core.errors import NotReady
from core.publishing.file_cache import kept_of_files
from core.publishing.parquet import read_table
from core.reading.queries import parts_between
from core.reading.readers import Readers
from core.times import DAY_MS, FOREVER_MS

__all__ = ["MIN_FORECASTS", "TRUST_DAYS", "Trust", "Untested", "trust_by_coin"]

TRUST_DAYS: Final = 7
"""Days in UTC that count, the day of the newest score included."""

MIN_FORECASTS: Final = 288
"""With fewer scored forecasts of a coin and horizon, which a full day has, nothing is said."""

_KEYS: Final = ("coin", "horizon_min")
_SUMS: Final = ("n", "inside_80", "pinball", "pinball_naive")


class Untested(StrEnum):
    """Why nothing can be said of the forecasts of a coin."""

    NO_SCORES = "no_scores"
    TOO_FEW = "too_few"


@dataclass(frozen=True)
class Trust:
    """What the scores of the last days say of the forecasts of one coin at one horizon.

    Attributes:
        coverage_80: share of the outcomes within the 80 % interval; None while there are too few.
        skill: 1 minus the pinball loss relative to "the price stays"; None while there are too few, or if the price
            never moved.
        forecasts: number of scored forecasts.
        since_ms: first day that counts, in UTC milliseconds; None without any score.
        untested: why coverage and skill are None.
    """

    coverage_80: float | None = None
    skill: float | None = None
    forecasts: int = 0
    since_ms: int | None = None
    untested: Untested | None = Untested.NO_SCORES


def trust_by_coin(readers: Readers, horizon_min: int) -> Mapping[str, Trust]:
    """Trust by coin at one horizon; a coin without any score is missing."""
    try:
        folder, manifest = readers.manifest()
    except NotReady:
        return {}
    since_ms = _first_day(manifest.newest_ms("scores", FOREVER_MS))
    parts = parts_between(manifest.parts.get("scores", ()), since_ms, FOREVER_MS)
    files = tuple((folder / part.file, since_ms if part.start_ms < since_ms else 0) for part in parts)
    return readers.cached(
        f"trust {horizon_min}", files, lambda: _trust([_sums_since(*file) for file in files], horizon_min, since_ms)
    )


def _first_day(newest_ms: int) -> int:
    return (newest_ms // DAY_MS - TRUST_DAYS + 1) * DAY_MS


@kept_of_files(256)
def _sums_since(path: Path, since_ms: int) -> pa.Table:
    """Sums by coin and horizon of the hours from `since_ms` on in a file of scores, which never changes."""
    if not since_ms:
        return sum_by(read_table(path, ["coin", "horizon_min", *_SUMS]), _KEYS, _SUMS)
    rows = read_table(path, ["coin", "hour", "horizon_min", *_SUMS])
    return sum_by(rows.filter(pc.greater_equal(rows["hour"].cast(pa.int64()), since_ms)), _KEYS, _SUMS)


def _trust(parts: list[pa.Table], horizon_min: int, since_ms: int) -> dict[str, Trust]:
    if not parts:
        return {}
    rows = pa.concat_tables(parts)
    sums = sum_by(rows.filter(pc.equal(rows["horizon_min"], horizon_min)), ("coin",), _SUMS)
    columns = (sums[name].to_pylist() for name in ("coin", *_SUMS))
    return {
        coin: _judged(n, inside, loss, naive, since_ms) for coin, n, inside, loss, naive in zip(*columns, strict=True)
    }


def _judged(n: float, inside_80: float, loss: float, naive_loss: float, since_ms: int) -> Trust:
    if n < MIN_FORECASTS:
        return Trust(None, None, round(n), since_ms, Untested.TOO_FEW)
    return Trust(inside_80 / n, 1 - loss / naive_loss if naive_loss > 0 else None, round(n), since_ms, None)
