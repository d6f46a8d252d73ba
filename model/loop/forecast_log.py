"""Publishes what a cycle made: the latest forecasts, the log of the first one per coin and slot, and grown tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from core.accuracy.scores import add_up
from core.publishing.manifest import Manifest
from core.publishing.parquet import sorted_by
from core.publishing.publisher import Publisher
from core.times import DAY_MS, GRID_STEP_MS
from etl.features.published import NewRows, newest_times
from model.loop.published_digits import as_published
from model.scoring.scorer_state import MAX_LOGGED_AGE_MS

__all__ = ["ForecastLog"]

_ARRANGED: Final[Mapping[str, Callable[[pa.Table], pa.Table]]] = {
    "log": sorted_by("coin", "origin", "horizon_min"),
    "features": sorted_by("coin", "ts"),
    "scaled_hours": sorted_by("coin", "origin"),
    "scores": add_up,
}
"""How the parts of each growing table are merged; score rows of one cell become one."""


class ForecastLog:
    """Logs the first forecast of each coin and 5-minute slot of the origin; a logged forecast never changes."""

    def __init__(self, publisher: Publisher, now_ms: int, retention_days: int) -> None:
        self._publisher = publisher
        self._retention_ms = retention_days * DAY_MS
        self._last_slot = self._restore_slots(publisher.manifest.newest_ms("log", now_ms) - MAX_LOGGED_AGE_MS)
        self._grown = {
            "features": NewRows(publisher, "features", "ts", now_ms),
            "scaled_hours": NewRows(publisher, "scaled_hours", "origin", now_ms, days=14),
        }

    @property
    def logged_rows(self) -> int:
        """Rows in the log."""
        return self._rows("log")

    @property
    def score_rows(self) -> int:
        """Rows of sums in the live scores."""
        return self._rows("scores")

    def publish(
        self,
        latest: pa.Table,
        trained_ms: int | None,
        now_ms: int,
        grown: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> Manifest:
        """Replace the latest forecasts, log those that are first in their slot, append new rows; one visible step.

        Args:
            latest: rows of FORECAST_SCHEMA, twelve per coin.
            trained_ms: when the model behind them was last trained.
            now_ms: wall-clock time.
            grown: new rows of "features" and "scaled_hours"; those that an earlier process has written are left out.

        Raises:
            OSError: the disk refused; slots and rows are kept for the next cycle.
        """
        latest = as_published(latest)
        appended = self._waiting(grown)
        origins = newest_times(latest, "origin")
        new_slots = {
            coin: origin // GRID_STEP_MS
            for coin, origin in origins.items()
            if now_ms - origin <= MAX_LOGGED_AGE_MS and origin // GRID_STEP_MS > self._last_slot.get(coin, -1)
        }
        if new_slots:
            rows = _ARRANGED["log"](latest.filter(pc.is_in(latest["coin"], pa.array(list(new_slots)))))
            logged_ms = [origins[coin] for coin in new_slots]
            appended["log"] = (min(logged_ms), max(logged_ms), rows)
        if trained_ms is not None:
            latest = latest.replace_schema_metadata({"trained_ms": str(trained_ms)})
        manifest = self._publisher.publish({"latest": latest}, appended)
        self._last_slot |= new_slots
        self._forget_waiting()
        return manifest

    def publish_rows(self, grown: Mapping[str, pa.Table]) -> None:
        """Append new rows as `publish` does, and leave the forecasts as they are.

        Raises:
            OSError: the disk refused; the rows are kept for the next publication.
        """
        appended = self._waiting(grown)
        if appended:
            self._publisher.publish(appended=appended)
        self._forget_waiting()

    def tidy(self, now_ms: int) -> bool:
        """Drop what is past retention, do one step of a merge, delete superseded files; whether there was one to do."""
        for name in _ARRANGED:
            newest_ms = self._publisher.manifest.newest_ms(name, now_ms)
            self._publisher.retire_before(name, newest_ms - self._retention_ms)
        oldest = (self._publisher.manifest.newest_ms("log", now_ms) - self._retention_ms) // GRID_STEP_MS
        self._last_slot = {coin: slot for coin, slot in self._last_slot.items() if slot >= oldest}
        has_merged = any(self._publisher.compact(name, now_ms, arrange) for name, arrange in _ARRANGED.items())
        self._publisher.sweep()
        return has_merged

    def _waiting(self, grown: Mapping[str, pa.Table]) -> dict[str, tuple[int, int, pa.Table]]:
        """The rows to append, these among them, by table."""
        for name, rows in grown.items():
            self._grown[name].add(rows)
        return {name: part for name, new in self._grown.items() if (part := new.part()) is not None}

    def _forget_waiting(self) -> None:
        for new in self._grown.values():
            new.clear()

    def _rows(self, name: str) -> int:
        return sum(part.rows for part in self._publisher.manifest.parts.get(name, ()))

    def _restore_slots(self, since_ms: int) -> dict[str, int]:
        slots: dict[str, int] = {}
        for table in self._publisher.read("log", ["coin", "origin"], since_ms):
            for coin, origin in newest_times(table, "origin").items():
                slots[coin] = max(slots.get(coin, -1), origin // GRID_STEP_MS)
        return slots
