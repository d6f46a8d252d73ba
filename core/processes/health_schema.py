"""The typed content of health files, by which the processes report on themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from core.wording import Message

__all__ = [
    "ALERTS",
    "API",
    "COLLECTOR",
    "DASHBOARD",
    "PIPELINE",
    "PROCESSES",
    "RECENT",
    "SIMULATOR",
    "SUITE",
    "AlertsProgress",
    "ApiProgress",
    "ChildStatus",
    "CollectorProgress",
    "Headline",
    "NoProgress",
    "PipelineProgress",
    "PollOutcome",
    "Process",
    "ProcessState",
    "Progress",
    "RouteRequests",
    "SimulatorProgress",
    "Step",
    "SuiteProgress",
    "api_worker",
]


RECENT: Final = 60
"""Polls and cycles of which a health file keeps a figure each: half an hour at the usual interval."""


class ProcessState(StrEnum):
    """What a process is doing; its text is `state.<value>` in the catalogues."""

    STARTING = "starting"
    RUNNING = "running"
    SERVING = "serving"
    WATCHING = "watching"
    COLLECTING = "collecting"
    WAITING = "waiting"
    WAITING_FOR_PRICES = "waiting_for_prices"
    CYCLING = "cycling"
    STORAGE_REFUSED = "storage_refused"
    STANDING_BY = "standing_by"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class PollOutcome(StrEnum):
    """How a call of the collector's polls ended."""

    ANSWERED = "answered"
    UNAVAILABLE = "unavailable"
    RATE_LIMITED = "rate_limited"
    BANNED = "banned"
    BAD_REPLY = "bad_reply"
    REFUSED = "refused"


class Step(StrEnum):
    """A step of the pipeline; its text is `step.<value>` in the catalogues."""

    OPENING = "opening"
    INSPECTION = "inspection"
    PRICES = "prices"
    FEATURES = "features"
    RESTART = "restart"
    EARLY_FORECASTS = "early_forecasts"
    TRAINING = "training"
    FORECASTS = "forecasts"
    SCORES = "scores"
    BACKTEST = "backtest"
    TIDYING = "tidying"
    SAVING = "saving"
    COPYING = "copying"


@dataclass(frozen=True)
class NoProgress:
    """The record of a process that reports only its state."""


@dataclass(frozen=True)
class CollectorProgress:
    """The record of the collector.

    Times are ISO 8601 in UTC, durations in seconds; `missing`, `late` and `pending_jumps` name coins;
    a limit of calls is None where the plan has no limit; `polls` counts the calls of the polls since the start;
    `recent_calls_minute` has `calls_minute` at the end of each of the last polls, oldest first.
    """

    message: Message | None = None
    cadence_s: float | None = None
    stale_after_s: float | None = None
    coins: int | None = None
    last_poll_at: str | None = None
    last_price_at: str | None = None
    backfill_done: int = 0
    backfill_total: int = 0
    wait_until: str | None = None
    wait_reason: Message | None = None
    missing: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    pending_jumps: tuple[str, ...] = ()
    set_aside: str | None = None
    stored: int = 0
    unsaved: int = 0
    calls_minute: int = 0
    calls_month: int = 0
    calls_minute_limit: int | None = None
    calls_month_limit: int | None = None
    polls: Mapping[PollOutcome, int] = field(default_factory=dict)
    recent_calls_minute: tuple[int, ...] = ()


@dataclass(frozen=True)
class Headline:
    """The one-hour forecast of the first coin, which run_all.py prints each cycle."""

    coin: str
    price: float
    mean: float
    low80: float
    high80: float


@dataclass(frozen=True)
class PipelineProgress:
    """The last cycle of the pipeline.

    `failed_steps` maps each failed step to the reason; `deferred` counts how often each step was deferred;
    `late` names the coins whose forecasts could not be renewed, because their shard is being rebuilt;
    `recent_cycle_seconds` has the durations of the last cycles, this one included, oldest first.
    """

    message: Message | None = None
    failed_steps: Mapping[Step, Message | str] = field(default_factory=dict)
    cycle: int | None = None
    cycle_seconds: float | None = None
    step_seconds: Mapping[Step, float] = field(default_factory=dict)
    deferred: Mapping[Step, int] = field(default_factory=dict)
    coins: int | None = None
    late: tuple[str, ...] = ()
    model_share: float | None = None
    forecast_at: str | None = None
    trained_at: str | None = None
    model_version: str | None = None
    centre_moves: bool | None = None
    log_rows: int | None = None
    score_rows: int | None = None
    awaiting_outcome: int | None = None
    bytes_written: int | None = None
    headline: Headline | None = None
    recent_cycle_seconds: tuple[float, ...] = ()


@dataclass(frozen=True)
class ChildStatus:
    """The state of one child of run_all.py."""

    pid: int | None
    state: ProcessState
    restarts: int
    last_exit: int | None
    started_at: str


@dataclass(frozen=True)
class SuiteProgress:
    """The record of run_all.py: the source, the notice about it, the addresses, and the children by name."""

    source: str | None = None
    notice: Message | None = None
    urls: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, ChildStatus] = field(default_factory=dict)


@dataclass(frozen=True)
class SimulatorProgress:
    """The local market server; `replay_ends_ms` is when its recording ends, in UTC milliseconds."""

    url: str | None = None
    replay_ends_ms: int | None = None


@dataclass(frozen=True)
class AlertsProgress:
    """The record of the alert process.

    `message` says what is wrong with the rules; `evaluated_at` is the newest price that was judged (ISO 8601, UTC);
    `told` counts alerts since the start, `due`, `delivered` and `dead` deliveries in the store.
    """

    message: Message | None = None
    rules: int = 0
    evaluated_at: str | None = None
    evaluation_s: float | None = None
    told: int = 0
    due: int = 0
    delivered: int = 0
    dead: int = 0


@dataclass(frozen=True)
class RouteRequests:
    """What one process of the API has answered on one route since it started.

    Answers by status, bytes of their bodies, how many took as long as each bucket of the histogram of times, and the
    sum of these times in seconds.
    """

    answers: Mapping[str, int] = field(default_factory=dict)
    size: int = 0
    bucket_counts: tuple[int, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class ApiProgress:
    """The record of one of several processes of the API, by which each can tell the requests of all."""

    requests: Mapping[str, RouteRequests] = field(default_factory=dict)
    in_progress: int = 0


Progress = (
    NoProgress | ApiProgress | CollectorProgress | PipelineProgress | SuiteProgress | SimulatorProgress | AlertsProgress
)
ProgressT = TypeVar("ProgressT", bound=Progress)


@dataclass(frozen=True)
class Process(Generic[ProgressT]):
    """The name of a process's health file and the type of its record."""

    name: str
    progress: type[ProgressT]


SUITE: Final = Process("suite", SuiteProgress)
COLLECTOR: Final = Process("collector", CollectorProgress)
PIPELINE: Final = Process("pipeline", PipelineProgress)
API: Final = Process("api", ApiProgress)
DASHBOARD: Final = Process("dashboard", NoProgress)
SIMULATOR: Final = Process("simulator", SimulatorProgress)
ALERTS: Final = Process("alerts", AlertsProgress)

PROCESSES: Final[Mapping[str, Process[Any]]] = {
    process.name: process for process in (SUITE, COLLECTOR, PIPELINE, API, DASHBOARD, SIMULATOR, ALERTS)
}


def api_worker(number: int) -> Process[ApiProgress]:
    """The process of the API with this number; the first is `api`, the second `api_2`."""
    return API if number == 1 else Process(f"{API.name}_{number}", ApiProgress)
