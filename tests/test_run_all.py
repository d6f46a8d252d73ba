"""run_all.py with all its processes: every way to start and to end it, on free ports, in separate folders."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from alerts.rules.table import read_rule
from alerts.store import AlertStore
from core.errors import EXIT_ALREADY_RUNNING, EXIT_CONFIGURATION, EXIT_UNAVAILABLE
from core.processes.health_schema import ALERTS, SUITE, CollectorProgress, PipelineProgress, ProcessState
from core.processes.heartbeat import read_health
from core.settings import DEFAULT_COINS, PROJECT
from core.wording import say
from dashboard.diagnosis import HIDDEN
from dashboard.i18n.texts import LANGUAGES, Texts
from etl.local_market.coin_names import coins_wanted
from etl.local_market.server import MarketServer
from etl.local_market.simulated import SimulatedMarket
from suite.source import BACK_NOTICE, FALLBACK_NOTICE
from tests.support.ports import reserve_port
from tests.support.running_suite import RunningSuite

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions of POSIX")

CHILDREN = ("api", "dashboard", "simulator", "collector", "pipeline")
IMPATIENT = f"""
import os, sys
sys.path.insert(0, {str(PROJECT)!r})
from suite.cli import parse_arguments
from suite.console import Console
from suite.run import Suite
with Console() as console:
    sys.exit(Suite(parse_arguments(), console, os.environ["COINGECKO_HERE"], probe_again_s=0.5).run())
"""
UNREACHABLE = {"HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Callable[..., RunningSuite]]:
    """A function that starts suites; they end with the test."""
    made: list[RunningSuite] = []

    def start(
        *options: str,
        folder: Path = tmp_path,
        code: str | None = None,
        wrapper: tuple[str, ...] = (),
        **variables: str,
    ) -> RunningSuite:
        made.append(RunningSuite(folder, *options, code=code, wrapper=wrapper, **variables))
        return made[-1]

    yield start
    _end_all(made)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    """A running suite with the simulated market and all forecasts."""
    folder = tmp_path_factory.mktemp("mercado simulado é")
    opener = folder / "navegador"
    opener.write_text(f'#!/bin/sh\necho "$1" >> "{folder}/páginas.txt"\n', encoding="utf-8")
    opener.chmod(0o755)
    rules = str(folder / "alerts.toml")
    run = RunningSuite(folder, "--demo", DISPLAY=":7", BROWSER=str(opener), CRYPTO_ALERTS_FILE=rules)
    try:
        run.wait(lambda: run.forecasts(DEFAULT_COINS))
        yield run
    finally:
        _end_all([run])


def _end_all(runs: list[RunningSuite]) -> None:
    for run in runs:
        if run.process.poll() is None:
            run.process.terminate()
            run.process.wait(timeout=15)


def prices_of(run: RunningSuite, folder: str) -> dict[tuple[str, int], float]:
    """Every stored price."""
    with closing(sqlite3.connect(f"{(run.data_dir / folder / 'crypto.db').as_uri()}?mode=ro", uri=True)) as connection:
        return {(coin, ts): price for coin, ts, price in connection.execute("SELECT coin_id, ts_ms, price FROM prices")}


def test_everything_answers(demo: RunningSuite) -> None:
    """API, documentation and dashboard answer, all coins have forecasts, and all of them say that it is simulated."""
    forecasts = demo.forecasts(DEFAULT_COINS)
    assert forecasts is not None
    assert {forecast["fonte"] for forecast in forecasts.values()} == {"demo"}
    assert demo.get("/status")["fonte"] == "demo"
    assert demo.get("/docs")
    assert demo.get("/_stcore/health", demo.dashboard_port) == "ok"
    assert "SIMULADO" in demo.output
    demo.wait(lambda: " ciclo " in demo.output and "Painel e API respondem" in demo.output)
    assert set(demo.children()) == set(CHILDREN)


def test_the_diagnostics_name_every_field_of_the_processes() -> None:
    """Every field of collector and pipeline has a name in both languages, or is hidden on purpose."""
    said = {field.name for record in (CollectorProgress, PipelineProgress) for field in fields(record)}
    for language in LANGUAGES:
        assert {name for name in said - set(HIDDEN) if not Texts(language).get(f"fact.{name}", "")} == set()


def test_pages_open_once_both_answer(demo: RunningSuite) -> None:
    """With a display, documentation and dashboard open in the browser."""
    pages = demo.data_dir.parent / "páginas.txt"
    expected = [f"http://127.0.0.1:{demo.api_port}/docs", f"http://127.0.0.1:{demo.dashboard_port}"]
    demo.wait(lambda: pages.exists() and pages.read_text().split() == expected)


def test_a_second_suite_is_refused(demo: RunningSuite, runs: Callable[..., RunningSuite]) -> None:
    """A second start on the same folder is refused and changes nothing."""
    second = runs("--demo", "--data-dir", str(demo.data_dir))
    assert second.process.wait(timeout=20) == EXIT_ALREADY_RUNNING
    assert f"já está em execução na pasta {demo.data_dir} (pid {demo.process.pid})" in second.output
    assert demo.get("/status")


def test_a_busy_port_is_refused_before_anything_starts(runs: Callable[..., RunningSuite]) -> None:
    """A port in use ends the start with its number and the option to change it; no process starts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
        refused = runs("--demo", "--dashboard-port", str(port))
        assert refused.process.wait(timeout=20) == EXIT_UNAVAILABLE
    assert f"a porta {port} já está em uso" in refused.output
    assert "--dashboard-port" in refused.output
    assert not (refused.data_dir / "demo").exists()


def test_every_killed_process_comes_back(demo: RunningSuite) -> None:
    """After `kill -9` of each process its successor works within 15 s, and no stored price is lost."""
    before = prices_of(demo, "demo")
    for name in CHILDREN:
        demo.kill_child(name)
    demo.wait(lambda: demo.get("/status"), 15)
    demo.wait(lambda: demo.get("/_stcore/health", demo.dashboard_port) == "ok", 15)
    for name in ("collector", "pipeline", "simulator"):
        demo.wait(partial(demo.beats, name), 15)
    cycle = demo.output.count(" ciclo ")
    demo.wait(lambda: demo.output.count(" ciclo ") > cycle)
    after = prices_of(demo, "demo")
    assert before.items() <= after.items()
    assert len(after) > len(before)


def test_a_half_saved_file_of_rules_ends_nothing(demo: RunningSuite) -> None:
    """Processes that start over it, the second after `kill -9`, name what is wrong, and take it once it is whole."""
    rules = demo.data_dir.parent / "alerts.toml"
    rules.write_text("[[regra]]\nnome =", encoding="utf-8")
    demo.wait(lambda: "alerts" in demo.children() and demo.beats("alerts"))
    demo.kill_child("alerts")
    demo.wait(lambda: demo.beats("alerts") and read_health(demo.run_dir, ALERTS).progress.message)
    rules.write_text(
        "[[regra]]\nnome = 'm'\ncondicao = 'preco_abaixo'\nmoedas = 'todas'\nnivel = 1e-9\n", encoding="utf-8"
    )
    demo.wait(lambda: read_health(demo.run_dir, ALERTS).progress.rules == 1)
    assert read_health(demo.run_dir, ALERTS).progress.message is None


def test_a_rule_made_while_the_suite_runs_starts_the_alert_process(demo: RunningSuite) -> None:
    """The first rule of the dashboard brings a process that judges it, and that comes back after `kill -9`."""
    with AlertStore(demo.data_dir / "demo" / "alerts.db") as store:
        store.add_rule(read_rule({"nome": "n", "condicao": "preco_acima", "moedas": "todas", "nivel": 1e-9}))
        demo.wait(store.told)
    demo.kill_child("alerts")
    demo.wait(partial(demo.beats, "alerts"), 15)


def test_a_killed_suite_leaves_nothing_and_the_next_continues_without_coingecko(
    demo: RunningSuite, runs: Callable[..., RunningSuite]
) -> None:
    """`kill -9` of run_all.py ends every process; a start without options goes on, says so, and ends on Ctrl+C."""
    demo.end(signal.SIGKILL)
    before = prices_of(demo, "demo")
    stored = (demo.data_dir / "demo" / "workspace.json").read_bytes()
    half_written = [demo.run_dir / ".source.json.abc.tmp", demo.data_dir / "demo" / ".workspace.json.abc.tmp"]
    for path in half_written:
        path.touch()
    ports = ("--api-port", str(demo.api_port), "--dashboard-port", str(demo.dashboard_port))
    following = runs("--no-browser", *ports, folder=demo.data_dir.parent, **UNREACHABLE)
    following.api_port, following.dashboard_port = demo.api_port, demo.dashboard_port
    following.wait(lambda: say(FALLBACK_NOTICE) in following.output)
    following.wait(lambda: following.forecasts(("bitcoin",)) and " ciclo " in following.output)
    after = prices_of(following, "demo")
    assert before.items() <= after.items()
    assert not any(path.exists() for path in half_written)
    assert (demo.data_dir / "demo" / "workspace.json").read_bytes() == stored
    assert following.get("/status")["fonte"] == "demo"
    assert read_health(following.run_dir, SUITE).progress.notice == FALLBACK_NOTICE
    assert say(BACK_NOTICE) not in following.output
    assert not (following.data_dir / "crypto.db").exists()
    assert following.end(signal.SIGINT) == 0
    assert read_health(following.run_dir, SUITE).state is ProcessState.STOPPED


def test_coingecko_coming_back_is_announced_and_changes_nothing(runs: Callable[..., RunningSuite]) -> None:
    """In fallback the suite keeps asking CoinGecko; once it answers the notice changes, and the market stays."""
    market = SimulatedMarket(coins_wanted("bitcoin"))
    port = reserve_port()
    run = runs("--no-browser", code=IMPATIENT, COINGECKO_HERE=f"http://127.0.0.1:{port}/api/v3")
    run.wait(lambda: say(FALLBACK_NOTICE) in run.output)
    with MarketServer(market, port=port):
        run.wait(lambda: say(BACK_NOTICE) in run.output)
        run.wait(lambda: read_health(run.run_dir, SUITE).progress.notice == BACK_NOTICE)
    choice = json.loads((run.run_dir / "source.json").read_text(encoding="utf-8"))
    assert (choice["source"], choice["notice"]["code"]) == ("demo", BACK_NOTICE.code)
    assert run.end(signal.SIGTERM) == 0


def test_live_prices_come_within_the_keyless_budget(runs: Callable[..., RunningSuite]) -> None:
    """Against a server that behaves like CoinGecko without a key, every coin gets a forecast, marked as live."""
    with MarketServer(
        SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), seed=3), plan="keyless", cached=True
    ) as server:
        run = runs("--no-browser", CRYPTO_COINGECKO_URL=server.url)
        forecasts = run.wait(lambda: run.forecasts(DEFAULT_COINS))
        assert {forecast["fonte"] for forecast in forecasts.values()} == {"coingecko"}
        assert run.get("/status")["fonte"] == "coingecko"
        assert "simulator" not in run.children()
        assert run.end(signal.SIGTERM) == 0


def test_replay_plays_every_coin_of_the_recording(runs: Callable[..., RunningSuite], tmp_path: Path) -> None:
    """A recording is played with all its coins if none is named."""
    recording = tmp_path / "gravação de abril.csv"
    start = datetime(2023, 4, 1, tzinfo=UTC)
    with recording.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("timestamp", "coin", "price"))
        for minute in range(0, 3 * 24 * 60, 2):
            at = (start + timedelta(minutes=minute)).isoformat()
            rows.writerows(
                (at, coin, base * (1 + (minute % 97) / 1e4)) for coin, base in (("dogecoin", 0.08), ("monero", 155))
            )
    run = runs("--no-browser", "--replay", str(recording))
    forecasts = run.wait(lambda: run.forecasts(("dogecoin", "monero")))
    assert {forecast["fonte"] for forecast in forecasts.values()} == {"replay"}
    assert {coin["id"] for coin in run.get("/moedas")} == {"dogecoin", "monero"}
    assert "Replay" in run.output
    assert run.end(signal.SIGTERM) == 0


def test_a_suite_without_streams_and_with_a_refused_log_file_runs(
    runs: Callable[..., RunningSuite], tmp_path: Path
) -> None:
    """As under pythonw.exe: with all three descriptors closed, and a folder in place of the log file, it answers."""
    closed = ("/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    log = tmp_path / "suite.log"
    log.mkdir()
    run = runs("--demo", "--no-browser", wrapper=closed, CRYPTO_LOG_FILE=str(log))
    run.wait(lambda: run.forecasts(("bitcoin",)))
    log.rmdir()
    run.wait(lambda: log.exists() and " ciclo " in log.read_text(encoding="utf-8"))
    assert run.end(signal.SIGTERM) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="sets the size of a pipe")
@pytest.mark.parametrize("is_read", [False, True], ids=["never read", "read late"])
def test_an_output_that_is_not_read_stops_nothing(
    runs: Callable[..., RunningSuite], tmp_path: Path, is_read: bool
) -> None:
    """With its pipe full the suite collects, logs to its file and ends; who reads at the end misses nothing."""
    pipe, log = tmp_path / "saída", tmp_path / "suite.log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    into_pipe = ("/bin/sh", "-c", f'exec "$@" > "{pipe}"', "sh")
    run = runs("--demo", "--no-browser", wrapper=into_pipe, CRYPTO_LOG_FILE=str(log), CRYPTO_LOG_LEVEL="DEBUG")

    def logged() -> str:
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True) if log.exists() else []
        return "".join(line.split(" ", 2)[2] for line in lines)

    run.wait(lambda: run.forecasts(("bitcoin",)))
    run.wait(lambda: len(logged()) > 5000)
    stored, said = len(prices_of(run, "demo")), logged().count(" ciclo ")
    run.wait(lambda: len(prices_of(run, "demo")) > stored and logged().count(" ciclo ") > said)
    if not is_read:
        assert run.end(signal.SIGINT) == 0
        assert logged().endswith("Tudo parado.\n")
        assert logged().encode().startswith(os.read(reader, 4096))
        return
    run.process.send_signal(signal.SIGTERM)
    run.wait(lambda: logged().endswith("Tudo parado.\n"))
    os.set_blocking(reader, True)
    with os.fdopen(reader, encoding="utf-8") as output:
        assert output.read() == logged()
    assert run.process.wait(timeout=5) == 0


def test_an_invalid_recording_ends_the_suite(runs: Callable[..., RunningSuite], tmp_path: Path) -> None:
    """A file with the wrong columns is a configuration error: reported once, not retried."""
    wrong = tmp_path / "errada.csv"
    wrong.write_text("a,b\n1,2\n", encoding="utf-8")
    run = runs("--no-browser", "--replay", str(wrong))
    assert run.process.wait(timeout=30) == EXIT_CONFIGURATION
    assert "errada.csv" in run.output
    assert "simulator terminou" not in run.output
    assert run.output.splitlines()[-2:] == [
        "Tudo parado.",
        "Erro: simulator recusou a configuração (veja a mensagem acima)",
    ]
