"""The running suite as operators see it: by Prometheus with the shipped files, and by a socket like systemd's."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from core.settings import PROJECT
from tests.support.ports import reserve_port
from tests.support.running_suite import DIRECT, RunningSuite

OPS: Final = PROJECT / "ops"
HERE: Final = Path(__file__).parent
PATIENCE_S: Final = 90.0
COINS: Final = ("bitcoin", "ethereum")
IMPATIENT: Final = f"""
import signal, sys
sys.path.insert(0, {str(PROJECT)!r})
import suite.main, suite.run
suite.run._LOOP_PATIENCE_S = 3.0
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
signal.signal(signal.SIGUSR1, lambda *_: signal.sigwait([signal.SIGUSR2]))
sys.exit(suite.main.main())
"""
"""Runs the suite with a short time limit; its main loop hangs from SIGUSR1 to SIGUSR2, its other threads go on."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Debian's package prometheus"),
]


class Prometheus:
    """Prometheus on a free port with the shipped files, every time in them shortened to one or two seconds."""

    def __init__(self, folder: Path, target_port: int) -> None:
        self.port = reserve_port()
        config = (OPS / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
        config = config.replace(": 15s", ": 1s").replace("127.0.0.1:8000", f"127.0.0.1:{target_port}")
        (folder / "prometheus.yml").write_text(config, encoding="utf-8")
        rules = (OPS / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
        (folder / "alerts.yml").write_text(re.sub(r"for: \w+", "for: 2s", rules), encoding="utf-8")
        words = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}"]
        words += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        self.process = subprocess.Popen(["prometheus", *words])

    def ask(self, path: str, **parameters: str) -> Any:
        """What an address of its API answers; None while it does not."""
        try:
            address = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
            with DIRECT.open(address, timeout=5) as reply:
                return json.load(reply)["data"]
        except OSError:
            return None

    def series(self, query: str) -> list[Any]:
        """The series that a query finds now."""
        answer = self.ask("query", query=query)
        return list(answer["result"]) if answer else []

    def fires(self, alert: str, **labels: str) -> bool:
        """Whether this alert fires now."""
        named = {"alertname": alert, "alertstate": "firing", **labels}
        return bool(self.series("ALERTS{" + ", ".join(f'{name}="{value}"' for name, value in named.items()) + "}"))


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """A socket as systemd has one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path_factory.mktemp("systemd") / "notify"))
        line.settimeout(PATIENCE_S)
        yield line


@pytest.fixture(scope="module")
def suite(manager: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    """The suite with a simulated market of two coins, publishing forecasts, as a service with a watchdog."""
    asked = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "3000000"}
    folder = tmp_path_factory.mktemp("suite")
    running = RunningSuite(folder, "--demo", "--coins", ",".join(COINS), code=IMPATIENT, **asked)
    try:
        running.wait(lambda: running.forecasts(COINS))
        yield running
    finally:
        running.process.kill()


@pytest.fixture(scope="module")
def prometheus(suite: RunningSuite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, which has scraped the suite."""
    started = Prometheus(tmp_path_factory.mktemp("prometheus"), suite.api_port)
    try:
        wait_for(lambda: started.series('up{job="crypto"} == 1'))
        yield started
    finally:
        started.process.terminate()
        started.process.wait(30)


def wait_for(what: Callable[[], object]) -> None:
    """Wait until `what` is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def panel_queries() -> list[str]:
    """Every query of the dashboard, with Grafana's variables filled in."""
    dashboard = json.loads((OPS / "grafana" / "dashboards" / "crypto.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    return [query.replace("$__rate_interval", "1m").replace("$instance", ".*") for query in queries]


def test_the_shipped_files_are_valid(suite: RunningSuite, tmp_path: Path) -> None:
    """The tool of Prometheus finds nothing wrong with configuration, rules and the page of the running suite."""
    page = suite.get("/metrics")
    subprocess.run(["promtool", "check", "config", OPS / "prometheus" / "prometheus.yml"], check=True)
    subprocess.run(["promtool", "check", "metrics"], input=page, text=True, check=True)


def test_each_alert_is_told_in_time() -> None:
    """With the shipped intervals faults fire within two minutes; a healthy suite and a single restart do not."""
    subprocess.run(["promtool", "test", "rules", HERE / "alert_rules.yml"], check=True)


def test_every_panel_of_the_dashboard_finds_series(prometheus: Prometheus) -> None:
    """Each query runs; those without series are of what this suite lacks: call limits, errors, scores, alerts."""
    wait_for(lambda: prometheus.series("rate(crypto_polls_total[1m])"))
    found = {query: prometheus.ask("query", query=query) for query in panel_queries()}
    assert [query for query, answer in found.items() if answer is None] == []
    empty = [query for query, answer in found.items() if not answer["result"]]
    assert [query for query in empty if not re.search(r"calls_left|\[45\]|crypto_day_|crypto_alert", query)] == []


def test_systemd_hears_of_the_start_and_of_a_living_main_loop(suite: RunningSuite, manager: socket.socket) -> None:
    """Ready comes once, signs of life come again and again."""
    heard = [manager.recv(100)]
    while heard.count(b"WATCHDOG=1") < 5:
        heard.append(manager.recv(100))
    assert heard.count(b"READY=1") == 1
    assert set(heard) == {b"READY=1", b"WATCHDOG=1"}


def test_processes_that_hang_are_told_and_their_return_too(
    suite: RunningSuite, prometheus: Prometheus, manager: socket.socket
) -> None:
    """A suspended pipeline and a hung supervisor fire by name; /status names both, and systemd hears nothing more."""
    assert not prometheus.series('ALERTS{severity="page"}')
    pid = suite.children()["pipeline"].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    suite.process.send_signal(signal.SIGUSR1)
    for name in ("suite", "pipeline"):
        wait_for(functools.partial(prometheus.fires, "CryptoProcessDown", process=name))
    assert {"suite_silent", "pipeline_stopped"} <= set(suite.get("/status")["codigos_dos_problemas"])
    assert not unheard(manager)
    os.kill(pid, signal.SIGCONT)
    suite.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: not prometheus.fires("CryptoProcessDown"))
    assert suite.get("/status")["codigos_dos_problemas"] == []


def unheard(manager: socket.socket) -> bool:
    """Whether something arrives within one period of the watchdog, after all that has arrived before."""
    manager.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while manager.recv(100):
            pass
    return bool(select.select([manager], [], [], 3.0)[0])


def test_a_suite_that_ended_is_told(suite: RunningSuite, prometheus: Prometheus) -> None:
    """With the API gone, CryptoUnreachable fires."""
    suite.process.kill()
    wait_for(lambda: prometheus.fires("CryptoUnreachable"))
