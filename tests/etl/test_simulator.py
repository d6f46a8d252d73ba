"""`python -m etl.simulator` as a process: starts, says where it is, stops when told, and continues the same market."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import psutil
import pytest
import requests

from core.errors import EXIT_CONFIGURATION
from core.processes.health_schema import SIMULATOR, ProcessState
from core.processes.heartbeat import read_health
from core.settings import PARENT_VARIABLE
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.simulated import SimulatedMarket

PROJECT = Path(__file__).resolve().parents[2]
Start = Callable[..., "subprocess.Popen[str]"]

CSV = "timestamp,coin,price\n" + "".join(
    f"2026-01-0{day}T{hour:02d}:00:00,bitcoin,{100 * day + hour}\n" for day in (1, 2, 3) for hour in range(24)
)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers on free ports and makes sure that none is left behind."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "etl.simulator", "--port", "0", *arguments],
            cwd=PROJECT,
            env={**{name: value for name, value in os.environ.items() if name != PARENT_VARIABLE}, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def url_of(process: subprocess.Popen[str]) -> str:
    """The address in the line that the server writes when it is ready."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"listening on (http://127\.0\.0\.1:\d+/api/v3)", line):
            return found[1]
    raise AssertionError(process.communicate())


def price_of(url: str) -> tuple[float, int]:
    """Price and moment of bitcoin."""
    [row] = requests.get(f"{url}/coins/markets?ids=bitcoin&vs_currency=usd&precision=full", timeout=10).json()
    return row["current_price"], int(datetime.fromisoformat(row["last_updated"]).timestamp())


def test_it_serves_the_seed_s_market(start: Start) -> None:
    """The price served is that of the pure market with the same seed, now."""
    price, moment_s = price_of(url_of(start("--seed", "7", "--coins", "bitcoin,tether")))
    assert price == price_at(SimulatedMarket(coins_wanted("bitcoin"), 7), "bitcoin", moment_s * 1000)
    assert abs(moment_s - time.time()) < 10


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals for a child without a console")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told(start: Start, number: signal.Signals) -> None:
    """With an open connection too, it ends with code 0 and says in its health file that it has."""
    process = start()
    with requests.Session() as session:
        session.get(f"{url_of(process)}/ping", timeout=10)
        process.send_signal(number)
        assert process.wait(timeout=10) == 0


def test_its_health_file_says_what_is_played(start: Start, tmp_path: Path) -> None:
    """With --run-dir there is simulator.json with the address and the end of the recording."""
    (tmp_path / "prices.csv").write_text(CSV)
    process = start("--replay", str(tmp_path / "prices.csv"), "--epoch-ms", "1790000000000", "--run-dir", str(tmp_path))
    url = url_of(process)
    while read_health(tmp_path, SIMULATOR).state is not ProcessState.RUNNING:
        time.sleep(0.05)
    health = read_health(tmp_path, SIMULATOR)
    assert health.alive
    assert health.progress.url == url
    assert health.progress.replay_ends_ms == 1_790_000_000_000 + 47 * 3_600_000


def test_a_restart_continues_the_same_replay(start: Start, tmp_path: Path) -> None:
    """With the same file and epoch, a server killed hard is followed by one that plays on from where time is."""
    (tmp_path / "prices.csv").write_text(CSV)
    epoch_ms = int(time.time() * 1000) - 90 * 60_000
    options = ("--replay", str(tmp_path / "prices.csv"), "--epoch-ms", str(epoch_ms))
    first = start(*options)
    before = price_of(url_of(first))
    first.kill()
    first.wait(timeout=10)
    after = price_of(url_of(start(*options)))
    assert before == after == (201.0, (epoch_ms + 3_600_000) // 1000)


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (["--replay", "nowhere.csv"], "nowhere.csv"),
        (["--coins", "Not A Coin"], "não é um id"),
        (["--coins", ","], "nenhuma moeda"),
        (["--currency", "xyz"], "--currency xyz"),
        (["--port", "99999"], "99999"),
    ],
)
def test_an_invalid_option_is_refused_in_one_line(start: Start, arguments: list[str], needle: str) -> None:
    """Exit code 78 and a Portuguese line on standard error, never a traceback."""
    process = start(*arguments)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == EXIT_CONFIGURATION
    assert needle in errors
    assert errors.startswith("Erro: ")
    assert "Traceback" not in errors


def test_a_busy_port_is_named(start: Start) -> None:
    """The message says which port and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        _, errors = process.communicate(timeout=30)
    assert process.returncode == EXIT_CONFIGURATION
    assert f"porta {port}" in errors
    assert "--port" in errors


def test_an_invalid_start_or_recording_is_refused(start: Start, tmp_path: Path) -> None:
    """An invalid start time and an invalid price."""
    (tmp_path / "prices.csv").write_text(CSV)
    process = start("--replay", str(tmp_path / "prices.csv"), "--replay-start", "soon")
    assert "--replay-start soon" in process.communicate(timeout=30)[1]
    (tmp_path / "prices.csv").write_text(f"{CSV}2026-01-04,bitcoin,-1\n")
    process = start("--replay", str(tmp_path / "prices.csv"))
    assert "prices.csv: linha 74, coluna 'price'" in process.communicate(timeout=30)[1]
    assert process.returncode == EXIT_CONFIGURATION


@pytest.mark.skipif(os.name == "nt", reason="the parent is watched by its id, which Windows keeps")
def test_it_does_not_outlive_its_parent(start: Start) -> None:
    """When the process that started it is killed hard, it ends by itself."""
    code = (
        "import os, subprocess, sys, time\n"
        f"environment = {{**os.environ, {PARENT_VARIABLE!r}: str(os.getpid())}}\n"
        "child = subprocess.Popen([sys.executable, '-m', 'etl.simulator', '--port', '0'], env=environment)\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline().split()[1]))
    url = url_of(parent)
    parent.kill()
    parent.communicate()
    child.wait(timeout=10)
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{url}/ping", timeout=5)


def test_help_is_in_portuguese(start: Start) -> None:
    """Every option is explained."""
    shown, _ = start("--help").communicate(timeout=30)
    for option in ("--seed", "--coins", "--replay", "--epoch-ms", "--replay-start", "--cadence", "--plan"):
        assert option in shown
    assert "gravação" in shown
