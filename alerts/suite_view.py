"""The suite as columns: processes, age of the prices, disk, calls; read from health files and the disk."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np

from alerts.conditions.views import ProcessView, SuiteView
from alerts.rules.suite_conditions import PROCESS_NAMES
from core.price_rules import stale_after_s
from core.processes.health_schema import API, COLLECTOR, DASHBOARD, PIPELINE, PROCESSES, SUITE, ChildStatus
from core.processes.heartbeat import Health, read_health
from core.settings import Settings
from core.times import MINUTE_MS, parse_iso

__all__ = ["present_since_ms", "process_view", "suite_view"]

_GIGABYTE: Final = 10**9
_ALWAYS_NEEDED: Final = (COLLECTOR.name, PIPELINE.name)
_FRONT_ENDS: Final = (API.name, DASHBOARD.name)
_PRESENT_MS: Final = 15 * MINUTE_MS


def present_since_ms(settings: Settings, now: int) -> int:
    """From when on prices and forecasts are of the present: 15 minutes ago, or earlier if they come more seldom."""
    stale_s = read_health(settings.run_dir, COLLECTOR).progress.stale_after_s or stale_after_s(settings.interval)
    return now - max(_PRESENT_MS, round(1000 * stale_s))


def process_view(run_dir: Path, now: int) -> ProcessView:
    """What the health files say of the processes; API and dashboard are needed where run_all.py runs.

    While it runs no silence is longer than its run: what was silent before belonged to an earlier one.
    """
    suite = read_health(run_dir, SUITE)
    healths = [read_health(run_dir, PROCESSES[name]) for name in PROCESS_NAMES]
    needed = (*_ALWAYS_NEEDED, *(_FRONT_ENDS if suite.alive else ()))
    children = suite.progress.children if suite.alive else {}
    return ProcessView(
        places=np.arange(len(PROCESS_NAMES)),
        at_ms=np.full(len(PROCESS_NAMES), now, np.int64),
        silent_ms=np.minimum([_silent_ms(health, now) for health in healths], _running_ms(suite, now)),
        restarted_ms=np.array([_restarted_ms(children.get(name), now) for name in PROCESS_NAMES]),
        is_needed=np.array([name in needed for name in PROCESS_NAMES]),
    )


def suite_view(run_dir: Path, newest_price_ms: int | None, now: int) -> SuiteView:
    """The suite as a whole."""
    collector = read_health(run_dir, COLLECTOR)
    limit = collector.progress.calls_month_limit if collector.alive else None
    left = math.nan if limit is None else max(0, limit - collector.progress.calls_month)
    return SuiteView(
        places=np.zeros(1, np.int64),
        at_ms=np.array([now], np.int64),
        price_age_ms=np.array([math.nan if newest_price_ms is None else max(0, now - newest_price_ms)], np.float64),
        free_gb=np.array([shutil.disk_usage(run_dir if run_dir.exists() else run_dir.parent).free / _GIGABYTE]),
        calls_left_percent=np.array([100 * left / limit if limit else math.nan]),
        calls_left=np.array([left]),
    )


def _silent_ms(health: Health[Any], now: int) -> float:
    """Milliseconds since the last heartbeat; 0 of a live process, NaN of one that never wrote."""
    if health.alive:
        return 0.0
    if health.heartbeat_at is None:
        return math.nan
    if health.age_s is not None:
        return max(1.0, 1000 * health.age_s)
    return float(max(1, now - parse_iso(health.heartbeat_at)))


def _running_ms(suite: Health[Any], now: int) -> float:
    """Milliseconds since run_all.py started; without end if it does not run, or its clock was set back since."""
    running_ms = now - parse_iso(suite.started_at) if suite.alive and suite.started_at else -1
    return math.inf if running_ms < 0 else max(1.0, running_ms)


def _restarted_ms(child: ChildStatus | None, now: int) -> float:
    if child is None or child.restarts == 0:
        return math.nan
    return float(max(0, now - parse_iso(child.started_at)))
