"""Keys and tokens stay in memory: no file, output, answer or command line of the suite contains them."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from core.settings import DEFAULT_COINS
from dashboard.views import VIEWS
from etl.local_market.coin_names import coins_wanted
from etl.local_market.simulated import SimulatedMarket
from tests.faults.conftest import Tell
from tests.support.alert_receivers import http_receiver, status, taken, verified
from tests.support.faults import FaultPlan
from tests.support.faulty_market import FaultyMarketServer
from tests.support.ports import reserve_port
from tests.support.postgres import find_programs, running_server
from tests.support.running_suite import DIRECT, RunningSuite

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX"),
]
POSTGRES: Final = find_programs()

KEY: Final = "CG-v3ryS3cretK3y0123456789"
TOKEN: Final = "t0ken-th4t-n0b0dy-kn0ws"
METRICS_TOKEN: Final = "f0r-pr0metheus-al0ne"
RECEIVER: Final = "b0t987654-AAE-wh0-m4y-wr1te"
SIGNATURE: Final = "whsec_" + base64.b64encode(b"signs-what-the-webhook-sends").decode()
SERVICE: Final = "p4ssw0rd-0f-the-serv1ce"
BUCKET_KEY: Final = "k3y/0f+the/buck3t/wJalrXUtnFEMI"
SECRETS: Final = (KEY, TOKEN, METRICS_TOKEN, RECEIVER, SIGNATURE, SERVICE, BUCKET_KEY)
KNOWN_BY: Final = {
    KEY: {"collector"},
    TOKEN: set[str](),
    METRICS_TOKEN: {"api"},
    RECEIVER: {"alerts"},
    SIGNATURE: {"alerts"},
    SERVICE: {"alerts"},
    BUCKET_KEY: {"pipeline"},
}
"""The processes in whose environment a secret may stand; that of the token is a file."""

ADDRESSES: Final = (
    "/",
    "/status",
    "/moedas",
    "/prever/bitcoin",
    "/historico/bitcoin?formato=csv",
    "/previsoes/bitcoin?formato=csv",
    "/metricas",
    "/eventos?moedas=bitcoin",
    "/openapi.json",
    "/metrics",
    "/probabilidade/bitcoin?nivel=x",
    f"/moedas?token={TOKEN[:3]}",
    "/nada",
)
RULES: Final = """
[canais.gancho]
tipo = "webhook"
url_env = "CRYPTO_ALERT_HOOK"
segredo_env = "CRYPTO_ALERT_SIGNATURE"
permitir_rede_interna = true

[canais.recusado]
tipo = "apprise"
url_env = "CRYPTO_ALERT_SERVICE"

[[regra]]
nome = "Sempre"
condicao = "preco_acima"
moedas = ["bitcoin"]
nivel = 0.000001
canais = ["gancho", "recusado"]
"""
_ANSWER_S: Final = 5.0
_PAGE_S: Final = 60.0


def answer(run: RunningSuite, path: str, token: str | None, port: int | None = None) -> tuple[int, bytes]:
    """Status, headers and body of any answer; of one without an end what comes first."""
    request = urllib.request.Request(f"http://127.0.0.1:{port or run.api_port}{path}")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with DIRECT.open(request, timeout=_ANSWER_S) as reply:
            read = reply.read1 if "event-stream" in reply.headers.get("content-type", "") else reply.read
            return reply.status, str(reply.headers).encode() + bytes(read(-1))
    except urllib.error.HTTPError as error:
        return error.code, str(error.headers).encode() + error.read()
    except OSError:
        return 0, b""


def page(run: RunningSuite, query: str) -> bytes:
    """All that the dashboard sends for a page."""
    asked = BackMsg()
    asked.rerun_script.query_string = query
    address = f"ws://127.0.0.1:{run.dashboard_port}/_stcore/stream"
    received: list[bytes] = []
    with connect(address, subprotocols=[Subprotocol("streamlit")], max_size=None) as line:
        line.send(asked.SerializeToString())
        while not received or not is_last(received[-1]):
            message = line.recv(timeout=_PAGE_S)
            assert isinstance(message, bytes)
            received.append(message)
    return b"".join(received)


def is_last(message: bytes) -> bool:
    """Whether the page is complete with this message."""
    told = ForwardMsg.FromString(message)
    is_end = told.WhichOneof("type") == "script_finished"
    return is_end and bool(told.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY)


def processes(run: RunningSuite) -> Iterator[tuple[str, Collection[str], bytes]]:
    """Name, values of the environment, and command line of each process that the suite has started."""
    names = {child.pid: name for name, child in run.children().items()}
    for process in run.family()[1:]:
        with suppress(psutil.NoSuchProcess):
            variables, words = process.environ().values(), process.cmdline()
            yield names.get(process.pid, "one of a child"), variables, "\0".join(words).encode()


def plain(path: Path) -> bytes:
    """The bytes of a file; of a Parquet file also what its compression hides."""
    content = path.read_bytes()
    if path.suffix != ".parquet":
        return content
    table = pq.read_table(path)
    written = pa.BufferOutputStream()
    columns = [name for name in table.column_names if not pa.types.is_nested(table.schema.field(name).type)]
    pyarrow.csv.write_csv(table.select(columns), written)
    return content + bytes(written.getvalue().to_pybytes()) + str(table.schema.metadata).encode()


def forms(secret: str) -> Iterator[bytes]:
    """The secret as it is, as it stands in an address, and as it stands in a header of HTTP Basic."""
    yield from {
        text.encode()
        for text in (secret, urllib.parse.quote(secret, safe=""), base64.b64encode(secret.encode()).decode())
    }


def found_in(texts: list[tuple[object, bytes]], secrets: tuple[str, ...]) -> list[tuple[str, object]]:
    """Each secret with each place where it stands."""
    return [
        (secret, place) for secret in secrets for place, text in texts if any(form in text for form in forms(secret))
    ]


def test_secrets_are_in_no_file_answer_or_command(
    runs: Callable[..., RunningSuite], tmp_path: Path, tell: Tell
) -> None:
    """With debug logs, a hostile source, failing receivers and no bucket, a secret is only where it is needed."""
    market = SimulatedMarket(coins_wanted(",".join(DEFAULT_COINS)), 3)
    token_file, rules = tmp_path / "token", tmp_path / "alerts.toml"
    token_file.write_text(TOKEN, encoding="utf-8")
    rules.write_text(RULES, encoding="utf-8")
    with FaultyMarketServer(market) as server, http_receiver([status(500), taken]) as receiver:
        run = runs(
            CRYPTO_COINGECKO_URL=server.url,
            CRYPTO_COINGECKO_PLAN="pro-key",
            CRYPTO_COINGECKO_KEY=KEY,
            CRYPTO_API_TOKEN_FILE=str(token_file),
            CRYPTO_METRICS_TOKEN=METRICS_TOKEN,
            CRYPTO_ALERTS_FILE=str(rules),
            CRYPTO_ALERT_HOOK=f"{receiver.url}/{RECEIVER}",
            CRYPTO_ALERT_SIGNATURE=SIGNATURE,
            CRYPTO_ALERT_SERVICE=f"json://bot:{SERVICE}@127.0.0.1:{receiver.port}",
            CRYPTO_ARTIFACTS_URL="s3://nowhere/suite",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{reserve_port()}",
            AWS_ACCESS_KEY_ID="AKIANOBODY",
            AWS_SECRET_ACCESS_KEY=BUCKET_KEY,
            CRYPTO_LOG_LEVEL="DEBUG",
            CRYPTO_LOG_FORMAT="json",
            CRYPTO_LOG_FILE=str(tmp_path / "suite.log"),
            CRYPTO_ACCESS_LOG="true",
        )
        run.wait(lambda: answer(run, "/prever/bitcoin", TOKEN)[0] == 200)
        run.wait(lambda: receiver.taken)
        run.wait(lambda: "channel recusado" in run.output)
        server.faults = FaultPlan.parse("storm:0.7")
        heard = len(server.requests)
        run.wait(lambda: len(server.requests) > heard + 4)
        tokens = (TOKEN, METRICS_TOKEN, None, "wrong", TOKEN + "x")
        seen = [(path, *answer(run, path, token)) for path in ADDRESSES for token in tokens]
        seen += [("the dashboard's login", 200, page(run, ""))]
        started = list(processes(run))
        requests = list(server.requests)
        assert run.end(signal.SIGTERM) == 0
    assert any(KEY in request.headers.values() for request in requests)
    assert verified(receiver.taken[0], SIGNATURE)
    assert {code for _, code, _ in seen} >= {200, 401, 404, 422}
    asked = [("a request", f"{request.path} {request.query}".encode()) for request in requests]
    written = [(path, plain(path)) for path in tmp_path.rglob("*") if path.is_file() and path != token_file]
    assert {run.log, tmp_path / "suite.log"} < {path for path, _ in written}
    assert {"alerts.db", "crypto.db"} < {path.name for path, _ in written}
    answers = [(path, body) for path, _, body in seen]
    commands = [(name, command) for name, _, command in started]
    assert found_in([*written, *asked, *commands, *answers], SECRETS) == []
    assert {
        secret: {name for name, variables, _ in started if any(secret in value for value in variables)}
        for secret in SECRETS
    } == KNOWN_BY
    tell("secrets looked for in files, answers, commands and environments", len(SECRETS), len(SECRETS))


def problems(run: RunningSuite) -> set[str]:
    """The problems that /status names."""
    return set(json.loads(answer(run, "/status", None)[1].rpartition(b"\n\n")[2])["codigos_dos_problemas"])


@pytest.mark.skipif(POSTGRES is None, reason="needs Debian's package postgresql")
def test_passwords_of_the_database_are_shown_nowhere(
    runs: Callable[..., RunningSuite], tmp_path: Path, tell: Tell
) -> None:
    """With an open dashboard, and a database that goes away, no page, log or answer holds a password of a URL."""
    assert POSTGRES is not None
    passwords = ("wr1ter-p4ss", "r3ader-p4ss")
    with running_server(POSTGRES) as server:
        writer = server.url.replace("postgres@", f"postgres:{passwords[0]}@")
        reader = server.reader_url.replace("reader@", f"reader:{passwords[1]}@")
        variables = {"CRYPTO_DATABASE_URL": writer, "CRYPTO_DATABASE_READ_URL": reader, "CRYPTO_LOG_LEVEL": "DEBUG"}
        run = runs("--demo", "--coins", "bitcoin", **variables)
        run.wait(lambda: run.get("/prever/bitcoin"))
        queries = [f"pagina={name}" for name in VIEWS]
        seen: list[tuple[object, bytes]] = [(query, page(run, query)) for query in queries]
        assert sum(b"bitcoin" in text for _, text in seen) > 2
        before = problems(run)
        server.kill()
        run.wait(lambda: problems(run) - before)
        seen += [(path, answer(run, path, None)[1]) for path in ADDRESSES]
        seen += [(query, page(run, query)) for query in queries]
        started = list(processes(run))
        assert run.end(signal.SIGTERM) == 0
        server.start()
    assert {name for name, variables, _ in started if writer in variables} == {"collector"}
    seen += [(name, command) for name, _, command in started]
    seen += [(path, plain(path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert found_in(seen, passwords) == []
    tell("passwords of the database looked for", len(passwords), len(passwords))


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
