"""Shards on a real Dask cluster of this machine forecast as one process, and their orders carry no password."""

from __future__ import annotations

import pickle
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr

from core.errors import ConfigurationError
from core.forecast_schema import QUANTILE_COLUMNS
from core.price_store import Coin, Price, PriceReader, open_reader, open_writer
from core.store_address import NamedSchema, ServerAddress
from core.times import GRID_STEP_MS
from core.workspace import without_secrets
from etl.arrays import FloatArray
from model.forecaster.engine import EngineOptions
from model.loop.executor import Executor, OneProcess, first_state
from model.loop.price_connection import PriceConnection
from model.loop.shard_processes import ShardProcesses
from tests.support.dask_cluster import running_cluster

SMALL = EngineOptions(train_days=1, n_trees=4, min_rows_prior=60, min_outcomes=60)
START_MS = 1_700_006_400_000
COINS = ("bitcoin", "ethereum", "solana", "cardano")
STEPS = 480


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_shards_on_a_cluster_forecast_as_one_process(tmp_path: Path) -> None:
    """Over TLS, after a first start and after each price that follows, all quantiles are the same to rounding."""
    dask = pytest.importorskip("dask", reason="needs requirements-cluster.txt")
    from model.loop.shard_cluster import Cluster  # noqa: PLC0415 - an extra

    prices = np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.001, (STEPS + 3, len(COINS))), axis=0))
    path = tmp_path / "crypto.db"
    _store(path, 0, prices[:STEPS])
    certificate = _certificate(tmp_path)
    variables = {
        f"DASK_{name.upper().replace('.', '__').replace('-', '_')}": value for name, value in certificate.items()
    }
    with dask.config.set(certificate), running_cluster(2, "tls", variables) as cluster, open_reader(path) as reader:
        whole = OneProcess(first_state(SMALL))
        parts = ShardProcesses(first_state(SMALL), path, 2, Cluster(cluster.address), 30.0)
        with closing(parts):
            for step in range(STEPS, STEPS + 3):
                _store(path, step, prices[step : step + 1])
                expected, found = (_quantiles(one, reader, _time_ms(step)) for one in (whole, parts))
                np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_connection_in_place_of_one_that_broke_is_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last user closes the new connection. That user may have the broken one or the new one."""
    pytest.importorskip("distributed", reason="needs requirements-cluster.txt")
    from model.loop import shard_cluster  # noqa: PLC0415 - an extra

    made = [_Client(), _Client()]
    opened = iter(made)
    monkeypatch.setattr(shard_cluster, "Client", lambda *_, **__: next(opened))
    cluster = shard_cluster.Cluster("tcp://127.0.0.1:1")
    with cluster.connected() as broken:
        broken.close()
        with cluster.connected():
            pass
    assert [client.status for client in made] == ["closed", "closed"]


class _Client:
    """A connection to a scheduler."""

    status = "running"

    def close(self) -> None:
        """Close it."""
        self.status = "closed"


def test_the_address_in_an_order_for_a_cluster_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schema alone travels; the machine that opens it takes the URL from its settings, or says what it lacks."""
    server = ServerAddress(SecretStr("postgresql://writer:first@db/crypto"), "live_usd")
    travelling = without_secrets(server)
    assert pickle.loads(pickle.dumps(travelling)) == NamedSchema("live_usd")  # noqa: S301 - made here
    assert b"first" not in pickle.dumps(travelling)
    assert isinstance(travelling, NamedSchema)
    with pytest.raises(ConfigurationError, match="CRYPTO_DATABASE_READ_URL"):
        PriceConnection(travelling)
    monkeypatch.setenv("CRYPTO_DATABASE_READ_URL", "postgresql://reader:second@db/crypto")
    PriceConnection(travelling).close()


def _certificate(folder: Path) -> dict[str, str]:
    """Settings of Dask that name one certificate for all of a cluster."""
    key, certificate = str(folder / "cluster.key"), str(folder / "cluster.pem")
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=crypto-cluster"]
    subprocess.run(["openssl", *words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    parts = {f"distributed.comm.tls.{part}": (certificate, key) for part in ("scheduler", "worker", "client")}
    files = {
        f"{part}.{kind}": file for part, pair in parts.items() for kind, file in zip(("cert", "key"), pair, strict=True)
    }
    return {"distributed.comm.tls.ca-file": certificate, **files}


def _time_ms(step: int) -> int:
    return START_MS + step * GRID_STEP_MS


def _store(path: Path, first: int, prices: FloatArray) -> None:
    """Store a price of each coin at the grid points from the number `first` on."""
    with open_writer(path) as writer:
        writer.update_coins(Coin(coin, coin[:3], coin, rank, START_MS) for rank, coin in enumerate(COINS))
        for row, step in zip(prices.tolist(), range(first, first + len(prices)), strict=True):
            writer.store(Price(coin, _time_ms(step), price) for coin, price in zip(COINS, row, strict=True))


def _quantiles(executor: Executor, reader: PriceReader, now_ms: int) -> FloatArray:
    executor.pull(reader, now_ms, again=False)
    executor.refit(now_ms)
    table = executor.forecast("0", now_ms, "demo").sort_by([("coin", "ascending"), ("horizon_min", "ascending")])
    return np.column_stack([table[name].to_numpy() for name in QUANTILE_COLUMNS])
