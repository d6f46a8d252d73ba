"""How good the live forecasts of the last day were, by horizon and by coin: coverage, skill and pinball loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.accuracy.scores import STABLE_MOVE, sum_by
from core.errors import NotReady
from core.forecast_schema import INTERVALS
from core.publishing.parquet import read_table
from core.reading.queries import parts_between
from core.reading.readers import Readers
from core.times import DAY_MS, FOREVER_MS, GRID_STEP_MS, HOUR_MS, now_ms

__all__ = ["LastDay", "last_day"]

_INSIDE: Final = tuple(f"inside_{percent}" for percent in INTERVALS)
_SUMS: Final = ("n", "pinball", "pinball_naive", "abs_error_naive", *_INSIDE)
_COLUMNS: Final = ("coin", "hour", "horizon_min", *_SUMS)

Ratios = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LastDay:
    """Scores of one horizon over the 24 hours before the newest score; stable coins count only if all are.

    Attributes:
        forecasts: number of scored forecasts.
        coverage: percent of a central interval → share of the outcomes inside it.
        relative_pinball: mean over the coins of (pinball loss / that of "the price stays"), or None if no price moved.
        coverage_80_by_coin: share inside the 80 % interval of each coin (coins,).
        skill_by_coin: 1 minus the relative pinball loss of each coin whose price moved (coins,).
    """

    forecasts: int
    coverage: Mapping[int, float]
    relative_pinball: float | None
    coverage_80_by_coin: Ratios
    skill_by_coin: Ratios

    @property
    def skill(self) -> float | None:
        """1 minus the relative pinball loss; None if no price moved."""
        return None if self.relative_pinball is None else 1.0 - self.relative_pinball


def last_day(readers: Readers) -> Mapping[int, LastDay]:
    """Scores of the last day by horizon in minutes, added up again every 5 minutes; empty without an outcome so far."""
    try:
        folder, manifest = readers.manifest()
    except NotReady:
        return {}
    since_ms = manifest.newest_ms("scores", FOREVER_MS) // HOUR_MS * HOUR_MS - DAY_MS
    parts = parts_between(manifest.parts.get("scores", ()), since_ms + 1, FOREVER_MS)
    key = (folder, now_ms() // GRID_STEP_MS, bool(parts))
    return readers.cached("last day", key, lambda: _last_day([folder / part.file for part in parts], since_ms))


def _last_day(paths: list[Path], since_ms: int) -> dict[int, LastDay]:
    if not paths:
        return {}
    recent = pa.concat_tables(_after(read_table(path, _COLUMNS), since_ms) for path in paths)
    sums = sum_by(recent, ("horizon_min", "coin"), _SUMS)
    return {
        minutes: _of_horizon(sums.filter(pc.equal(sums["horizon_min"], minutes)))
        for minutes in sorted(pc.unique(sums["horizon_min"]).to_pylist())
    }


def _after(rows: pa.Table, since_ms: int) -> pa.Table:
    return rows.filter(pc.greater(rows["hour"].cast(pa.int64()), since_ms))


def _of_horizon(sums: pa.Table) -> LastDay:
    """Scores from the sums of one horizon, a row per coin."""
    values = {name: sums[name].to_numpy() for name in _SUMS}
    moves = values["abs_error_naive"] >= STABLE_MOVE * values["n"]
    if moves.any():
        values = {name: column[moves] for name, column in values.items()}
    forecasts = values["n"].sum()
    moved = values["pinball_naive"] > 0
    ratios = values["pinball"][moved] / values["pinball_naive"][moved]
    return LastDay(
        forecasts=round(forecasts),
        coverage={percent: values[f"inside_{percent}"].sum() / forecasts for percent in INTERVALS},
        relative_pinball=float(ratios.mean()) if len(ratios) else None,
        coverage_80_by_coin=values["inside_80"] / values["n"],
        skill_by_coin=1.0 - ratios,
    )
