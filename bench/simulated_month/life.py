"""The life of a simulated machine: its process is started, killed and hurt as the plan says, and watched meanwhile."""

from __future__ import annotations

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import pyarrow.parquet as pq

from bench.process_cost import memory_mb
from bench.simulated_month.clock import SharedClock
from bench.simulated_month.disk import Disk
from bench.simulated_month.machine import CLOCK
from bench.simulated_month.market import MonthMarket
from bench.simulated_month.plan import Damage, DiskFull, Event, Jump, Plan, Restart, Sleep
from bench.simulated_month.process import MachineProcess
from bench.simulated_month.witness import SLOT_MS, number_of, rows_of
from core.times import DAY_MS, HOUR_MS
from suite.children import RESOURCE_LIMITS

__all__ = ["Life", "Reading", "clock_in", "slope_per_day"]

_LOOK_EVERY_S: Final = 0.005
_READ_EVERY_MS: Final = HOUR_MS
_MOST_ENDS: Final = 3
_LATEST_KILL_S: Final = 0.06
"""A kill comes at a random instant within about two cycles."""

_IN_FLIGHT_S: Final = 0.2
_GARBAGE: Final = b"\xde\xad\xbe\xef" * 64


@dataclass(frozen=True)
class Reading:
    """The process at one moment of simulated time."""

    at_ms: int
    memory_mb: float
    open_files: int
    threads: int


@dataclass
class Life:
    """A machine in `folder` with its data on `disk`.

    Attributes:
        done: what befell it, by kind.
        damaged_slots: places of coins and slots whose log rows lay in a file that was damaged.
        readings: since the last start, one each hour; the earlier ones are forgotten with their process.
        ends: processes that ended by themselves.
    """

    folder: Path
    disk: Disk
    clock: SharedClock
    market: MonthMarket
    coins: tuple[str, ...]
    plan: Plan
    dice: random.Random
    settings: dict[str, str]
    done: Counter[str] = field(default_factory=Counter)
    damaged_slots: set[tuple[int, int]] = field(default_factory=set)
    readings: list[Reading] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    _process: MachineProcess = field(init=False)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.disk.folder / "data"

    @property
    def models(self) -> Path:
        """The folder of the models."""
        return self.disk.folder / "models"

    def run(self, tell: Callable[[str], None]) -> None:
        """Live from the first to the last moment of the plan; `tell` gets a line a day."""
        variables = {**RESOURCE_LIMITS, **self.settings, **self.clock.variables(self.folder)}
        with MachineProcess(self.folder, variables) as self._process:
            self._start()
            self._live(tell)

    def _live(self, tell: Callable[[str], None]) -> None:
        events, next_reading, next_day = list(self.plan.events), 0, self.plan.start_ms
        while (now := self.clock.true_ms) < self.plan.end_ms:
            time.sleep(_LOOK_EVERY_S)
            self._restart_if_ended()
            if events and events[0][0] <= now:
                self._carry_out(events.pop(0)[1])
            if now >= next_reading:
                self._read(now)
                next_reading = now + _READ_EVERY_MS
            if now >= next_day:
                memory = f"{self.readings[-1].memory_mb:.1f} MB" if self.readings else "just started"
                tell(f"day {(now - self.plan.start_ms) / DAY_MS:.1f}: {memory}")
                next_day += DAY_MS
        self._stop()

    def _start(self) -> None:
        self._process.start()
        self.readings.clear()

    def _stop(self) -> None:
        if code := self._process.end(signal.SIGTERM):
            self.ends.append(f"exit code {code} after SIGTERM")
        self.market.confirm()

    def _kill(self) -> None:
        time.sleep(self.dice.uniform(0, _LATEST_KILL_S))
        self._process.end(signal.SIGKILL)
        time.sleep(_IN_FLIGHT_S)
        self.market.excuse()

    def _restart_if_ended(self) -> None:
        if (code := self._process.ended_by_itself()) is not None:
            self.ends.append(f"exit code {code} at {self.clock.true_ms}")
            if len(self.ends) > _MOST_ENDS:
                raise RuntimeError(f"the machine ends by itself: {self.ends}, see {self.folder / 'machine.log'}")
            self._start()

    def _carry_out(self, event: Event) -> None:
        match event:
            case Restart(kill, away_s):
                self._kill() if kill else self._stop()
                self.clock.skip(away_s)
                self._start()
                self.done["kills" if kill else "orderly restarts"] += 1
            case Sleep(seconds):
                self._suspend()
                time.sleep(_IN_FLIGHT_S)
                self.market.excuse(next_too=True)
                self.clock.skip(seconds)
                self._process.seen.resume()
                self.done["nights"] += 1
            case Jump(ahead_s):
                self.clock.put_ahead(ahead_s)
                self.done["clock jumps"] += bool(ahead_s)
            case Damage(what):
                self.done["damaged files"] += self._damage(what)
            case DiskFull(is_full) if self.disk.has_limit:
                self.disk.fill() if is_full else self.disk.free()
                self.done["full disks"] += is_full

    def _damage(self, what: str) -> bool:
        """Stop the process at a random instant and overwrite the middle of a file; False if the file does not exist.

        The witness must know the newest publication by then, or it would never see it.
        """
        stopped = self._process.seen
        while (manifest := self._held_still()) is None:
            stopped.resume()
            time.sleep(_LOOK_EVERY_S)
        path = self._victim(what, manifest)
        is_there = path is not None and path.exists()
        if path is not None and is_there:
            with path.open("r+b") as file:
                file.seek(path.stat().st_size // 3)
                file.write(_GARBAGE)
        stopped.resume()
        return is_there

    def _suspend(self) -> None:
        process = self._process.seen
        process.suspend()
        while process.status() != psutil.STATUS_STOPPED:
            time.sleep(_LOOK_EVERY_S)

    def _held_still(self) -> dict[str, Any] | None:
        """Stop the process; the manifest, or None if the witness does not know the publication that it names."""
        self._suspend()
        try:
            manifest: dict[str, Any] = json.loads((self.data / "processed" / "manifest.json").read_bytes())
        except ValueError:  # the damage before this one is not repaired yet
            return None
        latest = manifest["entries"].get("latest")
        return manifest if latest and number_of(latest["file"]) == self.clock.seen else None

    def _victim(self, what: str, manifest: dict[str, Any]) -> Path | None:
        """The file to damage; the rows of a part of the log are noted first."""
        processed = self.data / "processed"
        if what == "manifest.json":
            return processed / what
        if what.startswith("model"):
            files = sorted(self.models.glob("model-*.joblib" if what == "model" else what))
            return files[-1] if files else None
        parts = manifest["parts"].get(what, [])
        file = manifest["entries"]["latest"] if what == "latest" else self.dice.choice(parts) if parts else None
        path = None if file is None else processed / str(file["file"])
        if what == "log" and path is not None:
            rows = rows_of(pq.read_table(path), self.coins)
            self.damaged_slots |= set(zip(rows["coin"].tolist(), (rows["origin"] // SLOT_MS).tolist(), strict=True))
        return path

    def _read(self, now: int) -> None:
        process = self._process.seen
        self.readings.append(Reading(now, memory_mb(process), process.num_fds(), process.num_threads()))

    def later_half(self) -> list[Reading]:
        """The readings of the later half of the last process's life; the first half is start-up."""
        return self.readings[len(self.readings) // 2 :]


def clock_in(folder: Path, start_ms: int) -> SharedClock:
    """The clock of a machine in `folder`."""
    return SharedClock.create(folder / CLOCK, start_ms)


def slope_per_day(readings: list[Reading], what: str) -> float:
    """Least-squares slope of a field per simulated day; 0 with fewer than two readings."""
    if len(readings) < 2:
        return 0.0
    days = np.array([one.at_ms for one in readings]) / DAY_MS
    return float(np.polyfit(days - days[0], [getattr(one, what) for one in readings], 1)[0])
