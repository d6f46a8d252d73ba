"""A pipeline that was restarted between two polls follows the collector again, with real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from bench.cadence import ForecastAges
from core.reading.readers import Readers
from core.settings import load_settings
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]

INTERVAL_S = 12


def test_a_restarted_pipeline_follows_the_polls(runs: Callable[..., RunningSuite], tell: Callable[..., None]) -> None:
    """Killed half an interval after a poll, its successor makes forecasts soon after the later polls."""
    run = runs("--demo", "--interval", str(INTERVAL_S))
    run.wait(lambda: run.forecasts(("bitcoin",)), 180)
    settings = load_settings(source="auto", data_dir=run.data_dir, models_dir=run.data_dir.parent / "modelos")
    ages = ForecastAges(Readers(settings), "bitcoin")

    def see(count: int) -> list[float]:
        while len(ages.seen) < count:
            ages.look()
            time.sleep(0.05)
        return [(seen - fetched) / 1000 for fetched, seen in ages.seen]

    see(3)
    time.sleep(INTERVAL_S / 2)
    run.kill_child("pipeline")
    later = see(7)[4:]
    assert max(later) < INTERVAL_S / 2, later
    tell("pipelines that fall out of step with the collector", 1, 1)
    assert run.end(signal.SIGTERM) == 0
