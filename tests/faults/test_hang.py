"""A process whose main loop hangs stops its heartbeat and is restarted; a supervisor that hangs is told."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from core.processes.health_schema import PIPELINE, PROCESSES, ProcessState
from core.processes.heartbeat import BEAT_S, read_health
from core.settings import PROJECT, Settings, Source
from core.workspace import open_workspace, publish_source
from suite import children
from suite.console import Console
from suite.supervisor import ChildSpec, Supervisor, Timings
from tests.support.ports import reserve_port
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="the main threads are hung by a signal"),
]

IMPATIENT = """
import runpy, signal, sys, time
import core.processes.heartbeat, core.processes.event_loop_heartbeat
core.processes.heartbeat.PATIENCE_S = core.processes.event_loop_heartbeat.LOOP_PATIENCE_S = 4.0
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(3600))
sys.argv = ["core.processes.child", *sys.argv[1:]]
runpy.run_module("core.processes.child", run_name="__main__", alter_sys=True)
"""
"""Runs a child as the suite does, with short time limits; SIGUSR1 makes its main thread sleep for an hour."""

NAMES = ("api", "dashboard", "collector", "pipeline")
PATIENCE_S = 90


def test_processes_that_hang_are_restarted(tmp_path: Path, tell: Callable[..., None]) -> None:
    """When the main thread of a process sleeps while its heartbeat thread runs, the process is replaced and works."""
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic's own argument
        source=Source.COINGECKO,
        data_dir=tmp_path / "data",
        models_dir=tmp_path / "models",
        coingecko_url=f"http://127.0.0.1:{reserve_port()}",
        api_port=reserve_port(),
        dashboard_port=reserve_port(),
        interval=5,
    )
    publish_source(settings, open_workspace(settings), None)
    output = io.StringIO()
    timings = Timings(first_backoff=0.1, silence_warned=BEAT_S + 3, silence_restarted=BEAT_S + 5, stop_total=5)
    console = Console(output)
    supervisor = Supervisor(console, PROJECT, settings.run_dir, timings)

    def tick_until(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, output.getvalue()
            supervisor.tick()
            time.sleep(0.1)

    def works(name: str) -> bool:
        health = read_health(settings.run_dir, PROCESSES[name])
        return health.alive and health.pid == supervisor.pid(name) and health.state is not ProcessState.STARTING

    try:
        for spec in (getattr(children, name)(settings) for name in NAMES):
            supervisor.start(_impatient(spec))
        tick_until(lambda: all(works(name) for name in NAMES))
        first = {name: supervisor.pid(name) for name in NAMES}
        rest_ends = time.monotonic() + 8
        tick_until(lambda: time.monotonic() > rest_ends)
        assert {name: supervisor.pid(name) for name in NAMES} == first, (
            "a process that waits for a source does not hang"
        )
        for pid in first.values():
            os.kill(pid or 0, signal.SIGUSR1)
        tick_until(lambda: all(works(name) and supervisor.pid(name) != first[name] for name in NAMES))
    finally:
        with console:
            supervisor.stop()
    said = output.getvalue()
    for name in NAMES:
        assert f"{name} não dá sinal há" in said
        trace = "\n".join(line for line in said.splitlines() if line.startswith(f"{name:<9} |"))
        assert "the heartbeat pauses" in trace
        assert "most recent call first" in trace
    tell("main loops that hang", len(NAMES), len(NAMES))


def test_a_suspended_supervisor_is_told_by_its_children(
    runs: Callable[..., RunningSuite], tell: Callable[..., None]
) -> None:
    """While run_all.py is suspended /status says so and cycles go on; once it runs again nothing is left of it."""
    run = runs("--demo", "--coins", "bitcoin")
    run.wait(lambda: run.forecasts(("bitcoin",)), PATIENCE_S)

    def problems() -> list[str] | None:
        status = run.get("/status")
        return None if status is None else status["codigos_dos_problemas"]

    def cycles() -> int:
        return read_health(run.run_dir, PIPELINE).progress.cycle or 0

    run.wait(lambda: problems() == [])
    run.process.send_signal(signal.SIGSTOP)
    try:
        run.wait(lambda: problems() == ["suite_silent"])
        seen = cycles()
        run.wait(lambda: cycles() > seen)
    finally:
        run.process.send_signal(signal.SIGCONT)
    run.wait(lambda: problems() == [])
    assert {child.restarts for child in run.children().values()} == {0}
    tell("a suspended supervisor", 1, 1)
    assert run.end(signal.SIGTERM) == 0


def _impatient(spec: ChildSpec) -> ChildSpec:
    assert spec.argv[:3] == (sys.executable, "-m", "core.processes.child")
    return replace(spec, argv=(sys.executable, "-c", IMPATIENT, *spec.argv[3:]))
