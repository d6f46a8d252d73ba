"""The history of cycles and calls that the dashboard's server samples."""

from __future__ import annotations

from pathlib import Path

from core.processes.health_schema import CollectorProgress, PipelineProgress, ProcessState
from dashboard.shell.run_history import RunHistory
from tests.support.workspace import SampleWorkspace


def test_a_cycle_counts_once_and_a_dead_process_not_at_all(tmp_path: Path) -> None:
    """Two samples of one cycle are one duration; calls are taken at each sample of a live collector."""
    workspace = SampleWorkspace.make(tmp_path)
    history = RunHistory(workspace.settings.run_dir)
    history.sample()
    assert (list(history.cycle_seconds), list(history.calls_minute)) == ([], [])
    workspace.beat("pipeline", cycle=1, cycle_seconds=0.5)
    workspace.beat("collector", calls_minute=3)
    history.sample()
    history.sample()
    workspace.heartbeats["pipeline"].state(ProcessState.CYCLING, PipelineProgress(cycle=2, cycle_seconds=0.7))
    workspace.heartbeats["collector"].state(ProcessState.WAITING, CollectorProgress(calls_minute=4))
    history.sample()
    assert list(history.cycle_seconds) == [0.5, 0.7]
    assert list(history.calls_minute) == [3, 3, 4]
    workspace.close()
    history.sample()
    assert list(history.calls_minute) == [3, 3, 4]
