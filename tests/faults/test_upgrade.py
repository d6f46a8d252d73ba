"""Folders of an older or a newer release, copies of a running suite, and single steps beside one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import EXIT_CONFIGURATION, EXIT_REFUSED
from core.price_store import open_reader, open_writer
from core.price_store.sqlite.schema import SCHEMA_VERSION
from core.settings import DEFAULT_COINS, PROJECT, Settings
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.simulated import SimulatedMarket
from tests.support.integrity import Witness
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]

Start = Callable[..., RunningSuite]
Tell = Callable[..., None]
ROWS = 20_000
MIGRATION = """
import os, sys, time
from pathlib import Path
import core.price_store.sqlite.schema
done = []
def slow(step):
    def run(connection):
        step(connection)
        connection.execute("CREATE TABLE half_done (x)")
        print("in the middle", flush=True)
        time.sleep(60)
    return run
core.price_store.sqlite.schema._STEPS = tuple(slow(step) for step in core.price_store.sqlite.schema._STEPS)
from core.price_store import open_writer
open_writer(Path(sys.argv[1]))
"""


def old_database(path: Path) -> None:
    """Write a database from before the first schema: a foreign table, and version 0."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO notes (text) VALUES (?)", [("kept",)] * ROWS)


def state(path: Path) -> tuple[int, set[str], int]:
    """Schema version, tables, and rows of the old table."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        (rows,) = connection.execute("SELECT count(*) FROM notes").fetchone()
    return version, tables, rows


def test_a_migration_that_is_killed_leaves_the_old_database(tmp_path: Path, tell: Tell) -> None:
    """A migration killed before its commit changes nothing; the next opening runs it completely."""
    path = tmp_path / "crypto.db"
    old_database(path)
    before = state(path)
    process = subprocess.Popen(
        [sys.executable, "-c", MIGRATION, str(path)], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.kill()
    assert state(path) == before == (0, {"notes"}, ROWS)
    with open_writer(path):
        pass
    version, tables, rows = state(path)
    assert (version, rows) == (SCHEMA_VERSION, ROWS)
    assert {"settled_prices", "recent_prices", "hourly", "coins", "meta"} <= tables
    with open_reader(path) as reader:
        assert reader.coins() == []
    tell("migration killed half-way", 1, 1)


def test_a_newer_database_is_refused_by_the_suite(runs: Start, tmp_path: Path, tell: Tell) -> None:
    """A database of a later release is neither opened nor set aside; the message says what to do."""
    run = runs("--demo", "--coins", "bitcoin")
    run.wait(lambda: run.get("/prever/bitcoin"))
    assert run.end(signal.SIGTERM) == 0
    path = run.data_dir / "demo" / "crypto.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    content = path.read_bytes()
    again = runs("--demo", "--coins", "bitcoin")
    assert again.process.wait(timeout=40) == EXIT_CONFIGURATION
    assert "atualize o programa" in again.output
    assert "Traceback" not in again.output
    assert path.read_bytes() == content
    assert not list(path.parent.glob("*.damaged-*"))
    tell("a newer release's folder", 1, 1)


def backup(folder: Path, *words: str, data: Path, models: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m core.backup …` for these folders."""
    environment = {f"CRYPTO_{name.upper()}": "" for name in Settings.model_fields}
    environment |= {"CRYPTO_DATA_DIR": str(data), "CRYPTO_MODELS_DIR": str(models)}
    return subprocess.run(
        [sys.executable, "-m", "core.backup", *words],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_copies_of_a_running_suite_can_be_restored(runs: Start, tmp_path: Path, tell: Tell) -> None:
    """Of three copies of a running suite one is restored elsewhere; it goes on with the same market and its log."""
    run = runs("--demo", folder=tmp_path)
    run.wait(lambda: run.forecasts(DEFAULT_COINS))
    models = tmp_path / "modelos"
    for number in range(3):
        done = backup(tmp_path, "--out", str(tmp_path / f"copy {number}"), data=run.data_dir, models=models)
        assert done.returncode == 0, done.stderr
        time.sleep(1)
    refused = backup(tmp_path, "--restore", str(tmp_path / "copy 0"), data=run.data_dir, models=models)
    assert refused.returncode == EXIT_REFUSED
    assert "pare o sistema" in refused.stderr
    assert run.end(signal.SIGTERM) == 0
    elsewhere = tmp_path / "elsewhere"
    restored = elsewhere / "dados de março"
    done = backup(tmp_path, "--restore", str(tmp_path / "copy 2"), data=restored, models=elsewhere / "modelos")
    assert done.returncode == 0, done.stderr
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 0)
    witness = Witness(
        restored / "demo", elsewhere / "modelos" / "demo", lambda coin, ts_ms: price_at(market, coin, ts_ms)
    )
    witness.look()
    assert witness.prices
    assert witness.log
    following = runs("--demo", folder=elsewhere)
    following.wait(lambda: following.forecasts(DEFAULT_COINS))
    witness.look()
    assert witness.problems == []
    assert following.end(signal.SIGTERM) == 0
    tell("copies under a running suite, one restored", 3, 3, witness.lost, witness.wrong)


def test_single_steps_beside_a_running_suite_are_refused(runs: Start, tell: Tell) -> None:
    """A step started by hand is refused by the writer's lock, and the suite is not disturbed."""
    run = runs("--demo", "--coins", "bitcoin")
    run.wait(lambda: run.get("/prever/bitcoin"))
    pids = {name: child.pid for name, child in run.children().items()}
    environment = {f"CRYPTO_{name.upper()}": "" for name in Settings.model_fields}
    environment |= {"CRYPTO_SOURCE": "demo", "CRYPTO_DATA_DIR": str(run.data_dir), "CRYPTO_COINS": "bitcoin"}
    environment |= {"CRYPTO_MODELS_DIR": str(run.data_dir.parent / "modelos")}
    environment |= {"CRYPTO_COINGECKO_URL": "http://127.0.0.1:9/api/v3", "CRYPTO_COINGECKO_PLAN": "local"}
    steps = (("etl.extract", "--once"), ("etl.transform",), ("model.train",), ("model.predict",), ("model.score",))
    for words in steps:
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=PROJECT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == EXIT_REFUSED, (words, done.stdout, done.stderr)
        assert "já está em uso por outro processo" in done.stderr
        assert "Traceback" not in done.stderr
    assert {name: child.pid for name, child in run.children().items()} == pids
    assert run.end(signal.SIGTERM) == 0
    tell("single steps beside a running suite", len(steps), len(steps))
