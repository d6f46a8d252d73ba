"""`python -m bench api_latency`: how long the API takes to answer, compared with an empty async route in the same run.

Real server processes, one keep-alive connection each, then eight clients at once. The folder holds prices of every
minute and a log of `--hours` hours.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure, table
from bench.serving import EMPTY_APP, serve
from core.price_store import Coin
from core.publishing.parquet import sorted_by
from core.settings import Source
from tests.support.workspace import SampleWorkspace

__all__ = ["figures", "main", "measure_latency"]

_PATHS: Final = (
    "/status",
    "/moedas",
    "/prever/moeda0",
    "/probabilidade/moeda0?nivel=1.01",
    "/risco?carteira=moeda0:1,moeda1:2",
    "/previsoes/moeda0",
    "/previsoes/moeda0?limite=100",
    "/historico/moeda0",
    "/historico/moeda0?limite=100",
    "/metricas",
    "/metricas/moeda0",
)


def measure_latency(folder: Path, *, coins: int, hours: float, requests: int) -> dict[str, Any]:
    """Fill the empty `folder`, serve it, and ask every path `requests` times.

    Returns:
        `floor` of the empty route and `paths`: median and 95th percentile in milliseconds, bytes of the body;
        `started_s` from process start to the first answer; `answers_per_s` with eight clients.
    """
    sample = _fill(folder, coins, hours)
    environment = sample.settings.model_copy(update={"source": Source.AUTO}).environment()
    with serve(EMPTY_APP, environment) as (port, _):
        floor = _measure(port, "/", requests)
    with serve("api.main:app", environment) as (port, started_s):
        paths = {path: _measure(port, path, requests) for path in _PATHS}
        paths["/prever/moeda0 (304)"] = _measure(port, "/prever/moeda0", requests, conditional=True)
        rate = _throughput(port, "/prever/moeda0")
    return {"floor": floor, "paths": paths, "started_s": started_s, "answers_per_s": rate}


def figures(latency: Mapping[str, Any]) -> list[Figure]:
    """Start, median and 95th percentile of every path, and answers a second."""
    floor, high_floor, _ = latency["floor"]
    found = [Figure("process start to first answer, API", latency["started_s"], "s", 1.5)]
    for path, (median, high, _) in latency["paths"].items():
        found.append(Figure(f"GET {path}, p50", median, "ms", None, "empty async route", floor))
        found.append(Figure(f"GET {path}, p95", high, "ms", None, "empty async route", high_floor))
    return [*found, Figure("answers a second to 8 clients, /prever", latency["answers_per_s"], "")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench api_latency", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--requests", type=int, default=300, help="per path")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        latency = measure_latency(Path(folder), coins=given.coins, hours=given.hours, requests=given.requests)
    print(json.dumps(latency) if given.json else table(figures(latency)))
    return 0


def _fill(folder: Path, coins: int, hours: float) -> SampleWorkspace:
    names = [Coin(f"moeda{number}", f"m{number}", f"Moeda {number}", number + 1, 1) for number in range(coins)]
    sample = SampleWorkspace.make(folder, names)
    sample.fill_prices(hours=max(hours, 26))
    sample.publish_log(hours)
    sample.publish_scores(int(max(hours, 1)))
    sample.publish_backtest(int(max(hours, 1)))
    while sample.publisher.compact("log", sample.now, sorted_by("coin", "origin", "horizon_min")):
        pass
    sample.publish_scaled_hours()
    sample.publish_forecasts()
    return sample


def _get(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str] | None = None
) -> tuple[int, str, int]:
    connection.request("GET", path, headers=headers or {})
    reply = connection.getresponse()
    return reply.status, reply.getheader("ETag") or "", len(reply.read())


def _measure(port: int, path: str, requests: int, conditional: bool = False) -> tuple[float, float, int]:
    """Median and 95th percentile in milliseconds, and the size of the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _, tag, _ = _get(connection, path)
    headers = {"If-None-Match": tag} if conditional else {}
    times = []
    for _ in range(requests):
        began = time.perf_counter()
        status, _, size = _get(connection, path, headers)
        times.append(1000 * (time.perf_counter() - began))
        assert status == (304 if conditional else 200), (path, status)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1], size


def _throughput(port: int, path: str, clients: int = 8, each: int = 100) -> float:
    """Answers a second with several clients at once."""
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        for result in [pool.submit(_measure, port, path, each) for _ in range(clients)]:
            result.result()
    return clients * (each + 1) / (time.perf_counter() - began)
