"""Conditions about the suite: its data, its processes, and what it lives on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from alerts.rules.condition import Condition, ConditionKind, Scope
from alerts.rules.values import ALL, duration, key, number, words, write_duration
from core.times import DAY_MS, MINUTE_MS

__all__ = ["PROCESS_NAMES", "CallsLow", "CoverageOut", "DataStale", "DiskLow", "ProcessDown", "ProcessRestarted"]

PROCESS_NAMES: Final = ("suite", "collector", "pipeline", "api", "dashboard", "simulator")


@dataclass(frozen=True)
class CoverageOut(Condition):
    """The share of outcomes within the 80 % band over the last day is off by more than `tolerance` points."""

    KIND: ClassVar[ConditionKind] = ConditionKind.COVERAGE_OUT
    SCOPE: ClassVar[Scope] = Scope.COVERAGE

    tolerance: float = field(default=10.0, metadata=key("tolerancia", number(1, 80)))


@dataclass(frozen=True)
class DataStale(Condition):
    """The newest price of all is older than `after_ms`."""

    KIND: ClassVar[ConditionKind] = ConditionKind.DATA_STALE
    SCOPE: ClassVar[Scope] = Scope.SUITE
    SLACK_PERCENT: ClassVar[float] = 0.0

    after_ms: int = field(default=10 * MINUTE_MS, metadata=key("ha", duration(MINUTE_MS, 7 * DAY_MS), write_duration))


@dataclass(frozen=True)
class ProcessDown(Condition):
    """A process has been silent for `after_ms`; by default one of those that the suite needs."""

    KIND: ClassVar[ConditionKind] = ConditionKind.PROCESS_DOWN
    SCOPE: ClassVar[Scope] = Scope.PROCESSES
    SLACK_PERCENT: ClassVar[float] = 0.0

    processes: tuple[str, ...] | None = field(
        default=None, metadata=key("processos", words(ALL, PROCESS_NAMES), lambda names: names or ALL)
    )
    after_ms: int = field(default=MINUTE_MS, metadata=key("ha", duration(0, 7 * DAY_MS), write_duration))


@dataclass(frozen=True)
class ProcessRestarted(Condition):
    """run_all.py has started a process again within the last ten minutes."""

    KIND: ClassVar[ConditionKind] = ConditionKind.PROCESS_RESTARTED
    SCOPE: ClassVar[Scope] = Scope.PROCESSES
    SLACK_PERCENT: ClassVar[float] = 0.0

    processes: tuple[str, ...] | None = field(
        default=None, metadata=key("processos", words(ALL, PROCESS_NAMES), lambda names: names or ALL)
    )


@dataclass(frozen=True)
class DiskLow(Condition):
    """The disk of the data folder has less than this free, in gigabytes."""

    KIND: ClassVar[ConditionKind] = ConditionKind.DISK_LOW
    SCOPE: ClassVar[Scope] = Scope.SUITE

    free_gb: float = field(default=2.0, metadata=key("livre_gb", number(0, 1e6, above=True)))


@dataclass(frozen=True)
class CallsLow(Condition):
    """Less than this percentage of the month's calls to CoinGecko is left."""

    KIND: ClassVar[ConditionKind] = ConditionKind.CALLS_LOW
    SCOPE: ClassVar[Scope] = Scope.SUITE

    percent: float = field(default=10.0, metadata=key("restante", number(0, 100, above=True)))
