"""A crowd at the dashboard costs nobody else anything, and when it has gone the dashboard has its place for others."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from bench.hostile_clients import ATTACKS, page_is_served
from core.processes.health_schema import PIPELINE
from core.processes.heartbeat import read_health
from tests.support.running_suite import RunningSuite

pytestmark = [pytest.mark.faults, pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")]

SHARE = 1 if os.environ.get("CRYPTO_FULL_FAULTS") == "1" else 3
CROWDS = [replace(attack, count=attack.count // SHARE) for attack in ATTACKS if attack.victim == "dashboard"]
PATIENCE_S = 60


def test_crowds_at_the_dashboard_stop_neither_api_nor_pipeline(
    runs: Callable[..., RunningSuite], tell: Callable[..., None]
) -> None:
    """Beside slow clients, silent sockets, garbage and many tabs the API answers, cycles go on, and tabs open after."""
    run = runs("--demo", "--coins", "bitcoin")
    run.wait(lambda: run.forecasts(("bitcoin",)), 180)
    run.wait(lambda: run.beats("dashboard"))
    before = {name: child.pid for name, child in run.children().items()}

    for crowd in CROWDS:
        with crowd.on(run):
            see_a_whole_cycle(run)
        run.wait(lambda: page_is_served(run.dashboard_port))
        run.wait(lambda: tab_opens(run.dashboard_port))
    assert {name: child.pid for name, child in run.children().items()} == before
    tell("crowds at the dashboard", len(CROWDS), len(CROWDS))
    assert run.end(signal.SIGTERM) == 0


def see_a_whole_cycle(run: RunningSuite) -> None:
    """Ask the API again and again until a cycle has begun and ended."""

    def cycles() -> int:
        return read_health(run.run_dir, PIPELINE).progress.cycle or 0

    def second_end() -> bool:
        assert run.get("/prever/bitcoin") is not None, "the API does not answer"
        return cycles() >= seen + 2

    seen = cycles()
    run.wait(second_end)


def tab_opens(port: int) -> bool:
    """Whether a visitor gets a session that begins to draw the page."""
    asked, answer = BackMsg(), ForwardMsg()
    asked.rerun_script.query_string = ""
    try:
        with connect(f"ws://127.0.0.1:{port}/_stcore/stream", subprotocols=[Subprotocol("streamlit")]) as line:
            line.send(asked.SerializeToString())
            received = line.recv(timeout=PATIENCE_S)
    except InvalidStatus:
        return False
    assert isinstance(received, bytes)
    answer.ParseFromString(received)
    return answer.WhichOneof("type") == "new_session"
