"""The supervisor with small real processes: output, restarts, back-off, hangs, stop, orphans."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.errors import ConfigurationError
from core.processes.health_schema import ChildStatus, ProcessState
from core.settings import PARENT_VARIABLE, PROJECT
from suite.console import Console
from suite.supervisor import ChildSpec, Supervisor, Timings

QUICK = Timings(first_backoff=0.1, max_backoff=0.4, stable=30, stop_step=0.5, stop_total=1.5)
SLEEPER = "import time; print('pronto', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('pronto', flush=True); time.sleep(600)"
)
BEATS_ONCE = """
    import json, os, pathlib, sys, time
    beat = {"pid": os.getpid(), "heartbeat_monotonic": time.monotonic()}
    pathlib.Path(sys.argv[1]).write_text(json.dumps(beat))
    print("pronto", flush=True)
    time.sleep(600)
"""


class Stage:
    """A supervisor and what it printed."""

    def __init__(self, folder: Path, timings: Timings) -> None:
        self.folder = folder
        self.output = io.StringIO()
        self.changes: list[Mapping[str, ChildStatus]] = []
        self.console = Console(self.output)
        self.supervisor = Supervisor(self.console, folder, folder, timings, self.changes.append)

    def start(self, name: str, code: str, *arguments: str, is_vital: bool = True) -> None:
        """Run Python code as a child."""
        argv = (sys.executable, "-c", textwrap.dedent(code), *arguments)
        self.supervisor.start(ChildSpec(name, argv, dict(os.environ), is_vital))

    def tick_until(self, done: Callable[[], bool], patience_s: float = 20.0) -> None:
        """Tick until `done`."""
        deadline = time.monotonic() + patience_s
        while not done():
            assert time.monotonic() < deadline, self.output.getvalue()
            self.supervisor.tick()
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop all children; then everything is printed."""
        with self.console:
            self.supervisor.stop()

    def says(self, text: str, times: int = 1) -> Callable[[], bool]:
        """Whether `text` was printed at least `times` times."""
        return lambda: self.output.getvalue().count(text) >= times

    def pid(self, name: str) -> int:
        """Process id of a running child."""
        pid = self.supervisor.pid(name)
        assert pid is not None
        return pid


@pytest.fixture
def stages(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Make stages, whose children are stopped after the test."""
    made: list[Stage] = []

    def make(timings: Timings = QUICK) -> Stage:
        made.append(Stage(tmp_path, timings))
        return made[-1]

    yield make
    for stage in made:
        stage.supervisor.stop(hurry=lambda: True)


def test_output_lines_carry_the_name(stages: Callable[..., Stage]) -> None:
    """Lines of both streams have the child's name, correct accents, and include a last line without newline."""
    stage = stages()
    stage.start("fala", "import sys; print('olá'); sys.stderr.write('até logo'); sys.exit(0)")
    stage.tick_until(stage.says("fala      | até logo"))
    assert "fala      | olá\n" in stage.output.getvalue()


@pytest.mark.parametrize(
    "code", ["raise SystemExit(3)", "raise SystemExit(0)", "raise SystemExit(75)", "import os; os.abort()"]
)
def test_a_child_that_ends_is_started_again(stages: Callable[..., Stage], code: str) -> None:
    """A child is restarted after any exit code or signal, and its status counts it."""
    stage = stages()
    stage.start("cai", code)
    stage.tick_until(stage.says("cai terminou", 3))
    description = stage.supervisor.children()["cai"]
    assert description.restarts >= 2
    assert description.last_exit is not None
    assert stage.changes[-1]["cai"] == description


def test_back_off_doubles_up_to_its_limit(stages: Callable[..., Stage]) -> None:
    """Delays double from the first to the longest, each with at most 20 % of jitter."""
    stage = stages(Timings(first_backoff=0.2, max_backoff=1.0, stop_total=1))
    stage.start("cai", "raise SystemExit(1)")
    stage.tick_until(stage.says("reinicia em", 4))
    lines = [line for line in stage.output.getvalue().splitlines() if "reinicia em" in line]
    delays = [float(line.split("reinicia em ")[1].split(" ")[0].replace(",", ".")) for line in lines[:4]]
    for delay, base in zip(delays, (0.2, 0.4, 0.8, 1.0), strict=True):
        assert base - 0.05 <= delay <= 1.2 * base + 0.05


def test_the_back_off_is_reset_after_a_stable_run(stages: Callable[..., Stage]) -> None:
    """A child that ran long enough is restarted after the first delay."""
    stage = stages(Timings(first_backoff=0.1, max_backoff=60, stable=0.0, stop_total=1))
    stage.start("cai", "raise SystemExit(1)")
    stage.tick_until(stage.says("reinicia em 0,1", 4))


def test_a_killed_child_comes_back(stages: Callable[..., Stage]) -> None:
    """After SIGKILL another process of the same name runs."""
    stage = stages()
    stage.start("alvo", SLEEPER)
    stage.tick_until(stage.says("pronto"))
    first = stage.pid("alvo")
    os.kill(first, signal.SIGKILL)
    stage.tick_until(stage.says("pronto", 2))
    assert stage.pid("alvo") != first
    assert stage.supervisor.children()["alvo"].last_exit == -signal.SIGKILL


def test_a_configuration_error_is_not_retried(stages: Callable[..., Stage]) -> None:
    """Exit code 78 raises an error that names the child."""
    stage = stages()
    stage.start("teimoso", "raise SystemExit(78)")
    with pytest.raises(ConfigurationError, match="teimoso"):
        stage.tick_until(lambda: False)


def test_a_refusal_of_a_child_that_nothing_needs_ends_nothing(stages: Callable[..., Stage]) -> None:
    """Exit code 78 of a child that is not vital brings it back after a longer pause, however often."""
    stage = stages(replace(QUICK, refused=0.5))
    stage.start("avulso", "raise SystemExit(78)", is_vital=False)
    stage.tick_until(stage.says("avulso terminou (código 78): reinicia em 0,", 3))
    assert "reinicia em 0,1" not in stage.output.getvalue()


def test_a_refusal_after_a_steady_run_is_tried_again(stages: Callable[..., Stage], tmp_path: Path) -> None:
    """A child that once ran steadily and is refused at a later start, its file being gone, does not end the suite."""
    stage = stages(replace(QUICK, stable=0.5, refused=0.2))
    code = """
        import pathlib, sys, time
        ran = pathlib.Path(sys.argv[1])
        if ran.exists():
            raise SystemExit(78)
        ran.touch()
        time.sleep(0.6)
    """
    stage.start("antigo", code, str(tmp_path / "rodou"))
    stage.tick_until(stage.says("antigo terminou (código 78)", 3))


def test_a_program_that_cannot_start_is_tried_again(stages: Callable[..., Stage]) -> None:
    """A program that cannot be started is tried again."""
    stage = stages()
    stage.supervisor.start(ChildSpec("falta", ("/nao/existe",), dict(os.environ)))
    stage.tick_until(stage.says("falta não iniciou", 2))
    assert stage.supervisor.pid("falta") is None


def test_processes_of_a_dead_child_end_too(stages: Callable[..., Stage]) -> None:
    """Processes that a child started are killed when it is replaced."""
    stage = stages()
    code = """
        import subprocess, sys, time
        print("neto", subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid, flush=True)
        time.sleep(600)
    """
    stage.start("avô", code)
    stage.tick_until(stage.says("neto"))
    grandchild = psutil.Process(int(stage.output.getvalue().split("neto ")[1].split()[0]))
    os.kill(stage.pid("avô"), signal.SIGKILL)
    stage.tick_until(stage.says("terminou"))
    grandchild.wait(timeout=5)


@pytest.mark.parametrize("loses_file", [False, True])
def test_a_hung_child_is_restarted(stages: Callable[..., Stage], tmp_path: Path, loses_file: bool) -> None:
    """A process whose heartbeat has stopped is reported first and restarted later, even if its health file is lost."""
    stage = stages(Timings(first_backoff=0.1, silence_warned=1.5, silence_restarted=4, stop_total=1))
    stage.start("mudo", BEATS_ONCE, str(tmp_path / "mudo.json"))
    stage.tick_until(stage.says("pronto"))
    first = stage.pid("mudo")
    os.kill(first, signal.SIGSTOP)
    stage.tick_until(stage.says("mudo não dá sinal há"))
    if loses_file:
        (tmp_path / "mudo.json").unlink()
    assert "será reiniciado" not in stage.output.getvalue()
    stage.tick_until(stage.says("será reiniciado"))
    stage.tick_until(stage.says("pronto", 2))
    assert stage.pid("mudo") != first


def test_a_child_that_never_beats_is_restarted(stages: Callable[..., Stage]) -> None:
    """A process without a first heartbeat within its patience for starting is restarted."""
    stage = stages(Timings(first_backoff=0.1, starting=1, silence_warned=0.5, silence_restarted=1, stop_total=1))
    stage.start("quieto", SLEEPER)
    stage.tick_until(stage.says("pronto", 2))
    assert "quieto não dá sinal há 2 s: será reiniciado" in stage.output.getvalue()


def test_a_child_without_heartbeat_is_left_alone(stages: Callable[..., Stage], tmp_path: Path) -> None:
    """The health file of an earlier process is ignored."""
    (tmp_path / "quieto.json").write_text(json.dumps({"pid": 1, "heartbeat_monotonic": 0.0}))
    stage = stages(Timings(silence_warned=0.5, silence_restarted=1, stop_total=1))
    stage.start("quieto", SLEEPER)
    started = time.monotonic()
    stage.tick_until(lambda: time.monotonic() > started + 3)
    assert "não dá sinal" not in stage.output.getvalue()


def test_stop_ends_children_last_started_first(stages: Callable[..., Stage]) -> None:
    """Children that react to SIGTERM end in reverse order of their start."""
    code = """
        import signal, sys, time
        def leave(*_): print("adeus", flush=True); sys.exit(0)
        signal.signal(signal.SIGTERM, leave); print("pronto", flush=True); time.sleep(600)
    """
    stage = stages()
    for name in ("um", "dois", "três"):
        stage.start(name, code)
    stage.tick_until(stage.says("pronto", 3))
    stage.stop()
    farewells = [line.split()[0] for line in stage.output.getvalue().splitlines() if "adeus" in line]
    assert farewells == ["três", "dois", "um"]
    assert all(
        child.pid is None and child.state is ProcessState.STOPPED for child in stage.supervisor.children().values()
    )


def test_stop_kills_children_that_ignore_it(stages: Callable[..., Stage]) -> None:
    """Children that ignore SIGTERM or are suspended are killed, and this is reported."""
    stage = stages()
    stage.start("surdo", STUBBORN)
    stage.start("parado", SLEEPER)
    stage.tick_until(stage.says("pronto", 2))
    processes = [psutil.Process(stage.pid(name)) for name in ("surdo", "parado")]
    processes[1].suspend()
    stage.tick_until(lambda: processes[1].status() == psutil.STATUS_STOPPED)
    stage.stop()
    assert not any(process.is_running() for process in processes)
    assert stage.output.getvalue().count("encerrado à força") == 2


def test_a_second_signal_kills_at_once(stages: Callable[..., Stage]) -> None:
    """With `hurry` a child that ignores SIGTERM is killed before the time limit."""
    stage = stages(Timings(stop_step=100, stop_total=200))
    stage.start("surdo", STUBBORN)
    stage.tick_until(stage.says("pronto"))
    process = psutil.Process(stage.pid("surdo"))
    stage.supervisor.stop(hurry=lambda: True)
    assert not process.is_running()


def test_nothing_is_restarted_while_stopping(stages: Callable[..., Stage]) -> None:
    """A child that waits for its restart is not started after `stop`."""
    stage = stages()
    stage.start("cai", "raise SystemExit(1)")
    stage.tick_until(stage.says("reinicia em"))
    stage.supervisor.stop()
    restarts = stage.supervisor.children()["cai"].restarts
    started = time.monotonic()
    stage.tick_until(lambda: time.monotonic() > started + 1)
    assert stage.supervisor.children()["cai"].restarts == restarts


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
@pytest.mark.parametrize("suspended", [False, True])
def test_children_end_with_a_killed_parent(tmp_path: Path, suspended: bool) -> None:
    """After `kill -9` of the parent its child ends at once, even if suspended or before its code runs."""
    (tmp_path / "neverending.py").write_text("print('pronto', flush=True)\nimport time\ntime.sleep(600)\n")
    parent_code = textwrap.dedent(f"""
        import os, subprocess, sys, time
        environment = {{**os.environ, {PARENT_VARIABLE!r}: str(os.getpid()), "PYTHONPATH": {str(tmp_path)!r}}}
        argv = [sys.executable, "-m", "core.processes.child", "-m", "neverending"]
        print(subprocess.Popen(argv, env=environment, start_new_session=True).pid, flush=True)
        time.sleep(600)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", parent_code], cwd=PROJECT, stdout=subprocess.PIPE, encoding="utf-8"
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert parent.stdout.readline() == "pronto\n"
        if suspended:
            child.suspend()
        parent.kill()
        child.wait(timeout=5)


def test_child_module_sees_its_own_arguments(tmp_path: Path) -> None:
    """`core.processes.child` runs a module as `python -m` does: same arguments, `__main__`, and its exit code."""
    (tmp_path / "echo_arguments.py").write_text("import sys\nprint(__name__, sys.argv[1:])\nsys.exit(5)\n")
    done = subprocess.run(
        [sys.executable, "-m", "core.processes.child", "-m", "echo_arguments", "--x", "é"],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (5, "__main__ ['--x', 'é']")
