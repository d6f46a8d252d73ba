"""How far the forecasts of each coin could be trusted lately: coverage and skill of the last days, as scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from core.accuracy.scores import sum_by
from core.errors import NotReady
from core.publishing.parquet import read_table
from core.reading.queries import parts_between
from core.reading.readers import Readers
from core.times import DAY_MS, FOREVER_MS

__all__ = ["MIN_FORECASTS", "TRUST_DAYS", "Trust", "Untested", "trust_by_coin"]

TRUST_DAYS: Final = 7
"""Days in UTC that count, the day of the newest score included."""

MIN_FORECASTS: Final = 288
"""With fewer scored forecasts of a coin and horizon, which a full day has, nothing is said."""

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
    paths = tuple(folder / part.file for part in parts)
    return readers.cached(
        f"trust {horizon_min}", paths, lambda: _trust([_days(path) for path in paths], horizon_min, since_ms)
    )


def _first_day(newest_ms: int) -> int:
    return (newest_ms // DAY_MS - TRUST_DAYS + 1) * DAY_MS


@lru_cache(maxsize=256)
def _days(path: Path) -> pa.Table:
    """Sums by coin, day and horizon in a file of scores, which never changes."""
    rows = read_table(path, ["coin", "hour", "horizon_min", *_SUMS])
    day = pc.divide(rows["hour"].cast(pa.int64()), DAY_MS)
    return sum_by(rows.append_column("day", day), ("coin", "day", "horizon_min"), _SUMS)


def _trust(days: list[pa.Table], horizon_min: int, since_ms: int) -> dict[str, Trust]:
    if not days:
        return {}
    rows = pa.concat_tables(days)
    wanted = pc.and_(pc.equal(rows["horizon_min"], horizon_min), pc.greater_equal(rows["day"], since_ms // DAY_MS))
    sums = sum_by(rows.filter(wanted), ("coin",), _SUMS)
    columns = (sums[name].to_pylist() for name in ("coin", *_SUMS))
    return {
        coin: _judged(n, inside, loss, naive, since_ms) for coin, n, inside, loss, naive in zip(*columns, strict=True)
    }


def _judged(n: float, inside_80: float, loss: float, naive_loss: float, since_ms: int) -> Trust:
    if n < MIN_FORECASTS:
        return Trust(None, None, round(n), since_ms, Untested.TOO_FEW)
    return Trust(inside_80 / n, 1 - loss / naive_loss if naive_loss > 0 else None, round(n), since_ms, None)
