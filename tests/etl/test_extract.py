"""The collector as a process of its own: `python -m etl.extract`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from core.price_store import open_reader
from core.processes.health_schema import COLLECTOR, ProcessState
from core.processes.heartbeat import read_health
from core.settings import PROJECT
from core.wording import message, say
from tests.support.faults import Fault, FaultPlan

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts `python -m etl.extract` with arguments and CRYPTO_… settings; ends it after the test."""
    with ExitStack() as stack:

        def start(*arguments: str, **settings: object) -> subprocess.Popen[str]:
            given = {
                "SOURCE": "coingecko",
                "DATA_DIR": tmp_path / "data",
                "INTERVAL": 5,
                "COINS": "bitcoin",
                **settings,
            }
            environment = {name: text for name, text in os.environ.items() if not name.startswith("CRYPTO_")}
            environment |= {f"CRYPTO_{name}": str(value) for name, value in given.items()}
            process = subprocess.Popen(
                [sys.executable, "-m", "etl.extract", *arguments],
                cwd=PROJECT,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield start


def ends(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, output and error output of a process that ends by itself."""
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


def eventually(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def test_once_makes_one_poll_with_its_history_and_says_so(make_world: Any, run: Run, tmp_path: Path) -> None:
    """Exit code 0 and one Portuguese line; 24 hours are stored."""
    server = make_world().server
    code, out, err = ends(run("--once", COINGECKO_URL=server.url, COINGECKO_PLAN="local", LOG_LEVEL="ERROR"))
    assert (code, out, err) == (0, "1 de 1 moedas com preço.\n", "")
    with open_reader(tmp_path / "data" / "crypto.db") as reader:
        assert len(reader.range("bitcoin")) > 280
    assert [request.path.rpartition("/")[2] for request in server.requests] == ["markets", "market_chart"]


def test_once_says_why_no_price_was_collected(make_world: Any, run: Run) -> None:
    """Exit code 1 and one line with the wait; a second run respects it without asking."""
    world = make_world()
    world.server.faults = FaultPlan([Fault("rate_limit", retry_after_s=53)])
    for _ in range(2):
        code, out, err = ends(run("--once", COINGECKO_URL=world.server.url, LOG_LEVEL="ERROR"))
        assert (code, out) == (1, "")
        waiting = re.match(r"Nada coletado: aguardando (\d+) s: limite do CoinGecko", err)
        assert waiting
        assert 0 < int(waiting[1]) < 60
    assert len(world.server.requests) == 1


def test_help_is_portuguese(run: Run) -> None:
    """--help ends with 0 and names --once."""
    code, out, _ = ends(run("--help"))
    assert code == 0
    assert "--once" in out
    assert "Coleta os preços" in out


def test_a_damaged_database_is_set_aside_and_collection_goes_on(make_world: Any, run: Run, tmp_path: Path) -> None:
    """Garbage in place of crypto.db: kept under a dated name, a new one filled, said in the health file."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "crypto.db").write_bytes(b"no database" * 1000)
    process = run(COINGECKO_URL=make_world().server.url, COINGECKO_PLAN="local")
    eventually(lambda: read_health(tmp_path / "data" / "run", COLLECTOR).progress.backfill_done == 1)
    health = read_health(tmp_path / "data" / "run", COLLECTOR)
    assert (tmp_path / "data" / str(health.progress.set_aside)).read_bytes().startswith(b"no database")
    assert health.last_error is not None
    assert "danificada" in say(health.last_error.message)
    assert process.poll() is None


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"INTERVAL": 1}, "CRYPTO_INTERVAL"),
        ({"COINGECKO_URL": "nowhere"}, "CRYPTO_COINGECKO_URL"),
        ({"COINGECKO_PLAN": "pro-key"}, "CRYPTO_COINGECKO_KEY"),
        ({"SOURCE": "demo"}, "run_all.py"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(run: Run, settings: dict[str, object], named: str) -> None:
    """The line names what to change; there is no traceback."""
    code, _, err = ends(run(**settings))
    assert code == 2
    assert named in err
    assert err.count("\n") == 1


def test_a_second_collector_is_refused(make_world: Any, run: Run, tmp_path: Path) -> None:
    """Exit code 2; the first goes on."""
    server = make_world().server
    first = run(COINGECKO_URL=server.url, COINGECKO_PLAN="local")
    eventually(lambda: read_health(tmp_path / "data" / "run", COLLECTOR).state is ProcessState.COLLECTING)
    code, _, err = ends(run("--once", COINGECKO_URL=server.url, COINGECKO_PLAN="local"))
    assert code == 2
    assert "já está em uso" in err
    assert first.poll() is None


def test_a_refused_key_ends_the_process(raw_server: Any, run: Run) -> None:
    """The line says which setting; under a supervisor the exit code is 78, which stops the suite."""
    body = b'{"timestamp":"x","error_code":10010,"status":{"error_message":"If you are using Pro API key"}}'
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    raw_server.script = [head.encode() + body]
    code, _, err = ends(run(COINGECKO_URL=raw_server.url, COINGECKO_PLAN="demo-key", COINGECKO_KEY="CG-secret"))
    assert code == 2
    assert "CRYPTO_COINGECKO_PLAN=pro-key" in err
    assert "CG-secret" not in err


def test_health_says_what_the_collector_does(make_world: Any, run: Run, tmp_path: Path) -> None:
    """State, cadence, times and sentence; after SIGTERM the state is stopped and the exit code 0."""
    process = run(COINGECKO_URL=make_world().server.url, COINGECKO_PLAN="local", CURRENCY="brl")
    folder = tmp_path / "data" / "run"
    eventually(lambda: read_health(folder, COLLECTOR).progress.backfill_done == 1)
    health = read_health(folder, COLLECTOR)
    assert health.alive
    one_coin = message("suite.one_coin", coins=1)
    assert health.progress.message == message("collector.collecting", coins=one_coin, cadence=5)
    assert health.progress.stale_after_s == 180
    assert health.progress.last_poll_at
    assert health.progress.last_price_at
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert read_health(folder, COLLECTOR).state is ProcessState.STOPPED


def test_a_stop_does_not_wait_for_a_server_that_never_answers(raw_server: Any, run: Run) -> None:
    """SIGTERM in the middle of a silent reply ends the process within two seconds or so."""
    raw_server.script = [lambda _connection: time.sleep(60)]
    process = run(COINGECKO_URL=raw_server.url)
    eventually(lambda: raw_server.requests)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=5) == 0
