"""The whole suite with its prices on a PostgreSQL server, and the same answers from a copy of them in a file."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from core.migrate_store import copy_store
from core.settings import Settings, load_settings
from core.workspace import current_workspace
from tests.support.postgres import find_programs, running_server
from tests.support.running_suite import RunningSuite

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(find_programs() is None, reason="needs the programs of PostgreSQL: apt-get install postgresql"),
]

COINS: Final = ("bitcoin", "ethereum")
ASKED: Final = (
    "/moedas",
    "/historico/bitcoin?limite=500",
    "/historico/bitcoin?intervalo=1h&limite=30",
    "/historico/ethereum?ordem=asc&limite=50&campos=todos",
    "/prever",
    "/previsoes/bitcoin",
)


def answers(settings: Settings) -> dict[str, Any]:
    """What the API answers to each path of ASKED."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8000", client=("127.0.0.1", 50_000)) as client:
        replies = {path: client.get(path) for path in ASKED}
    assert {reply.status_code for reply in replies.values()} == {200}, {p: r.text for p, r in replies.items()}
    return {path: reply.json() for path, reply in replies.items()}


def test_a_suite_on_postgresql_answers_as_one_on_a_file(tmp_path: Path) -> None:
    """Prices reach forecasts and API through the server; copied into a file, they give the same answers."""
    programs = find_programs()
    assert programs is not None
    with running_server(programs) as server:
        suite = RunningSuite(
            tmp_path,
            *("--demo", "--no-browser", "--coins", ",".join(COINS)),
            CRYPTO_DATABASE_URL=server.url,
            CRYPTO_DATABASE_READ_URL=server.reader_url,
        )
        try:
            suite.wait(lambda: suite.forecasts(COINS), 180)
            suite.wait(lambda: suite.get("/historico/bitcoin?limite=500"), 60)
            suite.wait(lambda: suite.get("/previsoes/bitcoin"), 60)
            assert not list(suite.data_dir.rglob("crypto.db"))
            assert roles_of_sessions(server.url) == {"postgres", "reader"}
            assert server.url not in suite.output
        finally:
            if suite.process.poll() is None:
                suite.end(signal.SIGTERM)
        given = {"data_dir": suite.data_dir, "models_dir": tmp_path / "modelos", "source": "demo"}
        on_server = load_settings(**given, database_url=server.url)
        in_file = load_settings(**given)
        source, target = current_workspace(on_server).store, current_workspace(in_file).store
        assert copy_store(source, target, lambda _done, _total: None).differing == []
        assert answers(on_server) == answers(in_file)


def roles_of_sessions(url: str) -> set[str]:
    """The roles that are connected now, but for this question's own session."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename IS NOT NULL AND pid <> pg_backend_pid()"
        )
        return {name for (name,) in rows}
