"""Metrics of the processes and of the source, from their health files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import psutil
from prometheus_client.core import Metric

from api.metrics.families import counter, counters, gauge, gauges
from core.processes.health_schema import AlertsProgress, CollectorProgress, PipelineProgress
from core.processes.heartbeat import Health
from core.reading.status import Processes, State, SuiteStatus
from core.version import VERSION

__all__ = ["suite_families"]


def suite_families(status: SuiteStatus) -> Iterable[Metric]:
    """The metric families of the suite's state, its processes, its source and its cycles."""
    yield from _state(status)
    yield from _processes(status)
    yield from _source(status.processes.collector.progress)
    yield from _cycles(status.processes.pipeline)
    if status.processes.alerts.pid is not None:
        yield from _alerts(status.processes.alerts.progress)


def _state(status: SuiteStatus) -> Iterable[Metric]:
    about = {(VERSION, status.source.value if status.source else "undecided"): 1}
    yield from gauges("info", "Always 1; the labels say what runs.", "version source", about)
    yield from gauge("ready", "Whether there are prices and forecasts.", status.state is not State.WAITING)
    yield from gauge("problems", "Number of problems that /status names.", len(status.problems))
    codes = {problem.code.removeprefix("problem."): 1 for problem in status.problems}
    yield from gauges("problem", "Always 1 for each problem that /status names.", "code", codes)


def _processes(status: SuiteStatus) -> Iterable[Metric]:
    known = _known(status.processes)
    up = {name: health.alive for name, health in known.items()}
    yield from gauges("process_up", "Whether the process runs and gives signs of life.", "process", up)
    ages = {name: health.age_s for name, health in known.items()}
    yield from gauges("process_heartbeat_age_seconds", "Time since the last sign of life.", "process", ages)
    memory = {name: _memory_bytes(health) for name, health in known.items()}
    yield from gauges("process_resident_memory_bytes", "Resident memory of the process.", "process", memory)
    errors = {name: health.counters.get("errors", 0) for name, health in known.items()}
    yield from counters("process_errors", "Errors that the process reported since its start.", "process", errors)
    children = status.processes.suite.progress.children
    restarts = {name: child.restarts for name, child in children.items()}
    yield from counters("process_restarts", "Restarts by run_all.py since its own start.", "process", restarts)


def _known(processes: Processes) -> Mapping[str, Health[Any]]:
    """The processes that tell of now: a running suite also has files of those that an earlier start needed."""
    suite, needed = processes.suite, {health.name for health in processes.needed()}
    children = {suite.name, *suite.progress.children}
    everything = {**processes.by_name(), **{worker.name: worker for worker in processes.api_workers}}
    return {
        name: health
        for name, health in everything.items()
        if name in needed or (health.pid is not None and (health.alive or name in children or not suite.running))
    }


def _memory_bytes(health: Health[Any]) -> float | None:
    if not health.alive or health.pid is None:
        return None
    try:
        return float(psutil.Process(health.pid).memory_info().rss)
    except psutil.Error:  # it has just ended, or belongs to somebody else
        return None


def _source(collector: CollectorProgress) -> Iterable[Metric]:
    polls = {outcome.value: count for outcome, count in collector.polls.items()}
    yield from counters("polls", "Calls of the collector's polls, by outcome.", "outcome", polls)
    used = {"minute": collector.calls_minute, "month": collector.calls_month}
    limits = {"minute": collector.calls_minute_limit, "month": collector.calls_month_limit}
    left = {window: None if limit is None else max(0, limit - used[window]) for window, limit in limits.items()}
    yield from gauges("source_calls_used", "Calls made within the window of the budget.", "window", used)
    yield from gauges("source_calls_limit", "Calls that the budget allows, where it has a limit.", "window", limits)
    yield from gauges("source_calls_left", "Calls left in the budget, where it has a limit.", "window", left)
    yield from gauge("poll_cadence_seconds", "Time between two polls.", collector.cadence_s)
    waiting = collector.backfill_total - collector.backfill_done
    yield from gauge("backfill_waiting_coins", "Coins whose history is still to be fetched.", waiting)
    yield from gauge("unsaved_prices", "Prices that wait in memory because the disk refuses them.", collector.unsaved)


def _cycles(health: Health[PipelineProgress]) -> Iterable[Metric]:
    pipeline = health.progress
    yield from counter("cycles", "Cycles of the pipeline since its start.", health.counters.get("cycles"))
    text = "Forecasts published since the pipeline's start, one per coin and horizon."
    yield from counter("forecasts_published", text, health.counters.get("forecasts"))
    yield from gauge("cycle_duration_seconds", "Time that the last cycle took.", pipeline.cycle_seconds)
    steps = {step.value: seconds for step, seconds in pipeline.step_seconds.items()}
    yield from gauges("cycle_step_duration_seconds", "Time that each step of the last cycle took.", "step", steps)
    failed = {step.value: 1 for step in pipeline.failed_steps}
    yield from gauges("cycle_step_failed", "Always 1 for each step that failed in the last cycle.", "step", failed)
    deferred = {step.value: count for step, count in pipeline.deferred.items()}
    yield from counters("cycle_steps_deferred", "Steps left to a later cycle for want of time.", "step", deferred)
    yield from gauge("model_share", "Share of the forecasts that the model made, 0 to 1.", pipeline.model_share)
    yield from gauge("forecasts_awaiting_outcome", "Logged forecasts not scored yet.", pipeline.awaiting_outcome)


def _alerts(alerts: AlertsProgress) -> Iterable[Metric]:
    yield from gauge("alert_rules", "Rules of alerts that are watched.", alerts.rules)
    yield from gauge("alert_evaluation_seconds", "Time that it took to judge them last.", alerts.evaluation_s)
    yield from counter("alerts", "Alerts told since the start of the alert process.", alerts.told)
    deliveries = {"due": alerts.due, "delivered": alerts.delivered, "dead": alerts.dead}
    text = "Deliveries of alerts in the store: still due, delivered, or given up."
    yield from gauges("alert_deliveries", text, "state", deliveries)
