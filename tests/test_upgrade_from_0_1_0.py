"""Folders that version 0.1.0 wrote go on under this version: nothing is lost, and the model learns again.

The archives and how they were made: tests/upgrade/README.md. Every suite runs with a clock that shows the time shortly
after the old version stopped, so that the age of the archives does not matter.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from core.times import MINUTE_MS, now_ms, to_datetime
from etl.local_market.coin_names import coins_wanted
from etl.local_market.market import price_at
from etl.local_market.server import MarketServer
from etl.local_market.simulated import SimulatedMarket
from model.loop.registry import unpacked
from tests.support.integrity import Witness
from tests.support.running_suite import RunningSuite
from tests.support.shifted_clock import ShiftedClock

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]

ARCHIVES: Final = Path(__file__).parent / "upgrade"
COINS: Final = ("bitcoin", "ethereum", "solana")
STOPPED_FOR_MS: Final = 70 * MINUTE_MS
"""Between the old version's last price and the start of the new one: every logged forecast has its outcome by then."""
LEARNS_AGAIN: Final = "learning again from the stored prices"


@dataclass
class Upgrade:
    """A folder of version 0.1.0, unpacked, and the suite of this version that goes on with it."""

    run: RunningSuite
    workspace: Path
    models: Path
    witness: Witness
    started: datetime
    old_model: str | None

    def published(self) -> dict[str, Any] | None:
        """Forecasts of all coins, once this version has made them."""
        found = self.run.forecasts(COINS)
        made = [datetime.fromisoformat(forecast["gerado_em"]) for forecast in (found or {}).values()]
        return found if made and min(made) > self.started else None

    def new_model(self) -> str | None:
        """Version of the published forecasts' model, once it is one that this version trained."""
        version: str | None = self.run.get("/status")["modelo"]["versao"]
        return None if version in (None, "0", self.old_model) else version

    def scored(self) -> int:
        """How many logged forecasts have live scores."""
        live = self.run.get("/metricas")["ao_vivo"]
        return 0 if live is None else int(live["geral"]["previsoes"])

    def old_log(self) -> list[dict[str, Any]]:
        """The rows of the log that were there before the start, those of one hour ahead."""
        tables = [pq.read_table(path) for path in sorted((self.workspace / "processed" / "log").rglob("*.parquet"))]
        rows = [row for table in tables for row in table.filter(pc.equal(table["horizon_min"], 60)).to_pylist()]
        return [row for row in rows if row["created_at"] < self.started]


def _unpack(name: str, folder: Path) -> tuple[Path, Path]:
    """Workspace and models of an archive, at the places where RunningSuite has them."""
    with tarfile.open(ARCHIVES / f"0.1.0-{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    (folder / name / "data").rename(folder / "dados de março")
    (folder / name / "models").rename(folder / "modelos")
    if (folder / name / "recording.parquet").exists():
        shutil.move(folder / name / "recording.parquet", folder / "gravação antiga.parquet")
    (database,) = (folder / "dados de março").rglob("crypto.db")
    workspace = database.parent
    return workspace, folder / "modelos" / workspace.relative_to(folder / "dados de março")


@contextmanager
def _upgraded(folder: Path, name: str, *options: str, truth: Any = None, server: Any = None) -> Iterator[Upgrade]:
    """Unpack an archive, look at it, and start this version on it."""
    workspace, models = _unpack(name, folder)
    witness = Witness(workspace, folder / "no models", truth)  # only version 0.1.0 can load the old ones
    witness.look()
    newest_ms = max(ts_ms for _, ts_ms in witness.prices)
    offset_s = (newest_ms + STOPPED_FOR_MS - now_ms()) // 1000
    clock = ShiftedClock(folder, offset_s)
    variables = dict(clock.variables)
    if server is not None:
        server.clock = lambda: now_ms() + 1000 * offset_s
        variables |= {"CRYPTO_COINGECKO_URL": server.url, "CRYPTO_COINGECKO_PLAN": "demo-key"}
        variables |= {"CRYPTO_COINGECKO_KEY": "CG-upgrade"}
    card = models / "model.json"
    old_model = json.loads(card.read_bytes())["version"] if card.exists() else None
    started = to_datetime(now_ms() + 1000 * offset_s)
    run = RunningSuite(folder, "--no-browser", *options, **variables)
    try:
        yield Upgrade(run, workspace, models, witness, started, old_model)
    finally:
        if run.process.poll() is None:
            run.end(signal.SIGTERM)


def _goes_on(upgrade: Upgrade, source: str) -> None:
    """The promises of an upgrade, whatever the source."""
    run, witness, old_log = upgrade.run, upgrade.witness, upgrade.old_log()
    prices, logged = len(witness.prices), len(witness.log)
    assert prices > 0
    assert {row["coin"] for row in old_log} == set(COINS)
    forecasts = run.wait(upgrade.published)
    assert {forecast["fonte"] for forecast in forecasts.values()} == {source}
    _old_log_is_served(run, old_log)
    version = run.wait(upgrade.new_model)
    run.wait(lambda: upgrade.scored() >= logged)
    status = run.get("/status")
    assert not [code for code in status["codigos_dos_problemas"] if "damaged" in code], status["problemas"]
    assert run.end(signal.SIGTERM) == 0
    witness.look()
    assert (witness.problems, witness.lost, witness.wrong) == ([], 0, 0)
    assert len(witness.prices) > prices
    assert len(witness.log) > logged
    assert not list(upgrade.workspace.parent.rglob("*.damaged-*"))
    assert not list(upgrade.models.parent.rglob("*.damaged-*"))
    assert "Traceback" not in run.output
    assert (LEARNS_AGAIN in run.output) is (upgrade.old_model is not None)
    card = json.loads((upgrade.models / "model.json").read_bytes())
    assert card["version"] >= version
    assert unpacked((upgrade.models / card["file"]).read_bytes())


def _old_log_is_served(run: RunningSuite, old_log: list[dict[str, Any]]) -> None:
    """`/previsoes` gives every row that version 0.1.0 logged, with its numbers."""
    for coin in COINS:
        served = {datetime.fromisoformat(row["horario"]): row for row in run.get(f"/previsoes/{coin}?limite=1000")}
        for row in (row for row in old_log if row["coin"] == coin):
            answer = served[row["origin"]]
            found = (answer["preco_atual"], answer["minimo_80"], answer["maximo_80"])
            assert found == pytest.approx((row["price_origin"], row["q10"], row["q90"]), rel=1e-6)


def test_a_live_folder_goes_on(tmp_path: Path) -> None:
    """Prices of CoinGecko collected by 0.1.0, with a stored model: the collector fills the gap and goes on."""
    market = SimulatedMarket(coins_wanted(",".join(COINS)), 0)
    with MarketServer(market, plan="demo-key") as server:
        options = ("--source", "coingecko", "--coins", ",".join(COINS))
        truth = lambda coin, ts_ms: price_at(market, coin, ts_ms)  # noqa: E731
        with _upgraded(tmp_path, "live", *options, truth=truth, server=server) as upgrade:
            _goes_on(upgrade, "coingecko")


def test_a_demo_folder_goes_on_and_serves_the_forecasts_of_the_forest(tmp_path: Path) -> None:
    """The simulated market goes on; forecasts that 0.1.0 logged with the kind `forest` count as the model's."""
    market = SimulatedMarket(coins_wanted(",".join(COINS)), 0)
    truth = lambda coin, ts_ms: price_at(market, coin, ts_ms)  # noqa: E731
    with _upgraded(tmp_path, "demo", "--demo", "--coins", ",".join(COINS), truth=truth) as upgrade:
        assert {row["kind"] for row in upgrade.old_log()} == {"forest"}
        upgrade.run.wait(lambda: upgrade.published() and upgrade.scored() >= len(upgrade.witness.log))
        assert upgrade.run.get("/metricas")["ao_vivo"]["geral"]["parte_do_modelo"] == 1.0
        _goes_on(upgrade, "demo")


def test_a_replay_goes_on(tmp_path: Path) -> None:
    """The recording goes on where its clock stands; its folder is found by the content of the file."""
    recording = tmp_path / "gravação antiga.parquet"
    with _upgraded(tmp_path, "replay", "--replay", str(recording)) as upgrade:
        _goes_on(upgrade, "replay")
