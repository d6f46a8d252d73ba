"""Several processes of the API on one port: who answers, what they count together, and how they start and end."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.processes.health_schema import api_worker
from core.processes.heartbeat import read_health
from core.settings import PROJECT, Settings, Source
from tests.support.ports import reserve_port
from tests.support.running_suite import RunningSuite
from tests.support.workspace import SampleWorkspace

PATIENCE_S = 60.0
MANY = 60
"""New connections: that one of two processes gets none of them happens once in 10^18 runs."""

PAGES: Final = 10
"""Scrapes one after another, which hardly all meet the same process."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="several processes share a port on Linux alone"),
]


def ask(port: int, path: str) -> str | None:
    """The answer over a new connection, or None without an answer."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        line.request("GET", path)
        reply = line.getresponse()
        text = reply.read().decode()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        line.close()
    return text if reply.status == 200 else None


def counted(port: int, route: str) -> Counter[str]:
    """How many requests for a route each process has answered, as /metrics says."""
    page = ask(port, "/metrics")
    assert page is not None
    samples = [one for family in text_string_to_metric_families(page) for one in family.samples]
    named = [one for one in samples if one.name == "crypto_http_requests_total" and one.labels["route"] == route]
    return Counter({one.labels["worker"]: int(one.value) for one in named})


def is_complete(counts: Counter[str]) -> bool:
    """Whether a page tells all requests, of both processes; a page may be two seconds old."""
    return set(counts) == {"api", "api_2"} and counts.total() == MANY


@contextmanager
def two_processes(settings: Settings) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes of the API over one folder, both ready."""
    with ExitStack() as stack:
        started = []
        for worker in (1, 2):
            command = [sys.executable, "-m", "api.server", "--worker", str(worker)]
            process = subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **settings.environment()})
            stack.callback(process.wait, PATIENCE_S)
            stack.callback(process.terminate)
            started.append(process)
        for worker in (1, 2):
            until(lambda worker=worker: read_health(settings.run_dir, api_worker(worker)).alive)
        until(lambda: ask(settings.api_port, "/saude") is not None)
        yield started


def until(is_true: object) -> None:
    """Wait for a condition."""
    assert callable(is_true)
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A filled folder, served by two processes."""
    sample = SampleWorkspace.make(tmp_path).fill()
    update = {"source": Source.AUTO, "api_port": reserve_port(), "api_workers": 2}
    return sample.settings.model_copy(update=update)


def test_both_answer_and_either_tells_the_requests_of_both(settings: Settings) -> None:
    """Connections reach both processes, with the same answers, and /metrics of either counts all of them."""
    with two_processes(settings):
        answers = {ask(settings.api_port, "/prever/btc") for _ in range(MANY)}
        assert len(answers) == 1
        until(lambda: all(is_complete(counted(settings.api_port, "/prever/{moeda}")) for _ in range(PAGES)))


def test_when_one_is_killed_the_other_answers(settings: Settings) -> None:
    """After a kill -9 of the first process every new connection reaches the second."""
    with two_processes(settings) as (first, _):
        first.kill()
        first.wait(PATIENCE_S)
        assert None not in {ask(settings.api_port, "/prever/btc") for _ in range(MANY)}


def test_the_suite_keeps_all_of_them_running(tmp_path: Path) -> None:
    """run_all.py starts as many as asked for, starts a killed one again, and ends with all of them gone."""
    suite = RunningSuite(tmp_path, "--demo", "--api-workers", "2", "--coins", "bitcoin")
    try:
        suite.wait(lambda: suite.get("/prever/bitcoin"))
        suite.wait(lambda: read_health(suite.run_dir, api_worker(2)).alive)
        suite.kill_child("api_2")
        suite.wait(lambda: read_health(suite.run_dir, api_worker(2)).pid == suite.children()["api_2"].pid)
        assert suite.end(signal.SIGTERM) == 0
    finally:
        suite.process.kill()
