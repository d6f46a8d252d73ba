"""Conditions about the suite: coverage, age of the data, processes, disk, calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from alerts.conditions.sides import UNKNOWN, Floats, Sides, column_of, exceeding
from alerts.conditions.views import CoverageView, ProcessView, SuiteView
from alerts.rules.suite_conditions import CallsLow, CoverageOut, DataStale, DiskLow, ProcessDown, ProcessRestarted
from core.times import MINUTE_MS

__all__ = ["RESTART_SEEN_MS", "CallsJudge", "CoverageJudge", "DiskJudge", "DownJudge", "RestartJudge", "StaleJudge"]

RESTART_SEEN_MS: Final = 10 * MINUTE_MS
"""For so long after a restart the condition holds; restarts that follow each other sooner are told once."""

_PROMISED: Final = 80.0


class CoverageJudge:
    """The share of outcomes within the 80 % band is off its promise by more than so many points."""

    def __init__(self, conditions: Sequence[CoverageOut], slack: Floats) -> None:
        self._tolerance = column_of([condition.tolerance for condition in conditions])
        self._leave = self._tolerance * (1 - slack)

    def sides(self, view: CoverageView) -> Sides:
        """0 or 1 for each rule and subject."""
        return exceeding(np.abs(view.coverage - _PROMISED)[None, :], self._tolerance, self._leave, at_least=False)

    def figures(self, row: int, view: CoverageView, column: int) -> dict[str, float]:
        """Coverage in percent, its promise, and the number of forecasts."""
        return {
            "coverage": float(view.coverage[column]),
            "promised": _PROMISED,
            "tolerance": float(self._tolerance[row, 0]),
            "forecasts": float(view.forecasts[column]),
        }


class StaleJudge:
    """The newest price is at least so old."""

    def __init__(self, conditions: Sequence[DataStale], slack: Floats) -> None:
        self._after_ms = column_of([condition.after_ms for condition in conditions])
        self._leave = self._after_ms * (1 - slack)

    def sides(self, view: SuiteView) -> Sides:
        """0 or 1 for each rule."""
        return exceeding(view.price_age_ms[None, :], self._after_ms, self._leave)

    def figures(self, row: int, view: SuiteView, column: int) -> dict[str, float]:
        """Age in minutes."""
        return {
            "age_min": float(view.price_age_ms[column] / MINUTE_MS),
            "after_min": float(self._after_ms[row, 0] / MINUTE_MS),
        }


class DownJudge:
    """A process has been silent for at least so long."""

    def __init__(self, conditions: Sequence[ProcessDown], slack: Floats) -> None:
        self._after_ms = column_of([condition.after_ms for condition in conditions])
        self._is_named = np.array([[condition.processes is not None] for condition in conditions])
        self._leave = np.maximum(self._after_ms * (1 - slack), 1.0)

    def sides(self, view: ProcessView) -> Sides:
        """0 or 1 for each rule and process."""
        enter = np.maximum(self._after_ms, 1.0)
        sides = exceeding(view.silent_ms[None, :], enter, self._leave)
        sides[~(self._is_named | view.is_needed[None, :])] = UNKNOWN
        return sides

    def figures(self, row: int, view: ProcessView, column: int) -> dict[str, float]:
        """Seconds of silence."""
        return {"silent_s": float(view.silent_ms[column] / 1000), "after_s": float(self._after_ms[row, 0] / 1000)}


class RestartJudge:
    """run_all.py has started a process again a short while ago."""

    def __init__(self, conditions: Sequence[ProcessRestarted], slack: Floats) -> None:
        del slack  # it happened or not
        self._rules = len(conditions)

    def sides(self, view: ProcessView) -> Sides:
        """0 or 1 for each rule and process; a process that never was started again is on side 0."""
        recent = np.nan_to_num(view.restarted_ms, nan=np.inf) < RESTART_SEEN_MS
        return np.broadcast_to(recent, (self._rules, len(recent))).astype(np.int8)

    def figures(self, row: int, view: ProcessView, column: int) -> dict[str, float]:
        """Seconds since the start."""
        del row
        restarted_ms = view.restarted_ms[column]
        return {"restarted_s": float(restarted_ms / 1000)} if np.isfinite(restarted_ms) else {}


class DiskJudge:
    """Less than so many gigabytes are free."""

    def __init__(self, conditions: Sequence[DiskLow], slack: Floats) -> None:
        self._free_gb = column_of([condition.free_gb for condition in conditions])
        self._leave = self._free_gb * (1 + slack)

    def sides(self, view: SuiteView) -> Sides:
        """0 or 1 for each rule."""
        return exceeding(-view.free_gb[None, :], -self._free_gb, -self._leave, at_least=False)

    def figures(self, row: int, view: SuiteView, column: int) -> dict[str, float]:
        """Gigabytes that are free."""
        return {"free_gb": float(view.free_gb[column]), "threshold_gb": float(self._free_gb[row, 0])}


class CallsJudge:
    """Less than so many percent of the month's calls are left."""

    def __init__(self, conditions: Sequence[CallsLow], slack: Floats) -> None:
        self._percent = column_of([condition.percent for condition in conditions])
        self._leave = self._percent * (1 + slack)

    def sides(self, view: SuiteView) -> Sides:
        """0 or 1 for each rule."""
        return exceeding(-view.calls_left_percent[None, :], -self._percent, -self._leave, at_least=False)

    def figures(self, row: int, view: SuiteView, column: int) -> dict[str, float]:
        """Calls that are left, and their share in percent."""
        return {
            "calls_left": float(view.calls_left[column]),
            "left_percent": float(view.calls_left_percent[column]),
            "threshold_percent": float(self._percent[row, 0]),
        }
