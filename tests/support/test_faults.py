"""Each fault happens over a real socket when, where and as often as its plan says; the market stays as it is."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
import requests

from core.errors import EXIT_CONFIGURATION, BadInput
from core.settings import PROJECT
from tests.support.fault_answers import CHART, MARKET, MARKETS, NOW_MS, suffer
from tests.support.faults import ANSWER_KINDS, CONTENT_KINDS, MARKET_KINDS, Fault, FaultPlan
from tests.support.faulty_market import FaultyMarketServer


def test_the_next_three_requests_and_no_more(server: FaultyMarketServer) -> None:
    """`times` counts down, `skip` waits first, and what is over is over."""
    server.faults = FaultPlan([Fault("rate_limit", times=3, skip=1, retry_after_s=2)])
    answers = [requests.get(f"{server.url}/ping", timeout=5) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 429, 200, 200]
    assert answers[1].headers["Retry-After"] == "2"
    assert answers[1].json()["status"]["error_code"] == 429


def test_a_rate_limit_may_say_nothing_or_only_a_date(server: FaultyMarketServer) -> None:
    """Without Retry-After, and with x-ratelimit-reset alone, which is a date and not seconds."""
    silent = suffer(server, "/ping", Fault("rate_limit"))
    assert "Retry-After" not in silent.headers
    dated = suffer(server, "/ping", Fault("rate_limit", reset_after_s=60))
    assert "Retry-After" not in dated.headers
    reset = datetime.strptime(dated.headers["x-ratelimit-reset"], "%Y-%m-%d %H:%M:%S %z")
    assert 59 <= reset.timestamp() - NOW_MS / 1000 <= 60


@pytest.mark.parametrize(
    ("fault", "status", "kind", "text"),
    [
        (Fault("throttled_text"), 429, "text/plain", "Throttled"),
        (Fault("ban_1015"), 429, "text/plain", "error code: 1015"),
        (Fault("ban_1020"), 403, "text/html", "1020"),
        (Fault("server_error", status=500), 500, "text/html", "something went wrong"),
        (Fault("server_error", status=502), 502, "text/html", "502"),
        (Fault("server_error", status=503), 503, "text/html", "503"),
        (Fault("server_error", status=504), 504, "text/html", "Gateway time-out"),
        (Fault("html_200"), 200, "text/html", "<!DOCTYPE html>"),
        (Fault("empty_object"), 200, "application/json", "{}"),
        (Fault("empty_list"), 200, "application/json", "[]"),
    ],
)
def test_whole_answers_are_replaced(
    server: FaultyMarketServer, fault: Fault, status: int, kind: str, text: str
) -> None:
    """Status, content type and text are those of the trouble."""
    answer = suffer(server, MARKETS, fault)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith(kind)
    assert text in answer.text


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", requests.ConnectionError),
        ("cut_body", requests.exceptions.ChunkedEncodingError),
        ("wrong_length", requests.exceptions.ChunkedEncodingError),
        ("gzip_garbage", requests.exceptions.ContentDecodingError),
    ],
)
def test_a_transport_fault_breaks_the_answer(server: FaultyMarketServer, kind: str, error: type[Exception]) -> None:
    """A client sees a reset, a body that ends too soon, or bytes that are no gzip; the next request is well."""
    with pytest.raises(error):
        suffer(server, MARKETS, Fault(kind, times=1))
    assert requests.get(server.url + MARKETS, timeout=5).status_code == 200


def test_a_reset_ends_the_connection_with_rst(server: FaultyMarketServer) -> None:
    """The connection ends with RST, not with an orderly farewell."""
    server.faults = FaultPlan([Fault("reset")])
    port = int(server.url.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: localhost\r\nUser-Agent: t\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(100)


def test_a_slow_body_exceeds_a_short_read_time_out(server: FaultyMarketServer) -> None:
    """Half a body, then nothing for a while: a read time-out; a patient client gets the whole."""
    server.faults = FaultPlan([Fault("slow_body", delay_s=1.0)])
    with pytest.raises(requests.RequestException):
        requests.get(server.url + MARKETS, timeout=(2, 0.2))
    assert len(requests.get(server.url + MARKETS, timeout=5).json()) == 4


def test_stopping_does_not_wait_for_slow_bodies() -> None:
    """A server in the middle of a slow answer stops at once, and its port is free."""
    server = FaultyMarketServer(MARKET, faults=FaultPlan([Fault("slow_body", delay_s=60)])).start()
    failed: list[Exception] = []

    def ask() -> None:
        try:
            requests.get(server.url + MARKETS, timeout=30).json()
        except (requests.RequestException, ValueError) as error:
            failed.append(error)

    client = threading.Thread(target=ask)
    client.start()
    while not server.requests:
        time.sleep(0.01)
    server.stop()
    client.join(timeout=10)
    assert not client.is_alive()
    port = int(server.url.split(":")[2].split("/")[0])
    with FaultyMarketServer(MARKET, port=port) as again:
        assert requests.get(f"{again.url}/ping", timeout=5).status_code == 200


def test_a_fault_can_be_meant_for_one_path(server: FaultyMarketServer) -> None:
    """Other paths neither suffer nor count."""
    server.faults = FaultPlan([Fault("server_error", times=1, path="market_chart")])
    statuses = [requests.get(server.url + path, timeout=5).status_code for path in ("/ping", CHART, CHART)]
    assert statuses == [200, 503, 200]
    assert server.faults.fired == [("/api/v3/coins/bitcoin/market_chart", "server_error")]


def test_a_storm_follows_its_seed_and_its_probability() -> None:
    """The same seed and order of requests give the same storm; a fifth of all requests suffers."""
    first, second = (FaultPlan.storm(0.2, seed=4) for _ in range(2))
    hits = [[fault.kind for fault, _ in plan.take("/x", 0)] for plan in (first, second) for _ in range(1_000)]
    assert hits[:1_000] == hits[1_000:]
    suffering = sum(bool(kinds) for kinds in hits[:1_000])
    assert 130 < suffering < 270
    assert len({kind for kinds in hits for kind in kinds}) > 20


def test_every_kind_answers_something_in_a_storm(server: FaultyMarketServer) -> None:
    """With each kind the server gives an answer; it never fails by itself."""
    for kind in (*ANSWER_KINDS, *CONTENT_KINDS, *MARKET_KINDS):
        fault = Fault(kind, coins=("bitcoin",), new_id="other")
        for path in ("/ping", MARKETS, CHART, "/nowhere", "/coins/markets"):
            assert suffer(server, path, fault).status_code in (200, 403, 404, 422, 429, 503)


def test_many_clients_at_once_get_the_same_prices(server: FaultyMarketServer) -> None:
    """Sixteen threads asking together all see the one market."""
    with ThreadPoolExecutor(16) as pool:
        pages = set(pool.map(lambda _: requests.get(server.url + MARKETS, timeout=20).text, range(48)))
    assert len(pages) == 1
    assert len(server.requests) == 48


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "storm:much",
        "@/no/such/file",
        '{"unknown": 1}',
        '[{"kind": "nothing"}]',
        '[{"kind": "spike", "colour": "red"}]',
        '[{"kind": "spike", "times": "3"}]',
        '[{"kind": "renamed"}]',
        '["spike"]',
        '{"storm": 1, "kinds": 5}',
        '{"storm": "0.2"}',
    ],
)
def test_an_invalid_plan_is_refused(text: str) -> None:
    """The message is in Portuguese and says that the plan of faults is wrong."""
    with pytest.raises(BadInput, match="plano de falhas"):
        FaultPlan.parse(text)


def test_plans_are_read_as_written(tmp_path: Path) -> None:
    """A list, an object with a seed, a storm, and a file with any of them."""
    assert FaultPlan.parse('[{"kind": "reset", "times": 1}]').to_json()["faults"][0]["times"] == 1
    assert FaultPlan.parse('{"seed": 7, "faults": []}').to_json()["seed"] == 7
    storm = FaultPlan.parse("storm:0.5").to_json()["faults"]
    assert sum(fault["probability"] for fault in storm) == pytest.approx(0.5)
    file = tmp_path / "plan.json"
    file.write_text('{"storm": 1.0, "kinds": ["reset", "slow_body"]}')
    assert {fault["kind"] for fault in FaultPlan.parse(f"@{file}").to_json()["faults"]} == {"reset", "slow_body"}


def test_the_faulty_simulator_is_a_command() -> None:
    """It serves etl.simulator's market under the plan, and refuses an invalid plan in one line."""
    command = [sys.executable, "-m", "tests.support.faulty_simulator", "--port", "0", "--faults"]
    plan = json.dumps([{"kind": "server_error", "status": 502, "times": 1}])
    with subprocess.Popen([*command, plan, "--coins", "bitcoin"], cwd=PROJECT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = next(line.decode().split()[-1] for line in process.stdout if b"listening on" in line)
        statuses = [requests.get(f"{url}/ping", timeout=5).status_code for _ in range(2)]
        process.terminate()
    assert statuses == [502, 200]
    refused = subprocess.run([*command, "nonsense"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert refused.returncode == EXIT_CONFIGURATION
    assert refused.stderr.startswith("Erro: plano de falhas")
