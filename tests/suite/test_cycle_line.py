"""The line that is printed for each cycle."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from core.processes.health_schema import Headline, PipelineProgress
from suite.cycle_line import CycleReporter, cycle_line

PROGRESS = PipelineProgress(
    cycle=12,
    cycle_seconds=0.84,
    coins=10,
    forecast_at="2026-11-22T14:03:30+00:00",
    headline=Headline("bitcoin", price=67187.33, mean=67190.0, low80=66900.0, high80=67480.0),
)


def test_the_cycle_line_has_time_coins_forecast_and_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows time, cycle, number of coins, the first coin's forecast with its interval, and the duration."""
    line = cycle_line(PROGRESS)
    expected = "ciclo 12 · 10 moedas · bitcoin 67.187,33 → 67.190,00 [66.900,00–67.480,00] 80 % · 0,8 s"
    assert re.fullmatch(r"\d\d:\d\d:30 " + re.escape(expected), line)


def test_cycle_line_without_headline() -> None:
    """A cycle without a forecast still has a line, in the singular for one coin."""
    assert cycle_line(replace(PROGRESS, headline=None, coins=1)).endswith("ciclo 12 · 1 moeda · 0,8 s")


def test_each_cycle_is_reported_once() -> None:
    """A new cycle gives a line once, and so does the first cycle of a restarted pipeline."""
    reporter = CycleReporter()
    assert reporter.line(1, PipelineProgress()) is None
    assert reporter.line(1, PROGRESS) is not None
    assert reporter.line(1, PROGRESS) is None
    assert reporter.line(1, replace(PROGRESS, cycle=13)) is not None
    assert reporter.line(2, replace(PROGRESS, cycle=13)) is not None
