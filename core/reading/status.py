"""The state of the whole suite, the same for /status, the banner and the diagnostics page."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigurationError, DamagedFile, NotReady, OutOfReach
from core.files import refuses_writing
from core.number_format import duration_text
from core.price_rules import stale_after_s
from core.processes.health_schema import (
    ALERTS,
    API,
    COLLECTOR,
    DASHBOARD,
    PIPELINE,
    SIMULATOR,
    SUITE,
    AlertsProgress,
    ApiProgress,
    CollectorProgress,
    NoProgress,
    PipelineProgress,
    Process,
    ProcessState,
    SimulatorProgress,
    SuiteProgress,
    api_worker,
)
from core.processes.heartbeat import Health, read_health
from core.reading.forecast_columns import forecast_columns
from core.reading.readers import Readers
from core.settings import Settings, Source
from core.times import HOUR_MS, now_ms, parse_iso
from core.wording import Message, message
from core.workspace import source_choice

__all__ = ["Processes", "State", "SuiteStatus", "assess_suite"]

_MAX_LENGTH: Final = 300
_SETTINGS_REFUSED: Final = "source.settings_refused"
_UNREADY: Final = frozenset({"problem.prices_stale", "problem.forecasts_stale"})


class State(StrEnum):
    """The state of the suite in one word, as the API shows it."""

    OK = "ok"
    DEGRADED = "degradado"
    WAITING = "aguardando_dados"


@dataclass(frozen=True)
class Processes:
    """The health of every process of the suite."""

    suite: Health[SuiteProgress]
    collector: Health[CollectorProgress]
    pipeline: Health[PipelineProgress]
    api: Health[ApiProgress]
    dashboard: Health[NoProgress]
    simulator: Health[SimulatorProgress]
    alerts: Health[AlertsProgress]
    api_workers: tuple[Health[ApiProgress], ...] = ()
    """The further processes of the API that the supervisor has started."""

    follows: bool = False
    """Whether collector and pipeline run on another machine, and the age of what they make tells how they are."""

    @classmethod
    def read(cls, run_dir: Path, *, follows: bool = False) -> Processes:
        """Read all health files of a folder."""
        suite = read_health(run_dir, SUITE)
        return cls(
            suite=suite,
            collector=read_health(run_dir, COLLECTOR),
            pipeline=read_health(run_dir, PIPELINE),
            api=read_health(run_dir, API),
            dashboard=read_health(run_dir, DASHBOARD),
            simulator=read_health(run_dir, SIMULATOR),
            alerts=read_health(run_dir, ALERTS),
            api_workers=tuple(read_health(run_dir, worker) for worker in _further_workers(suite)),
            follows=follows,
        )

    def by_name(self) -> Mapping[str, Health[Any]]:
        """The processes by name, in the order in which people read them."""
        found = (self.suite, self.simulator, self.collector, self.pipeline, self.api, self.dashboard, self.alerts)
        return {health.name: health for health in found}

    def needed(self) -> Iterable[Health[Any]]:
        """The processes that must run; API, dashboard and alerts only if a supervisor has started them."""
        if not self.suite.alive:
            return () if self.follows else (self.collector, self.pipeline)
        watching = (self.alerts,) if self.alerts.name in self.suite.progress.children else ()
        return (self.collector, self.pipeline, self.api, *self.api_workers, self.dashboard, *watching)


@dataclass(frozen=True)
class SuiteStatus:
    """The state of the suite at one time; the worst of `problems` comes first."""

    state: State
    source: Source | None
    notice: Message | None
    problems: tuple[Message, ...]
    processes: Processes
    newest_price_ms: int | None
    forecast_ms: int | None
    stale_after_s: float
    forecast_stale_after_s: float

    @property
    def unready(self) -> tuple[Message, ...]:
        """Why there are no current data to serve; empty if there are."""
        if self.state is State.WAITING:
            return (message("refusal.not_ready"),)
        return tuple(problem for problem in self.problems if problem.code in _UNREADY)

    @property
    def is_live(self) -> bool:
        """Whether the prices shown come live from CoinGecko."""
        return self.source is Source.COINGECKO

    @property
    def replay_ends_ms(self) -> int | None:
        """When the current recording ends, in UTC milliseconds; None without a replay."""
        return self.processes.simulator.progress.replay_ends_ms if self.source is Source.REPLAY else None

    @property
    def price_age_s(self) -> float | None:
        """Seconds since the event time of the newest price."""
        return None if self.newest_price_ms is None else max(0.0, (now_ms() - self.newest_price_ms) / 1000)

    @property
    def forecast_age_s(self) -> float | None:
        """Seconds since the newest forecast was made."""
        return None if self.forecast_ms is None else max(0.0, (now_ms() - self.forecast_ms) / 1000)


def assess_suite(settings: Settings, readers: Readers) -> SuiteStatus:
    """Assess the suite from health files, pids and ages of data; damaged files become problems, not errors."""
    processes = Processes.read(settings.run_dir, follows=settings.artifacts_url is not None)
    stale_s = processes.collector.progress.stale_after_s or stale_after_s(settings.interval)
    forecast_stale_s = max(4 * settings.interval, 60.0)
    source, notice = _source(settings, readers, processes.suite)
    newest_price_ms, price_problem = _newest_price(readers)
    forecast_ms, forecast_problem = _newest_forecast(readers)
    disk_problem = _disk(settings.run_dir, processes.collector)
    problems = [
        *disk_problem,
        *_dead(processes, disk_refuses=bool(disk_problem)),
        *_silent_parent(processes.suite, disk_refuses=bool(disk_problem)),
        *_refused(processes.collector),
        *_damaged((processes.collector, processes.pipeline)),
        *_following(readers),
        *price_problem,
        *_stale("problem.prices_stale", newest_price_ms, stale_s),
        *forecast_problem,
        *_stale("problem.forecasts_stale", forecast_ms, forecast_stale_s),
        *_failed_steps(processes.pipeline),
        *_late(processes.pipeline),
    ]
    has_data = newest_price_ms is not None and forecast_ms is not None
    with_data = State.DEGRADED if problems else State.OK
    return SuiteStatus(
        state=with_data if has_data else State.WAITING,
        source=source,
        notice=notice,
        problems=tuple(problems),
        processes=processes,
        newest_price_ms=newest_price_ms,
        forecast_ms=forecast_ms,
        stale_after_s=stale_s,
        forecast_stale_after_s=forecast_stale_s,
    )


def _source(settings: Settings, readers: Readers, suite: Health[SuiteProgress]) -> tuple[Source | None, Message | None]:
    try:
        source = readers.workspace().source
    except (NotReady, ConfigurationError):
        return None, None
    notice = suite.progress.notice if suite.alive else None
    choice = source_choice(settings)
    return source, notice or (choice.notice if choice else None)


def _disk(folder: Path, collector: Health[CollectorProgress]) -> list[Message]:
    """A disk that cannot be written, or else the reason why the collector cannot store prices."""
    if folder.exists() and refuses_writing(folder):
        return [message("problem.disk_refuses", folder=str(folder.parent))]
    if collector.alive and collector.state is ProcessState.STORAGE_REFUSED:
        return [message("problem.prices_unsaved", reason=collector.progress.message or "?")]
    return []


def _dead(processes: Processes, *, disk_refuses: bool) -> list[Message]:
    """Processes that are not alive; on a full disk nobody can write a heartbeat, so only missing pids count.

    Several processes of the API are one service.
    """
    workers = {health.name: API.name for health in processes.api_workers}
    stopped = [h.name for h in processes.needed() if not (h.alive or (disk_refuses and h.running))]
    return [message(f"problem.{name}_stopped") for name in dict.fromkeys(workers.get(name, name) for name in stopped)]


def _further_workers(suite: Health[SuiteProgress]) -> Iterable[Process[ApiProgress]]:
    """The processes of the API beside the first one."""
    return itertools.takewhile(
        lambda worker: worker.name in suite.progress.children, map(api_worker, itertools.count(2))
    )


def _silent_parent(suite: Health[SuiteProgress], *, disk_refuses: bool) -> list[Message]:
    """The supervisor that started this process, if it is suspended or hangs: then nobody restarts what ends.

    Only its own parent is judged, whose pid cannot have become that of another process.
    """
    if suite.alive or disk_refuses or suite.pid != os.getppid():
        return []
    return [message("problem.suite_silent")]


def _refused(collector: Health[CollectorProgress]) -> list[Message]:
    """Key, plan or currency that the source accepts no more."""
    reason = collector.progress.wait_reason if collector.alive else None
    if reason is None or reason.code != _SETTINGS_REFUSED:
        return []
    return [message("problem.settings_refused", reason=reason)]


def _damaged(writers: Iterable[Health[Any]]) -> list[Message]:
    """Damaged files that were set aside within the last hour."""
    found = [name for health in writers for name, at in health.damaged.items() if parse_iso(at) >= now_ms() - HOUR_MS]
    return [message("problem.files_damaged", files=", ".join(found)[:_MAX_LENGTH])] if found else []


def _following(readers: Readers) -> list[Message]:
    problem = readers.following_problem()
    return [] if problem is None else [message("problem.artifacts", reason=problem)]


def _newest_price(readers: Readers) -> tuple[int | None, list[Message]]:
    try:
        times = [price.ts_ms for price in readers.latest_prices().values()]
    except OutOfReach:
        return None, [message("problem.prices_out_of_reach")]
    except NotReady:
        return None, []
    except DamagedFile as error:
        return None, [message("problem.prices_damaged", reason=error.message)]
    except ConfigurationError as error:
        return None, [message("problem.prices_refused", reason=error.message)]
    return max(times, default=None), []


def _newest_forecast(readers: Readers) -> tuple[int | None, list[Message]]:
    try:
        return int(forecast_columns(readers).created_ms.max()), []
    except (NotReady, ConfigurationError, ValueError):
        return None, []
    except DamagedFile as error:
        return None, [message("problem.forecasts_damaged", reason=error.message)]


def _stale(code: str, ts_ms: int | None, limit_s: float) -> list[Message]:
    age_s = 0.0 if ts_ms is None else (now_ms() - ts_ms) / 1000
    if age_s <= limit_s:
        return []
    return [message(code, age=duration_text(age_s))]


def _late(pipeline: Health[PipelineProgress]) -> list[Message]:
    """Coins whose last forecasts stand, because their shard is being rebuilt."""
    late = pipeline.progress.late if pipeline.alive else ()
    return [message("problem.coins_late", count=len(late), coins=", ".join(late)[:_MAX_LENGTH])] if late else []


def _failed_steps(pipeline: Health[PipelineProgress]) -> list[Message]:
    """Steps that failed in the last cycle of a live pipeline, which keeps forecasting with the last model."""
    failed = pipeline.progress.failed_steps if pipeline.alive else {}
    return [
        message("problem.step_failed", step=message(f"step.{step}"), reason=reason) for step, reason in failed.items()
    ]
