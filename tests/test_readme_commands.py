"""Every command that README names, run in a fresh copy of the project whose path has a space.

In an empty folder and beside a running suite each command does its work, or says in one sentence why not; none ends
with a traceback. CoinGecko cannot be reached from here: the copy's settings point its proxy at a closed port.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import EXIT_REFUSED
from core.settings import PROJECT
from tests.support.ports import reserve_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]

README = (PROJECT / "README.md").read_text(encoding="utf-8")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
COMMANDS = sorted(
    {found.strip() for found in re.findall(r"\bpython ((?:run_all\.py|-m (?!pytest)\w)[^`\n#|]*)", README)}
)
LASTING = re.compile(r"run_all\.py(?!.*--help)|-m (alerts|model\.pipeline|api\.server|streamlit run)|-m etl\.extract$")
BEATING = {"model.pipeline": "pipeline", "etl.extract": "collector", "-m alerts": "alerts"}
"""Lasting commands without a page of their own → their health files."""

ENTERED = {"-m bench": "-m bench --help"}
"""All benchmarks together take hours; here the command only has to answer."""

START = datetime(2026, 1, 1, tzinfo=UTC)
PRICES = "timestamp,coin,price\n" + "".join(
    f"{START + timedelta(minutes=5 * step):%Y-%m-%dT%H:%MZ},bitcoin,{90_000 + 7 * (step % 97)}\n"
    for step in range(3 * 288)
)


class Copy:
    """The project's files as git tracks them, in a folder of their own, with free ports as its only settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cópia com espaço"
        names = subprocess.run(
            ["/usr/bin/env", "git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True
        ).stdout
        for name in names.decode().split("\0"):
            if name and not name.startswith("tests/") and (PROJECT / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(PROJECT / name, self.folder / name)
        self.api_port, self.dashboard_port = reserve_port(), reserve_port()
        (self.folder / "precos.parquet").write_text(PRICES, encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CRYPTO_")}
        closed = "http://127.0.0.1:1"
        ports = {"CRYPTO_API_PORT": str(self.api_port), "CRYPTO_DASHBOARD_PORT": str(self.dashboard_port)}
        quiet = {"CRYPTO_BROWSER": "false", "HTTPS_PROXY": closed, "https_proxy": closed, "PYTHONUTF8": "1"}
        self.environment = {**kept, **ports, **quiet}

    def start(self, command: str) -> subprocess.Popen[str]:
        """Start `python COMMAND` in the copy; what it prints goes to a file."""
        words = [self._word(word) for word in ENTERED.get(command, command).split()]
        if words[:3] == ["-m", "streamlit", "run"]:
            words += ["--server.port", str(self.dashboard_port)]
        with (self.folder / "out.txt").open("w", encoding="utf-8") as out:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def output(self) -> str:
        """What the command started last has printed."""
        return (self.folder / "out.txt").read_text(encoding="utf-8")

    def works(self, command: str) -> bool:
        """Whether a lasting command does what it is for."""
        beating = next((name for word, name in BEATING.items() if word in command), None)
        if beating is not None:
            return (self.folder / "data" / "run" / f"{beating}.json").exists()
        if "streamlit" in command:
            return _answers(f"http://127.0.0.1:{self.dashboard_port}/_stcore/health")
        return _answers(f"http://127.0.0.1:{self.api_port}/status")

    def _word(self, word: str) -> str:
        places = {"NOME=ARQUIVO": "A=precos.parquet", "ARQUIVO": "precos.parquet", "PASTA": "resultado"}
        return places.get(word, word)


def _answers(url: str) -> bool:
    try:
        with DIRECT.open(url, timeout=2) as reply:
            return int(reply.status) == 200
    except (OSError, urllib.error.URLError):
        return False


def _eventually(copy: Copy, process: subprocess.Popen[str], done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not done() and process.poll() is None:
        assert time.monotonic() < deadline, copy.output()
        time.sleep(0.1)


@contextmanager
def _running(copy: Copy, command: str) -> Iterator[subprocess.Popen[str]]:
    process = copy.start(command)
    try:
        _eventually(copy, process, lambda: copy.works(command))
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def _check_refusal(copy: Copy, code: int) -> None:
    """A command that ended by itself did its work, or said in one sentence why it could not."""
    said = copy.output()
    assert "Traceback" not in said
    if code:
        assert code in (1, EXIT_REFUSED), said
        *_, sentence = said.strip().splitlines()
        assert len(sentence) > 10, said
        assert code == 1 or sentence.startswith("Erro: "), said


def _run(copy: Copy, command: str) -> None:
    if LASTING.search(command):
        with _running(copy, command) as process:
            lasted = process.poll() is None
        assert "Traceback" not in copy.output()
        if lasted:
            expected = (0, 1) if "streamlit" in command else (0,)  # its own command line may say "Aborted!"
            assert process.returncode in expected, copy.output()
            return
    else:
        process = copy.start(command)
        process.wait(timeout=120)
    _check_refusal(copy, process.returncode)


def test_readme_names_the_commands() -> None:
    """The list has what a reader sees: the suite, its processes, the steps, the backtest, the tools."""
    text = "\n".join(COMMANDS)
    assert len(COMMANDS) >= 15
    for part in ("run_all.py --demo", "etl.extract --once", "model.train", "model.backtest", "core.backup", "bench"):
        assert part in text


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_works_in_an_empty_folder(command: str, tmp_path: Path) -> None:
    """Under default settings, with nothing collected yet."""
    _run(Copy(tmp_path), command)


def test_every_step_works_beside_a_running_suite_and_after_it(tmp_path: Path) -> None:
    """Steps beside the suite are refused or do their work; once it has stopped they work on what it left."""
    copy = Copy(tmp_path)
    steps = [command for command in COMMANDS if not LASTING.search(command)]
    suite = copy.start("run_all.py --demo")
    shutil.move(copy.folder / "out.txt", copy.folder / "suite.txt")
    try:
        _eventually(copy, suite, lambda: _answers(f"http://127.0.0.1:{copy.api_port}/prever/bitcoin"))
        for command in [*steps, "-m model.pipeline"]:
            process = copy.start(command)
            process.wait(timeout=120)
            _check_refusal(copy, process.returncode)
        assert suite.poll() is None
    finally:
        suite.send_signal(signal.SIGINT)
        assert suite.wait(timeout=30) == 0
    for command in ("-m etl.transform", "-m model.predict", "-m model.score"):
        process = copy.start(command)
        assert process.wait(timeout=120) == 0, copy.output()


@pytest.mark.timeout(600)
def test_the_first_line_installs_and_runs_the_suite(tmp_path: Path) -> None:
    """README's first line, word by word in a new environment: the API answers, and Ctrl+C ends everything in order."""
    copy = Copy(tmp_path)
    line = next(line for line in README.splitlines() if line.startswith("python3 -m venv") and "run_all.py" in line)
    reachable = {name: value for name, value in copy.environment.items() if name.lower() != "https_proxy"}  # pip's way
    with (copy.folder / "out.txt").open("w", encoding="utf-8") as out:
        shell = subprocess.Popen(
            ["/usr/bin/env", "bash", "-c", line],
            cwd=copy.folder,
            env={**reachable, "PATH": f"{Path(sys.base_prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"},
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 500
    while not _answers(f"http://127.0.0.1:{copy.api_port}/prever/bitcoin"):
        assert shell.poll() is None, copy.output()
        assert time.monotonic() < deadline, copy.output()
        time.sleep(0.5)
    os.killpg(shell.pid, signal.SIGINT)
    shell.wait(timeout=30)
    assert "Tudo parado." in copy.output()
    assert "Traceback" not in copy.output()
