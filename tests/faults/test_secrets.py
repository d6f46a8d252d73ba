"""Keys and tokens stay in memory: no file, output, answer or command line of the suite contains them."""

from __future__ import annotations

import os
import signal
import stat
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from core.settings import DEFAULT_COINS
from etl.local_market.coin_names import coins_wanted
from etl.local_market.simulated import SimulatedMarket
from tests.support.faults import FaultPlan
from tests.support.faulty_market import FaultyMarketServer
from tests.support.running_suite import DIRECT, RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX"),
]

KEY = "CG-v3ryS3cretK3y0123456789"
TOKEN = "t0ken-th4t-n0b0dy-kn0ws"
METRICS_TOKEN = "f0r-pr0metheus-al0ne"
ADDRESSES = (
    "/status",
    "/moedas",
    "/prever/bitcoin",
    "/historico/bitcoin?formato=csv",
    "/previsoes/bitcoin?formato=csv",
    "/metricas",
    "/openapi.json",
    "/metrics",
    f"/moedas?token={TOKEN[:3]}",
    "/nada",
)
Tell = Callable[..., None]


def answer(run: RunningSuite, path: str, token: str | None) -> tuple[int, bytes]:
    """Status, headers and body of any answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{run.api_port}{path}")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with DIRECT.open(request, timeout=10) as reply:
            return reply.status, str(reply.headers).encode() + reply.read()
    except urllib.error.HTTPError as error:
        return error.code, str(error.headers).encode() + error.read()
    except OSError:
        return 0, b""


def test_secrets_are_in_no_file_answer_or_command(
    runs: Callable[..., RunningSuite], tmp_path: Path, tell: Tell
) -> None:
    """Even with debug logs and a hostile source, secrets are in no file, output, answer, address or command line."""
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 3)
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN, encoding="utf-8")
    with FaultyMarketServer(market) as server:
        run = runs(
            CRYPTO_COINGECKO_URL=server.url,
            CRYPTO_COINGECKO_PLAN="pro-key",
            CRYPTO_COINGECKO_KEY=KEY,
            CRYPTO_API_TOKEN_FILE=str(token_file),
            CRYPTO_METRICS_TOKEN=METRICS_TOKEN,
            CRYPTO_LOG_LEVEL="DEBUG",
            CRYPTO_LOG_FORMAT="json",
            CRYPTO_LOG_FILE=str(tmp_path / "suite.log"),
            CRYPTO_ACCESS_LOG="true",
        )
        run.wait(lambda: answer(run, "/prever/bitcoin", TOKEN)[0] == 200)
        server.faults = FaultPlan.parse("storm:0.7")
        heard = len(server.requests)
        run.wait(lambda: len(server.requests) > heard + 4)
        tokens = (TOKEN, METRICS_TOKEN, None, "wrong", TOKEN + "x")
        seen = [answer(run, path, token) for path in ADDRESSES for token in tokens]
        environments = [value for process in run.family()[1:] for value in process.environ().values()]
        commands = [word.encode() for process in run.family() for word in process.cmdline()]
        requests = list(server.requests)
        assert run.end(signal.SIGTERM) == 0
    assert any(KEY in request.headers.values() for request in requests)
    assert {status for status, _ in seen} >= {200, 401}
    asked = [f"{request.path} {request.query}".encode() for request in requests]
    written = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert written.pop(token_file)
    assert {run.log, tmp_path / "suite.log"} <= written.keys()
    assert not any(TOKEN in value for value in environments)
    for secret in (KEY.encode(), TOKEN.encode(), METRICS_TOKEN.encode()):
        assert [path for path, content in written.items() if secret in content] == []
        assert not any(secret in text for text in (*commands, *asked, *(body for _, body in seen)))
    tell("secrets looked for in files, answers and commands", 3, 3)


def test_written_files_are_private(runs: Callable[..., RunningSuite], tell: Tell) -> None:
    """No other user of the machine may read or change data, models or health files."""
    run = runs("--demo", "--coins", "bitcoin")
    run.wait(lambda: run.get("/prever/bitcoin"))
    assert run.end(signal.SIGTERM) == 0
    models = run.data_dir.parent / "modelos"
    files = [path for folder in (run.data_dir, models) for path in (folder, *folder.rglob("*"))]
    assert len(files) > 10
    assert [path for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    tell("permissions of all that is written", 1, 1)
