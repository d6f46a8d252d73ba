"""The log of a simulated month against what the witness wrote down beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from bench.simulated_month.witness import SLOT_MS, Rows, rows_of
from core.times import DAY_MS

__all__ = ["LogVerdict", "check_log"]

_VALUES = ("origin", "created_at", "mean", "q10", "q90")
_Key = tuple[int, int, int]


@dataclass(frozen=True)
class LogVerdict:
    """What is wrong with the log.

    Attributes:
        logged: rows.
        expected: rows that the witness wrote down and retention keeps.
        missing, doubled, unknown, changed: rows against those that are expected.
        early: rows made before their own price, or dated later than the machine's clock when they were seen.
    """

    logged: int
    expected: int
    missing: int
    doubled: int
    unknown: int
    changed: int
    early: int


def check_log(
    log: pa.Table, witnessed: Rows, coins: Sequence[str], damaged: set[tuple[int, int]], keep_days: int
) -> LogVerdict:
    """Compare; a day is kept until its last forecast is older than `keep_days`. Rows of damaged files do not count."""
    found = rows_of(log, coins)
    expected = {key: row for key, row in _by_key(witnessed).items() if key[:2] not in damaged}
    expected = _kept(expected, int(witnessed["machine_ms"][-1]) - keep_days * DAY_MS)
    keys = [key for key in _keys(found) if key[:2] not in damaged]
    logged = {key: row for key, row in _by_key(found).items() if key[:2] not in damaged}
    both = expected.keys() & logged.keys()
    return LogVerdict(
        logged=len(keys),
        expected=len(expected),
        missing=len(expected.keys() - logged.keys()),
        doubled=len(keys) - len(logged),
        unknown=len(logged.keys() - expected.keys()),
        changed=sum(any(expected[key][name] != logged[key][name] for name in _VALUES) for key in both),
        early=int(
            np.sum((witnessed["origin"] > witnessed["true_ms"]) | (witnessed["created_at"] > witnessed["machine_ms"]))
        ),
    )


def _keys(rows: Rows) -> list[_Key]:
    """Place of the coin, slot and horizon of each row."""
    columns = (rows["coin"], rows["origin"] // SLOT_MS, rows["horizon_min"])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def _by_key(rows: Rows) -> dict[_Key, np.void]:
    return dict(zip(_keys(rows), rows, strict=True))


def _kept(rows: Mapping[_Key, np.void], since_ms: int) -> dict[_Key, np.void]:
    """The rows of the UTC days whose last origin is not older than `since_ms`."""
    last: dict[int, int] = {}
    for row in rows.values():
        day = int(row["origin"]) // DAY_MS
        last[day] = max(last.get(day, 0), int(row["origin"]))
    return {key: row for key, row in rows.items() if last[int(row["origin"]) // DAY_MS] >= since_ms}
