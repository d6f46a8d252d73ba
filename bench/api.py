"""`python -m bench api`: how fast the API answers, against an async FastAPI route that returns the same bytes.

The yardstick serves recorded bytes and headers on the same uvicorn; both are asked in turn, in one run, by wrk with 1
and with 16 connections, while prices are stored and forecasts published every 30 s. On a shared machine the ratios
alone mean something, that of processor time most. `cold` means that no answer was kept; four callers of 50,000 rows
show whether long lists slow the others.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.api_folder import LONG_HISTORIES, fill_folder, new_prices
from bench.api_scale import scale_figures
from bench.figures import Figure, table
from bench.floor_app import RECORDED_VARIABLE
from bench.load import Load, press, typical, wrk_is_there
from bench.requests import Recorded, record
from bench.serving import FLOOR_APP, Served, serve, serve_api
from core.settings import PROJECT, Source

__all__ = ["Case", "cases", "figures", "main", "measure_api"]

_CONNECTIONS: Final = (1, 16)
_HEAVY_ROWS: Final = 50_000
_IMPORTS: Final = "import fastapi, psutil, pyarrow.parquet, pydantic_settings, sqlite3, uvicorn"
_HIT, _TABLE, _COLD = 0.6, 0.5, 0.15


@dataclass(frozen=True)
class Case:
    """One kind of request, and the share of the yardstick's rate that it must reach."""

    name: str
    path: str
    must: float
    is_known: bool = False
    cold: bool = False


def cases(coin: str, other: str) -> tuple[Case, ...]:
    """What is measured, for two coins of the folder."""
    return (
        Case("/prever", f"/prever/{coin}", _HIT),
        Case("/prever, 304", f"/prever/{coin}", _HIT, is_known=True),
        Case("/prever of all coins", "/prever", _HIT),
        Case("/moedas", "/moedas", _HIT),
        Case("/metricas", "/metricas", _HIT),
        Case("/probabilidade", f"/probabilidade/{coin}?nivel=1.01", _HIT),
        Case("/risco", f"/risco?carteira={coin}:1,{other}:2", _HIT),
        Case("/previsoes, 100 rows", f"/previsoes/{coin}?limite=100", _TABLE),
        Case("/historico, 1,000 rows", f"/historico/{coin}?limite=1000", _TABLE),
        Case("/previsoes, 100 rows, cold", f"/previsoes/{coin}?limite=100", _COLD, cold=True),
        Case("/historico, 1,000 rows, cold", f"/historico/{coin}?limite=1000", _COLD, cold=True),
    )


def measure_api(
    folder: Path, *, coins: int, rows: int, hours: int, seconds: float, rounds: int, only: str = ""
) -> dict[str, Any]:
    """Fill the empty `folder`, serve it beside the yardstick, and ask both in turn; `only` what has this in its name.

    Returns:
        `started_s`; `cases`: for each name and number of connections the loads of `api` and `floor`; `heavy`: /prever
        alone and beside four callers of long lists; `bytes`; `import_cpu_s` of the API and of its libraries alone.
    """
    sample = fill_folder(folder, coins=coins, rows=rows, hours=hours)
    environment = sample.settings.model_copy(update={"source": Source.AUTO}).environment()
    names = [coin.id for coin in sample.coins]
    asked = [case for case in cases(names[0], names[1]) if only in case.name]
    with serve_api(environment) as api:
        recorded = [_recorded_case(api.port, case) for case in asked]
        file = folder / "recorded.json"
        file.write_text(json.dumps([answer.to_json() for answer in recorded]), encoding="utf-8")
        with serve(FLOOR_APP, {RECORDED_VARIABLE: str(file)}) as floor, new_prices(sample):
            measured = [
                _alternate(api, floor, case, f"/{number}", seconds=seconds, rounds=rounds)
                for number, case in enumerate(asked)
            ]
            heavy = {} if only else _beside_heavy_callers(api, asked[0].path, names[:LONG_HISTORIES], seconds, rounds)
        sizes = {
            f"{fields}{coding or 'identity'}": _size(api.port, names[0], coding, query)
            for fields, query in (("", ""), ("all fields, ", "&campos=todos"))
            for coding in ("", "gzip", "zstd")
        }
    return {
        "started_s": api.started_s,
        "cases": {case.name: loads for case, loads in zip(asked, measured, strict=True)},
        "heavy": heavy,
        "bytes": sizes,
        "import_cpu_s": {"api": _cpu_s("import api.server"), "libraries": _cpu_s(_IMPORTS)},
    }


def figures(measured: Mapping[str, Any]) -> list[Figure]:
    """Rates and high latencies against the yardstick, heavy callers, sizes, start."""
    must = {case.name: case.must for case in cases("", "")}
    found = []
    for name, by_connections in measured["cases"].items():
        for connections, loads in by_connections.items():
            api, floor = Load(**loads["api"]), Load(**loads["floor"])
            what = f"{name}, {connections} conn."
            rate = Figure(f"{what}: rate", api.per_s, "1/s", must[name], "same bytes", floor.per_s, at_least=True)
            cpu = Figure(f"{what}: processor time", api.cpu_us, "µs", 1 / must[name], "same bytes", floor.cpu_us)
            found += [rate, cpu, Figure(f"{what}: p99", api.p99_ms, "ms", 3.0, "same bytes", floor.p99_ms)]
    if heavy := measured["heavy"]:
        name = "/prever, p99 beside 4 callers of 50,000 rows"
        found.append(Figure(name, heavy["beside"], "ms", 2.0, "without them", heavy["alone"]))
    for coding, size in measured["bytes"].items():
        limit = 0.8 if coding in ("gzip", "zstd") else None
        found.append(Figure(f"50,000 prices, {coding}", size / 1e6, "MB", limit))
    cpu = measured["import_cpu_s"]
    found.append(Figure("imports of the API", cpu["api"], "CPU-s", 1.5))
    found.append(Figure("imports of its libraries alone", cpu["libraries"], "CPU-s"))
    return [*found, Figure("process start to first answer, API", measured["started_s"], "s")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench api", description=__doc__)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--rows", type=int, default=_HEAVY_ROWS, help="prices of each of the first four coins")
    parser.add_argument("--hours", type=int, default=24, help="length of the log")
    parser.add_argument("--seconds", type=float, default=1, help="of each stretch of load")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="kinds of request with this in their name")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if not wrk_is_there():
        print("python -m bench api needs wrk: apt-get install wrk", file=sys.stderr)
        return 2
    size = {name: getattr(given, name) for name in ("coins", "rows", "hours", "seconds", "rounds", "only")}
    with tempfile.TemporaryDirectory() as folder:
        measured = measure_api(Path(folder), **size)
    if given.json:
        print(json.dumps(measured))
        return 0
    print(table(figures(measured)))
    if not given.only:
        with tempfile.TemporaryDirectory() as folder:
            print(table(scale_figures(Path(folder))))
    return 0


def _recorded_case(port: int, case: Case) -> Recorded:
    first = record(port, case.path)
    assert first.status == 200, (case, first.status, first.body)
    return record(port, case.path, If_None_Match=first.headers["etag"]) if case.is_known else first


def _alternate(
    api: Served, floor: Served, case: Case, floor_path: str, *, seconds: float, rounds: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Loads of API and yardstick in turn, for each number of connections."""
    tag = record(api.port, case.path).headers["etag"] if case.is_known else ""
    found = {}
    for connections in _CONNECTIONS:
        loads: tuple[list[Load], list[Load]] = ([], [])
        for _ in range(rounds):
            asked = press(api, case.path, connections=connections, seconds=seconds, tag=tag, cold=case.cold)
            loads[0].append(asked)
            loads[1].append(press(floor, floor_path, connections=connections, seconds=seconds))
        found[str(connections)] = {"api": asdict(typical(loads[0])), "floor": asdict(typical(loads[1]))}
        assert not found[str(connections)]["api"]["refused"], (case, found)
    return found


def _beside_heavy_callers(
    api: Served, path: str, coins: Sequence[str], seconds: float, rounds: int
) -> dict[str, float]:
    """99th percentile in milliseconds of a path with 16 connections, alone and beside callers of long lists."""
    alone, beside = [], []
    for _ in range(rounds):
        alone.append(press(api, path, connections=16, seconds=2 * seconds).p99_ms)
        with _heavy_callers(api.port, coins) as answers:
            beside.append(press(api, path, connections=16, seconds=2 * seconds).p99_ms)
        assert all(answers.values()), answers
    return {"alone": statistics.median(alone), "beside": statistics.median(beside)}


@contextmanager
def _heavy_callers(port: int, coins: Sequence[str]) -> Iterator[dict[str, int]]:
    """One thread a coin asks for its longest list again and again, none of which can be kept; gives answers by coin."""
    answers = dict.fromkeys(coins, 0)
    done = threading.Event()

    def call(coin: str) -> None:
        while not done.is_set():
            end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 10 + answers[coin]))
            reply = record(port, f"/historico/{coin}?limite={_HEAVY_ROWS}&fim={end}", Accept_Encoding="gzip")
            answers[coin] += reply.status == 200

    callers = [threading.Thread(target=call, args=(coin,)) for coin in coins]
    for caller in callers:
        caller.start()
    try:
        yield answers
    finally:
        done.set()
        for caller in callers:
            caller.join()


def _size(port: int, coin: str, coding: str, query: str) -> int:
    """Bytes of the longest list in a content coding; it must say what it says without one."""
    path = f"/historico/{coin}?limite={_HEAVY_ROWS}{query}"
    answer = record(port, path, Accept_Encoding=coding)
    assert answer.headers.get("content-encoding", "") == coding
    if coding == "gzip":
        assert gzip.decompress(answer.body) == record(port, path).body
    return len(answer.body)


def _cpu_s(code: str) -> float:
    """Processor time of a Python process that runs `code`."""
    before = os.times()
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
