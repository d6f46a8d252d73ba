"""`python -m bench readers`: what many readers cost: one process of the API, four, and nginx that keeps answers.

The three are asked in turn by wrk, in one run, while prices are stored and forecasts published every five seconds; at
the usual thirty nginx answers more of the requests itself. It stands there with ops/nginx/open-data.conf, without TLS
and limits. From the measured processor times comes what 10,000 readers would need: a sum, not a measurement.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from bench.api_folder import fill_folder, new_prices
from bench.figures import Figure, table
from bench.listeners import measure_listeners
from bench.load import Load, press, processor_s, typical, wrk_is_there
from bench.readers_on_paper import on_paper
from bench.requests import record
from bench.serving import Served, serve_api
from core.settings import Source
from suite.ports import free_port
from tests.support.nginx import NGINX, plain_open_data, running_nginx

__all__ = ["figures", "main", "measure_readers"]

_INTERVAL_S: Final = 5.0
_CONNECTIONS: Final = 32
_COINS: Final = 250
_FEWER: Final = 5
_WAIT_S: Final = 120.0
_WAYS: Final = ("one process", "four processes", "nginx")


def measure_readers(folder: Path, *, rows: int, rounds: int, seconds: float, listeners: int) -> dict[str, Any]:
    """Serve the empty `folder` in the three ways, and ask each in turn.

    Returns:
        `requests`: for each path and way the load, and `api_us`, the part of its processor time that is the API's;
        `light_page`: what `measure_listeners` says of a few and of many readers of the light page.
    """
    sample = fill_folder(folder / "requests", coins=_COINS, rows=rows, hours=24)
    update = {"source": Source.AUTO, "interval": _INTERVAL_S}
    environment = sample.settings.model_copy(update=update).environment()
    coin = sample.coins[0].id
    paths = {
        "/prever/{coin}": f"/prever/{coin}",
        "/prever": "/prever",
        "/historico, 1,000 rows": f"/historico/{coin}?limite=1000",
    }
    with (
        serve_api(environment) as one,
        serve_api(environment, (2, 3, 4, 5)) as four,
        serve_api(environment, (6,)) as behind,
        _nginx(folder / "nginx", behind) as proxy,
        new_prices(sample, _INTERVAL_S),
    ):
        _wait_for_the_pace(behind)
        servers = dict(zip(_WAYS, ((one, one), (four, four), (proxy, behind)), strict=True))
        requests = {name: _alternate(servers, path, rounds, seconds) for name, path in paths.items()}
    pages = [
        measure_listeners(folder / f"{number} listeners", listeners=number, coins=_COINS, crowd="readers")
        for number in (listeners // _FEWER, listeners)
    ]
    return {"requests": requests, "light_page": pages}


@contextmanager
def _nginx(folder: Path, api: Served) -> Iterator[Served]:
    """Run nginx before an API; the API's processor time counts too."""
    folder.mkdir()
    port = free_port(set())
    with running_nginx(folder, plain_open_data(port, api.port), port) as process:
        yield Served(port, process.pid, 0.0, (api.pid,))


def _wait_for_the_pace(api: Served) -> None:
    """Wait until the API knows how often there is something new, and says for how long an answer holds."""
    deadline = time.monotonic() + _WAIT_S
    while "max-age" not in record(api.port, "/prever").headers["cache-control"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _alternate(
    servers: Mapping[str, tuple[Served, Served]], path: str, rounds: int, seconds: float
) -> dict[str, dict[str, float]]:
    """Typical loads of each way, and the processor time per answer of the API alone."""
    loads: dict[str, list[Load]] = {way: [] for way in servers}
    api_s = dict.fromkeys(servers, 0.0)
    for _ in range(rounds):
        for way, (asked, api) in servers.items():
            before = processor_s(api)
            loads[way].append(press(asked, path, connections=_CONNECTIONS, seconds=seconds))
            api_s[way] += processor_s(api) - before
    found = {way: typical(seen) for way, seen in loads.items()}
    assert not any(load.refused or load.failed for load in found.values()), found
    answers = {way: seconds * sum(load.per_s for load in seen) for way, seen in loads.items()}
    return {way: {**asdict(load), "api_us": 1e6 * api_s[way] / answers[way]} for way, load in found.items()}


def figures(measured: Mapping[str, Any]) -> list[Figure]:
    """Rates and processor times of each way, against one process."""
    found = []
    for path, ways in measured["requests"].items():
        one = ways[_WAYS[0]]
        for way, load in ways.items():
            yardstick = ("", None) if way == _WAYS[0] else (_WAYS[0], one)
            rate, cost, high = (yardstick[1] and yardstick[1][name] for name in ("per_s", "cpu_us", "p99_ms"))
            what = f"{path}, {way}"
            found += [
                Figure(f"{what}: rate", load["per_s"], "1/s", None, yardstick[0], rate),
                Figure(f"{what}: processor time", load["cpu_us"], "µs", None, yardstick[0], cost),
                Figure(f"{what}: p99", load["p99_ms"], "ms", None, yardstick[0], high),
            ]
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench readers", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000, help="prices of each coin that is asked for")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=5, help="of each stretch; five are a whole interval")
    parser.add_argument("--listeners", type=int, default=1000, help="readers of the light page")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if not wrk_is_there() or NGINX is None:
        print("needs wrk and nginx: apt-get install wrk nginx")
        return 2
    options = {name: value for name, value in vars(given).items() if name != "json"}
    with tempfile.TemporaryDirectory() as folder:
        measured = measure_readers(Path(folder), **options)
    if given.json:
        print(json.dumps(measured))
        return 0
    print(table(figures(measured)))
    print(on_paper(measured))
    return 0
