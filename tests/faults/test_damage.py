"""Damaged files, in a running suite and before a start, are set aside under a dated name, reported and rebuilt."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from core.processes.health_schema import PIPELINE, PROCESSES
from core.processes.heartbeat import read_health
from core.publishing.manifest import ManifestReader
from core.settings import DEFAULT_COINS
from core.times import now_ms, to_datetime
from etl.features.columns import FEATURE_NAMES
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.simulated import SimulatedMarket
from model.forecaster.engine import EngineOptions
from model.loop.registry import ModelRegistry
from model.loop.session import made_with
from tests.support.integrity import Poller, Witness
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.name == "nt", reason="an open file can be overwritten on POSIX alone"),
]

PATHS = ("/status", "/moedas", "/prever/bitcoin", "/metricas", "/previsoes/bitcoin", "/historico/bitcoin")
GARBAGE = b"\xa5\x5a\x00{" * 1024
Tell = Callable[..., None]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    """A running suite with the simulated market, a stored model and all forecasts."""
    run = RunningSuite(tmp_path_factory.mktemp("damage"), "--demo", "--no-browser")
    run.wait(lambda: run.forecasts(DEFAULT_COINS))
    yield run
    if run.process.poll() is None:
        run.end(signal.SIGTERM)


def root_of(run: RunningSuite) -> Path:
    """Folder of the simulated market."""
    return run.data_dir / "demo"


def set_aside_of(folder: Path, name: str) -> list[Path]:
    """The files that `name` was set aside as, without those that belong to a database."""
    return [path for path in folder.glob(f"{name}.damaged-*") if not path.name.endswith(("-wal", "-shm"))]


def forecast_after(run: RunningSuite, moment_ms: int) -> bool:
    """Whether the API shows a forecast made after this time."""
    forecast: dict[str, Any] | None = run.get("/prever/bitcoin")
    return forecast is not None and datetime.fromisoformat(forecast["gerado_em"]) > to_datetime(moment_ms)


def overwrite(path: Path, offset: int = 0) -> None:
    """Overwrite a file in place with garbage, as a bad disk or another program would."""
    with path.open("r+b") as file:
        file.truncate(max(offset, path.stat().st_size))
        for start in range(offset, path.stat().st_size, len(GARBAGE)):
            file.seek(start)
            file.write(GARBAGE)


def newest_file(folder: Path, victim: str) -> str:
    """The file that the next cycle still looks at: an older one may be superseded by now."""
    manifest = ManifestReader(folder).current()
    if victim == "latest":
        return manifest.entries[victim].file
    return manifest.parts[victim][-1].file if victim in manifest.parts else victim


def break_newest(suite: RunningSuite, folder: Path, victim: str) -> str:
    """Overwrite a file and wait until it is set aside; again if it was replaced unseen by the cycle under way."""
    for _ in range(3):
        file, begun = newest_file(folder, victim), cycles(suite)
        overwrite(folder / file)
        is_set_aside = partial(set_aside_of, (folder / file).parent, Path(file).name)
        suite.wait(partial(is_found_or_late, suite, is_set_aside, begun + 2))
        if is_set_aside():
            return file
    raise AssertionError(f"{victim} was overwritten three times, and no cycle set it aside")


def is_found_or_late(suite: RunningSuite, is_set_aside: Callable[[], object], cycle: int) -> bool:
    """Whether a file is set aside, or would be by now."""
    return bool(is_set_aside()) or cycles(suite) >= cycle


def cycles(suite: RunningSuite) -> int:
    """Complete cycles of the pipeline since its start."""
    return read_health(suite.run_dir, PIPELINE).progress.cycle or 0


@pytest.mark.parametrize("victim", ["features", "latest", "manifest.json"])
def test_published_files_are_replaced_while_running(suite: RunningSuite, victim: str, tell: Tell) -> None:
    """The next cycle sets the file aside, reports it and publishes; the rest of the log stays, no answer is a 500."""
    folder = root_of(suite) / "processed"
    if victim == "features":  # written every five minutes, so its only part may be the one to damage
        suite.wait(lambda: ManifestReader(folder).current().parts.get("features"))
    with Poller(suite.api_port, PATHS[1:]) as poller:
        suite.wait(lambda: poller.is_ready)
        broken_ms = now_ms()
        file = break_newest(suite, folder, victim)
        suite.wait(lambda: forecast_after(suite, broken_ms))
    assert file in read_health(suite.run_dir, PIPELINE).damaged
    suite.wait(lambda: Path(file).name in " ".join(suite.get("/status")["problemas"]), 5)
    assert f"{file} is damaged" in suite.output
    assert 500 not in poller.statuses
    tell(f"damage while running: {victim}", 1, 1)


def test_small_files_are_rewritten_while_running(suite: RunningSuite, tell: Tell) -> None:
    """With health files, source.json and workspace.json overwritten every page answers; the files are rewritten."""
    suite.wait(lambda: suite.get("/status"))
    names = ("collector.json", "pipeline.json", "api.json", "suite.json", "source.json")
    overwrite(root_of(suite) / "workspace.json")
    for name in names:
        overwrite(suite.run_dir / name)
    for name in names[:4]:
        suite.wait(partial(_is_beating, suite, name.removesuffix(".json")), 15)
    broken_ms = now_ms()
    suite.wait(lambda: forecast_after(suite, broken_ms))
    assert suite.get("/moedas")
    tell("damage while running: small JSON files", len(names) + 1, len(names) + 1)


def _is_beating(suite: RunningSuite, name: str) -> bool:
    return read_health(suite.run_dir, PROCESSES[name]).alive


def test_a_database_damaged_while_running_is_rebuilt(suite: RunningSuite, tell: Tell) -> None:
    """A database with all but its first page garbage is set aside, reported and back-filled; forecasts go on."""
    root = root_of(suite)
    with Poller(suite.api_port, PATHS[1:]) as poller:
        suite.wait(lambda: poller.is_ready)
        overwrite(root / "crypto.db", 4096)
        suite.wait(lambda: set_aside_of(root, "crypto.db"), 90)
        broken_ms = now_ms()
        suite.wait(lambda: forecast_after(suite, broken_ms))
        suite.wait(lambda: all(suite.get(path) is not None for path in PATHS))
    suite.wait(lambda: "crypto.db" in " ".join(suite.get("/status")["problemas"]), 5)
    assert 500 not in poller.statuses
    suite.wait(lambda: len(suite.get("/historico/bitcoin?limite=1000") or ()) > 0)
    tell("damage while running: crypto.db", 1, 1)


def test_everything_damaged_at_rest_is_rebuilt_by_the_next_start(
    suite: RunningSuite, runs: Callable[..., RunningSuite], tell: Tell
) -> None:
    """Damaged database, -wal, -shm, model and manifest are set aside and rebuilt; the forecast log loses nothing."""
    root, models = root_of(suite), suite.data_dir.parent / "modelos" / "demo"
    suite.end(signal.SIGTERM)
    assert set_aside_of(root, "workspace.json") == []
    witness = Witness(root, models)
    witness.look()
    assert witness.log
    witness.prices.clear()
    options = made_with(EngineOptions(use_announcements=False))
    model = models / ModelRegistry(models).save("a model", FEATURE_NAMES, options, now_ms()).file
    victims = [root / "crypto.db", model, root / "processed" / "manifest.json"]
    (root / "crypto.db-wal").write_bytes(GARBAGE)
    (root / "crypto.db-shm").write_bytes(GARBAGE)
    for path in victims:
        overwrite(path)
    started_ms = now_ms()
    run = runs("--demo", folder=suite.data_dir.parent)
    run.wait(lambda: forecast_after(run, started_ms))
    run.wait(lambda: run.forecasts(DEFAULT_COINS))
    for path in victims:
        assert set_aside_of(path.parent, path.name), path
    assert set_aside_of(root, "workspace.json")
    text = " ".join(run.get("/status")["problemas"])
    assert all(name in text for name in ("crypto.db", model.name, "manifest.json"))
    witness.look()
    assert witness.problems == []
    assert run.end(signal.SIGTERM) == 0
    tell("damage before a start", len(victims) + 2, len(victims) + 2, witness.lost, witness.wrong)


def test_a_garbage_write_ahead_log_keeps_the_database(
    suite: RunningSuite, runs: Callable[..., RunningSuite], tell: Tell
) -> None:
    """Prices lost with a torn -wal are fetched again; the database stays, and every value is right."""
    root = root_of(suite)
    before = set_aside_of(root, "crypto.db")
    (root / "crypto.db-wal").write_bytes(GARBAGE)
    started_ms = now_ms()
    run = runs("--demo", folder=suite.data_dir.parent)
    run.wait(lambda: forecast_after(run, started_ms))
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 0)
    witness = Witness(root, root / "no models", lambda coin, ts_ms: price_at(market, coin, ts_ms))
    witness.look()
    assert witness.problems == []
    assert witness.prices
    assert set_aside_of(root, "crypto.db") == before
    assert run.end(signal.SIGTERM) == 0
    tell("a -wal of garbage before a start", 1, 1, witness.lost, witness.wrong)
