"""A full disk and a read-only folder are reported, truncate no file, and need no restart afterwards."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from core.errors import EXIT_UNAVAILABLE
from core.processes.health_schema import PIPELINE, SUITE
from core.processes.heartbeat import read_health
from core.settings import DEFAULT_COINS, PROJECT
from core.times import now_ms
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.simulated import SimulatedMarket
from tests.support.integrity import Poller, Witness
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform != "linux", reason="mounts and permissions of Linux"),
]

PATHS = ("/moedas", "/prever/bitcoin", "/metricas", "/previsoes/bitcoin", "/historico/bitcoin")
OUTAGE_S = 60 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 8
Tell = Callable[..., None]
Start = Callable[..., RunningSuite]
Disk = Callable[[int], Path]


@pytest.fixture
def plain_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose permissions bind the processes; as root they give up the right to ignore them."""
    yield tmp_path
    for path in (tmp_path, *tmp_path.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with suppress(OSError), path.open("ab", buffering=0) as file:
        while file.write(b"x" * 4096):
            continue


def witness_of(run: RunningSuite) -> Witness:
    """A witness that knows the right price at every time."""
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 0)
    models = run.data_dir.parent / "modelos" / "demo"
    return Witness(run.data_dir / "demo", models, lambda coin, ts_ms: price_at(market, coin, ts_ms))


def newest_ms(witness: Witness) -> int:
    """Event time of the newest price on disk."""
    witness.look()
    return max(ts_ms for _, ts_ms in witness.prices)


def test_a_full_disk_loses_nothing(runs: Start, small_disk: Disk, tell: Tell) -> None:
    """While the disk is full the API answers and reports it; afterwards everything goes on."""
    disk = small_disk(24)
    run = runs("--demo", folder=disk)
    run.wait(lambda: run.forecasts(DEFAULT_COINS))
    witness = witness_of(run)
    with Poller(run.api_port, PATHS) as poller:
        run.wait(lambda: poller.is_ready)
        pids = {name: child.pid for name, child in run.children().items()}
        full_ms = now_ms()
        fill(disk / "filler")
        for _ in range(OUTAGE_S):
            time.sleep(1)
            fill(disk / "filler")
        witness.look()
        run.wait(lambda: "disk_refuses" in run.get("/status")["codigos_dos_problemas"])
        assert not [code for code in run.get("/status")["codigos_dos_problemas"] if code.endswith("_stopped")]
        (disk / "filler").unlink()
        run.wait(lambda: newest_ms(witness) > full_ms + 1000 * OUTAGE_S)
        forecast = read_health(run.run_dir, PIPELINE).progress.cycle or 0
        run.wait(lambda: (read_health(run.run_dir, PIPELINE).progress.cycle or 0) > forecast)
        run.wait(lambda: not read_health(run.run_dir, PIPELINE).progress.failed_steps)
    assert {name: child.pid for name, child in run.children().items()} == pids
    seen = sorted(ts_ms for coin, ts_ms in witness.prices if coin == "bitcoin" and ts_ms > full_ms)
    assert max(later - earlier for earlier, later in itertools.pairwise(seen)) <= 60_000
    assert witness.problems == []
    assert poller.failures == []
    assert run.end(signal.SIGTERM) == 0
    tell("full disk under a running suite", 1, 1, witness.lost, witness.wrong)


def test_processes_wait_for_read_only_folders(plain_folder: Path, tell: Tell) -> None:
    """While the data folder is read-only the API answers; afterwards the same processes go on."""
    run = RunningSuite(plain_folder, "--demo", "--no-browser", wrapper=_without_powers())
    try:
        run.wait(lambda: run.forecasts(DEFAULT_COINS))
        witness, root = witness_of(run), run.data_dir / "demo"
        with Poller(run.api_port, PATHS) as poller:
            run.wait(lambda: poller.is_ready)
            pids = {name: child.pid for name, child in run.children().items()}
            closed = [run.run_dir, root, root / "processed", *(p for p in root.rglob("*") if p.is_dir())]
            for folder in closed:
                folder.chmod(0o555)
            run.wait(lambda: "verificar" in run.output or "Permission denied" in run.output)
            time.sleep(OUTAGE_S)
            opened_ms = now_ms()
            for folder in closed:
                folder.chmod(0o755)
            run.wait(lambda: not read_health(run.run_dir, PIPELINE).progress.failed_steps)
            run.wait(lambda: newest_ms(witness) > opened_ms)
        assert {name: child.pid for name, child in run.children().items()} == pids
        assert witness.problems == []
        assert poller.failures == []
        tell("read-only folders under a running suite", 1, 1, witness.lost, witness.wrong)
    finally:
        if run.process.poll() is None:
            assert run.end(signal.SIGTERM) == 0


def test_a_suite_that_may_not_read_waits(plain_folder: Path, tell: Tell) -> None:
    """Rules in a closed folder, later a health file that refuses once, are named and end nothing."""
    closed = plain_folder / "de outro"
    closed.mkdir(mode=0)
    rules = str(closed / "alerts.toml")
    run = RunningSuite(plain_folder, "--demo", "--no-browser", wrapper=_without_powers(), CRYPTO_ALERTS_FILE=rules)

    def refused() -> str:
        error = read_health(run.run_dir, SUITE).last_error
        return "" if error is None else str(error.message)

    try:
        run.wait(lambda: " ciclo " in run.output and rules in refused())
        closed.chmod(0o755)
        pipeline = psutil.Process(run.children()["pipeline"].pid)
        pipeline.suspend()
        health = run.run_dir / "pipeline.json"
        health.chmod(0)
        run.wait(lambda: str(health) in refused())
        health.chmod(0o600)
        pipeline.resume()
        cycles = run.output.count(" ciclo ")
        run.wait(lambda: run.output.count(" ciclo ") > cycles)
        assert [
            run.output.count(f"tentado de novo: [Errno 13] Permission denied: '{path}'") for path in (rules, health)
        ] == [1, 1]
        assert {child.restarts for child in run.children().values()} == {0}
        tell("small files that cannot be read", 2, 2)
    finally:
        if run.process.poll() is None:
            assert run.end(signal.SIGTERM) == 0


def test_a_start_on_a_full_or_read_only_disk_ends_with_one_line(small_disk: Disk, tell: Tell) -> None:
    """On a disk that refuses from the start the suite ends with one line and nothing half done, to be tried again."""
    disk = small_disk(1)
    fill(disk / "filler")
    full = _run(disk)
    (disk / "filler").unlink()
    subprocess.run(["/usr/bin/env", "mount", "-o", "remount,ro", str(disk)], check=True)
    refused = _run(disk)
    for code, text in (full, refused):
        assert code == EXIT_UNAVAILABLE, text
        assert "Traceback" not in text
        assert text.startswith("Erro: não é possível gravar na pasta")
        assert len(text.splitlines()) == 1
    assert not list(disk.rglob("*.json"))
    tell("start on a full or read-only disk", 2, 2)


def _run(disk: Path) -> tuple[int, str]:
    words = [sys.executable, "run_all.py", "--demo", "--no-browser", "--data-dir", str(disk / "data")]
    words += ["--models-dir", str(disk / "models")]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def _without_powers() -> tuple[str, ...]:
    """A command that drops the two capabilities with which root ignores permissions."""
    if os.geteuid() != 0:
        return ()
    drop = "-dac_override,-dac_read_search"
    command = ("/usr/bin/env", "setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}")
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("root cannot give its powers away here (setpriv)")
    return command
