"""`python -m bench.api_latency`: how long the API takes to answer, beside an empty FastAPI route in the same run.

Real server processes, one keep-alive connection each, then eight clients at once. The folder holds prices of every
minute and the log of `--hours` hours.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from core.price_store import Coin
from core.publishing.parquet import sorted_by
from core.publishing.publisher import Publisher
from core.settings import PROJECT, Source
from tests.support.sample_folder import SampleFolder

PATHS: Final = (
    "/status",
    "/moedas",
    "/prever/moeda0",
    "/previsoes/moeda0",
    "/previsoes/moeda0?limite=100",
    "/historico/moeda0",
    "/historico/moeda0?limite=100",
    "/metricas",
    "/metricas/moeda0",
)


@dataclass(frozen=True)
class Latency:
    """By path: median and 95th percentile in milliseconds, and the size of the body; `floor` of an empty route."""

    floor: tuple[float, float, int]
    paths: dict[str, tuple[float, float, int]]
    started_s: float
    answers_per_s: float


def measure_latency(folder: Path, *, coins: int, hours: float, requests: int) -> Latency:
    """Fill the empty `folder`, serve it, and ask every path `requests` times."""
    sample = _fill(folder, coins, hours)
    environment = {**os.environ, **sample.settings.model_copy(update={"source": Source.AUTO}).environment()}
    with _serve("bench.empty_api:app", environment) as (port, _):
        floor = _measure(port, "/", requests)
    with _serve("api.main:app", environment) as (port, started_s):
        paths = {path: _measure(port, path, requests) for path in PATHS}
        paths["/prever/moeda0 (304)"] = _measure(port, "/prever/moeda0", requests, conditional=True)
        return Latency(floor, paths, started_s, _throughput(port, "/prever/moeda0"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--requests", type=int, default=300, help="per path")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        latency = measure_latency(Path(folder), coins=options.coins, hours=options.hours, requests=options.requests)
    if options.json:
        print(json.dumps(asdict(latency)))
        return 0
    print(f"{options.coins} coins, {options.hours:g} h; process start to first answer {latency.started_s:.2f} s\n")
    print(f"{'path':34} {'p50 ms':>8} {'p95 ms':>8} {'bytes':>9}")
    _print_row("(empty FastAPI route)", latency.floor)
    for path, measured in latency.paths.items():
        _print_row(path, measured)
    print(f"\n8 clients on /prever: {latency.answers_per_s:.0f} answers a second, all 200")
    return 0


def _fill(folder: Path, coins: int, hours: float) -> SampleFolder:
    names = [Coin(f"moeda{number}", f"m{number}", f"Moeda {number}", number + 1, 1) for number in range(coins)]
    sample = SampleFolder.make(folder, names)
    sample.fill_prices(hours=max(hours, 26))
    publisher = Publisher(sample.workspace.processed)
    sample.publish_log(publisher, hours)
    sample.publish_scores(publisher, int(max(hours, 1)))
    while publisher.compact("log", sample.now, sorted_by("coin", "origin", "horizon_min")):
        pass
    sample.publish(publisher)
    return sample


@contextmanager
def _serve(application: str, environment: dict[str, str]) -> Iterator[tuple[int, float]]:
    """Port of a running server, and the seconds from its start to its first answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--no-access-log"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--log-level", "warning"], env=environment, cwd=PROJECT)
    try:
        while not _answers(port):
            time.sleep(0.01)
        yield port, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        _get(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "/status")
    except OSError:
        return False
    return True


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


def _print_row(name: str, measured: tuple[float, float, int]) -> None:
    median, high, size = measured
    print(f"{name:34} {median:8.2f} {high:8.2f} {size:9d}")


if __name__ == "__main__":
    sys.exit(main())
