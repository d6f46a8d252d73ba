"""Two days of a simulated machine: collector, pipeline and alerts under faults, restarts and the end of summer time."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.month import live
from bench.simulated_month.plan import make_plan
from core.times import parse_iso

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.name == "nt", reason="POSIX signals"),
]

DAYS, AWAKE_H, FAULTS, RESTARTS = 2, 8, 10, 4


def test_two_days_lose_nothing(tmp_path: Path, tell: Callable[..., None]) -> None:
    """Ten faults, four restarts and a night around a month's end: nothing is lost, false, doubled or left over."""
    plan = make_plan(parse_iso("2026-10-31T00:40Z"), DAYS, FAULTS, RESTARTS, awake_h=AWAKE_H, seed=1)
    month = live(tmp_path, "bitcoin,ethereum", 300, plan, sample=30)
    injected = month.faults + month.restarts
    tell("two simulated days, with restarts", injected, injected, month.lost, month.false + month.doubled)
    assert month.restarts == RESTARTS
    assert month.faults >= FAULTS - 2
    assert month.scores.recomputed > 0
    verdicts = (month.prices, month.log, month.scores, month.alerts, month.files, month.sizes)
    assert month.is_whole, "\n".join(map(str, verdicts))
