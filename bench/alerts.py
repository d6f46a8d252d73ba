"""`python -m bench alerts`: 1,000 rules over 250 coins judged in a cycle, and the memory of the alert process.

The rules are of all conditions about coins, in equal parts and about all coins, so that a cycle judges 250,000 pairs.
The yardstick of its CPU time is a plain Python loop that compares as many prices with levels; that of the memory is
what the libraries take that the process loads.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from alerts.forecast_reading import open_reading
from alerts.rule_book import RuleBook
from alerts.store import AlertStore
from alerts.watch import Watch
from bench.figures import Figure, table
from bench.market import coin_names
from core.price_store import Price, open_writer
from core.processes.health_schema import ALERTS, ProcessState
from core.processes.heartbeat import read_health
from core.reading.published import PublishedData
from core.settings import PROJECT
from core.times import GRID_STEP_MS, MINUTE_MS, parse_iso
from tests.support.workspace import SampleWorkspace

__all__ = ["figures", "main", "measure"]

_CYCLE_MS: Final = 100.0
_MEMORY_MB: Final = 60.0
_PATIENCE_S: Final = 300.0
_PRICE_RULES: Final = ("preco_acima", "preco_abaixo", "preco_cruza", "variacao")
_FORECAST_RULES: Final = (
    "fora_da_faixa",
    "movimento_esperado",
    "largura_da_faixa",
    "termina_acima",
    "termina_abaixo",
    "toca",
    "regime",
)
_KINDS: Final = {"prices": _PRICE_RULES, "forecasts": (*_PRICE_RULES, *_FORECAST_RULES)}
_LIBRARIES: Final = {
    "prices": "import numpy, psutil, core.settings, core.processes.heartbeat",
    "forecasts": "import numpy, psutil, core.settings, core.processes.heartbeat, pyarrow.parquet, pyarrow.compute",
}


def measure(coins: int, rules: int, cycles: int) -> dict[str, Any]:
    """Judge some cycles in this process, then let the real process watch the same folder.

    Returns:
        Milliseconds of a cycle with rules of each kind, and of the plain loop; megabytes of the process with these,
        and of the libraries that it loads.
    """
    with tempfile.TemporaryDirectory() as folder:
        sample = _sample(Path(folder), coins)
        cycle_ms, memory = {}, {}
        for name, conditions in _KINDS.items():
            cycle_ms[name] = _cycles(sample, _rules(conditions, rules), cycles)
            memory[name] = _memory(sample, _rules(conditions, rules))
    libraries = {name: _libraries(imports) for name, imports in _LIBRARIES.items()}
    loop_ms = _plain_loop(coins * rules)
    size = {"coins": coins, "rules": rules}
    return {**size, "cycle_ms": cycle_ms, "loop_ms": loop_ms, "memory": memory, "libraries": libraries}


def _sample(folder: Path, coins: int) -> SampleWorkspace:
    sample = SampleWorkspace.make(folder / "data", coin_names(coins), alerts_file=folder / "alerts.toml")
    sample.now -= 10 * MINUTE_MS
    sample.fill_prices(hours=2, step_ms=GRID_STEP_MS)
    sample.publish_log(hours=2)
    sample.publish_forecasts()
    return sample


def _rules(conditions: Sequence[str], count: int) -> str:
    """A file of so many rules about all coins; their cool-downs are long: few are told after the first cycle."""
    chance = random.Random(count)
    texts = []
    for number in range(count):
        condition = conditions[number % len(conditions)]
        level = f"nivel = {chance.uniform(0.98, 1.02):.6f}"
        chosen = {
            "variacao": f'percentual = {chance.uniform(0.01, 2):.6f}\nperiodo = "{chance.choice(["15m", "1h"])}"',
            "fora_da_faixa": f"faixa = {chance.choice([80, 95])}\nfolga = {chance.uniform(0, 1):.6f}",
            "movimento_esperado": f"nivel = {chance.uniform(0.1, 1):.6f}",
            "largura_da_faixa": f"percentil = {chance.uniform(10, 90):.6f}",
            "termina_acima": f"distancia = {chance.uniform(0, 1):.6f}\nprobabilidade = 40",
            "termina_abaixo": f"distancia = {chance.uniform(-1, 0):.6f}\nprobabilidade = 40",
            "toca": f"distancia = {chance.uniform(0, 1):.6f}\nprobabilidade = 60",
            "regime": f"folga = {chance.uniform(0, 9):.6f}",
        }.get(condition, level)
        told = f'nome = "{number}"\nmoedas = "todas"\nespera = "{100_000 + number}s"'
        texts.append(f'[[regra]]\n{told}\ncondicao = "{condition}"\n{chosen}\n')
    return "".join(texts)


def _cycles(sample: SampleWorkspace, rules: str, cycles: int) -> float:
    """Median CPU time of a look at a poll of all coins and a new publication, in milliseconds."""
    sample.settings.alerts_file.write_text(rules, encoding="utf-8")
    data = PublishedData(sample.settings)
    spent = []
    with AlertStore(sample.workspace.alerts) as store:
        book = RuleBook(sample.settings.alerts_file, store)
        watch = Watch(sample.settings, data, store, book, lambda: open_reading(sample.settings))
        for _ in range(cycles + 2):
            _poll(sample)
            began = time.process_time()
            watch.look()
            spent.append(1000 * (time.process_time() - began))
    return statistics.median(spent[2:])


def _poll(sample: SampleWorkspace) -> None:
    """New prices and forecasts of all coins."""
    sample.now += 1_000
    sample.prices = {coin.id: sample.price(coin, sample.now) for coin in sample.coins}
    with open_writer(sample.workspace.database) as writer:
        writer.store(Price(coin, sample.now, price, fetched_ms=sample.now) for coin, price in sample.prices.items())
    sample.publish_forecasts()


def _memory(sample: SampleWorkspace, rules: str) -> dict[str, float]:
    """Megabytes of the real process after it has judged the folder with these rules and a new poll."""
    sample.settings.alerts_file.write_text(rules, encoding="utf-8")
    with _process(sample) as process:
        for _ in range(2):
            _poll(sample)
            _until_judged(sample, process.pid)
        return _megabytes(process.pid)


@contextmanager
def _process(sample: SampleWorkspace) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **sample.settings.environment(), "CRYPTO_SOURCE": "demo"}
    command = [sys.executable, "-m", "core.processes.child", "-m", "alerts"]
    environment["CRYPTO_HIDDEN_MODULES"] = "pandas"
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def _until_judged(sample: SampleWorkspace, pid: int) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        health = read_health(sample.settings.run_dir, ALERTS)
        evaluated = health.progress.evaluated_at
        is_watching = health.pid == pid and health.state is ProcessState.WATCHING
        if is_watching and evaluated is not None and parse_iso(evaluated) >= sample.now:
            return
        time.sleep(0.1)
    raise TimeoutError("the alert process does not judge")


def _libraries(imports: str) -> dict[str, float]:
    """Megabytes of a process that loads only these."""
    program = (
        f"from core.processes.child import hide_modules; hide_modules('pandas'); {imports}; print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        if process.stdout is not None:
            process.stdout.readline()
        found = _megabytes(process.pid)
        process.communicate(b"\n")
    return found


def _megabytes(pid: int) -> dict[str, float]:
    memory = psutil.Process(pid).memory_full_info()
    return {"rss": memory.rss / 2**20, "pss": getattr(memory, "pss", memory.uss) / 2**20}


def _plain_loop(pairs: int) -> float:
    """CPU time of a loop that compares as many prices with levels and keeps a state of each, in milliseconds."""
    levels, prices = [100.0 + number % 7 for number in range(1000)], [99.0 + number % 11 for number in range(1000)]
    states = dict.fromkeys(range(pairs), False)
    began = time.process_time()
    for number in range(pairs):
        holds = prices[number % 1000] > levels[number % 1000]
        if holds != states[number]:
            states[number] = holds
    return 1000 * (time.process_time() - began)


def figures(cost: dict[str, Any]) -> list[Figure]:
    """Times against the plain loop and the limit of a cycle, memory against its limit and that of the libraries."""
    size = f"{cost['rules']:,} rules x {cost['coins']} coins"
    memory, libraries = cost["memory"], cost["libraries"]
    return [
        *(Figure(f"a cycle, {size}, {name}", value, "CPU-ms", _CYCLE_MS) for name, value in cost["cycle_ms"].items()),
        Figure(
            f"a cycle, {size}, forecasts",
            cost["cycle_ms"]["forecasts"],
            "CPU-ms",
            None,
            "plain Python loop",
            cost["loop_ms"],
        ),
        *(
            Figure(f"memory ({kind.upper()}), rules about {name}", memory[name][kind], "MB", _MEMORY_MB)
            for name in memory
            for kind in ("rss", "pss")
        ),
        *(
            Figure(
                f"memory (RSS), rules about {name}",
                memory[name]["rss"],
                "MB",
                None,
                "libraries",
                libraries[name]["rss"],
            )
            for name in memory
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench alerts", description=__doc__)
    parser.add_argument("--coins", type=int, default=250)
    parser.add_argument("--rules", type=int, default=1000)
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    cost = measure(given.coins, given.rules, given.cycles)
    print(json.dumps(cost) if given.json else table(figures(cost)))
    return 0
