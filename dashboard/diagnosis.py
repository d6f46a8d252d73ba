"""What the diagnostics page says of the suite: what is wrong, since when, and what to do. Pure: status in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from core.processes.health_schema import Step
from core.processes.heartbeat import Health
from core.reading.status import SuiteStatus
from core.times import parse_iso
from core.wording import Message, message
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["HIDDEN", "Finding", "facts", "findings", "process_rows", "process_state", "summary"]

HIDDEN: Final = (
    "headline", "children", "urls", "calls_minute_limit", "calls_month_limit", "polls", "forecasts",
    "recent_calls_minute", "recent_cycle_seconds",
)  # fmt: skip
"""Progress values that are meant for programs or shown elsewhere on the page."""

_MAX_FACT_LENGTH: Final = 300
_SECONDS: Final = ("cadence_s", "stale_after_s", "cycle_seconds", "step_seconds")
_SHARES: Final = ("model_share",)
_BYTES: Final = ("bytes_written",)
_SHORT_S: Final = 10.0
"""Durations below this have two decimals."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a sentence, since when (UTC milliseconds, None if unknown), and what to do about it."""

    sentence: str
    since_ms: int | None
    advice: str


def findings(status: SuiteStatus, now_ms: int, texts: Texts) -> list[Finding]:
    """What is wrong, the worst first; empty while all is in order."""
    return [
        Finding(
            _sentence(texts.translate(problem)), _since_ms(problem, status, now_ms), _advice(problem, status, texts)
        )
        for problem in status.problems
    ]


def summary(finding: Finding, now_ms: int, formats: Formats, texts: Texts) -> str:
    """A finding in one line: what, since when, what to do."""
    if finding.since_ms is None:
        return f"{finding.sentence} {finding.advice}"
    since = texts(
        "diagnostics.since",
        moment=formats.date_time(finding.since_ms),
        age=formats.duration((now_ms - finding.since_ms) / 1000),
    )
    return f"{finding.sentence} {since} {finding.advice}"


def process_rows(status: SuiteStatus, now_ms: int, formats: Formats, texts: Texts) -> list[dict[str, str]]:
    """One row per process: its state, the time of its heartbeat, and how often it was restarted."""
    children = status.processes.suite.progress.children
    rows = []
    for name, health in status.processes.by_name().items():
        if health.pid is None and name in ("suite", "simulator", "alerts"):
            continue
        child = children.get(name)
        rows.append(
            {
                texts("process.name"): texts(f"process.{name}"),
                texts("process.state"): process_state(health, texts),
                texts("process.seen"): "—"
                if health.age_s is None
                else formats.seconds(now_ms - round(1000 * health.age_s)),
                texts("process.since"): _local_time(health.started_at, formats),
                texts("process.restarts"): "—" if child is None else str(child.restarts),
                texts("process.errors"): str(health.counters.get("errors", 0)),
                texts("process.pid"): "—" if health.pid is None else str(health.pid),
            }
        )
    return rows


def process_state(health: Health[Any], texts: Texts) -> str:
    """The state of a process in a word."""
    if health.pid is None:
        return texts("process.unknown")
    if not health.alive:
        return texts("process.dead")
    return texts.translate(message(f"state.{health.state}"))


def facts(health: Health[Any], formats: Formats, texts: Texts) -> list[tuple[str, str]]:
    """Progress and counters of a process as pairs of label and value with its unit, the last error at the end.

    Empty values are left out.
    """
    said = {field.name: getattr(health.progress, field.name) for field in fields(health.progress)}
    said |= {"damaged": health.damaged}
    said |= {name: value for name, value in health.counters.items() if name != "errors"}
    pairs = [
        (texts.get(f"fact.{health.name}_{name}", texts(f"fact.{name}")), _fact(name, value, formats, texts))
        for name, value in said.items()
        if name not in HIDDEN and value not in (None, "", (), {})
    ]
    if health.last_error:
        at = _local_time(health.last_error.at, formats)
        pairs.append((texts("fact.last_error"), f"{at}: {texts.translate(health.last_error.message)}"))
    return [(name, value[:_MAX_FACT_LENGTH]) for name, value in pairs]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _since_ms(problem: Message, status: SuiteStatus, now_ms: int) -> int | None:
    """When a problem began, as far as the processes and the data tell."""
    processes = status.processes
    kind = problem.code.removeprefix("problem.")
    match kind:
        case "prices_stale":
            return status.newest_price_ms
        case "forecasts_stale":
            return status.forecast_ms
        case "files_damaged":
            writers = (processes.collector, processes.pipeline)
            return max((parse_iso(at) for health in writers for at in health.damaged.values()), default=None)
        case "step_failed":
            error = processes.pipeline.last_error
            return parse_iso(error.at) if error else None
    stopped = processes.by_name().get(kind.removesuffix("_stopped").removesuffix("_silent"))
    return None if stopped is None or stopped.age_s is None else now_ms - round(1000 * stopped.age_s)


def _advice(problem: Message, status: SuiteStatus, texts: Texts) -> str:
    """What to do, or that nothing needs to be done."""
    kind = problem.code.removeprefix("problem.")
    if kind.endswith("_stopped"):
        return texts("advice.restarts" if status.processes.suite.alive else "advice.start")
    reason = status.processes.collector.progress.wait_reason
    if kind == "prices_stale" and status.processes.collector.alive and reason is not None:
        return texts("advice.prices_wait", reason=texts.translate(reason))
    return texts(f"advice.{kind}")


def _fact(name: str, value: object, formats: Formats, texts: Texts) -> str:
    """A value as people read it, with its unit; lists and tables become one line."""
    match value:
        case bool():
            return texts("answer.yes" if value else "answer.no")
        case int() | float():
            return _quantity(name, value, formats)
        case tuple():
            return ", ".join(_fact(name, item, formats, texts) for item in value)
        case Step() | Message():
            return texts.translate(value if isinstance(value, Message) else message(f"step.{value}"))
        case Mapping():
            pairs = [(_fact("", key, formats, texts), _fact(name, item, formats, texts)) for key, item in value.items()]
            return " · ".join(f"{key} {item}" for key, item in pairs)
    return _local_time(str(value), formats)


def _quantity(name: str, value: float, formats: Formats) -> str:
    """The number of a fact with its unit; plain where it counts something."""
    if name in _SECONDS:
        return f"{formats.number(value, 2)}\u00a0s" if value < _SHORT_S else formats.duration(value)
    if name in _SHARES:
        return formats.percent(100 * value, 0)
    if name in _BYTES:
        return formats.size(round(value))
    return formats.number(value, 0 if float(value).is_integer() else 2)


def _local_time(text: str | None, formats: Formats) -> str:
    """An ISO time in the visitor's time zone; any other text as it is."""
    if not text:
        return "—"
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    return formats.date_time(round(instant.timestamp() * 1000)) if instant.tzinfo else text
