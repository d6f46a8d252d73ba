"""`python -m bench cluster`: shards on the workers of a cluster, beside shards in processes of this machine.

Both learn the same simulated prices, then get a new price of every coin in turn; each cycle is prices, training and
forecasts. Afterwards a worker is killed, then the head. `--engine ray` needs Ray (`pip install ray`), which the product
does not use.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import psutil

from bench.market import Market
from bench.process_cost import memory_mb
from core.errors import ForecastingError
from core.price_store import PriceWriter, open_reader, open_writer
from core.times import GRID_STEP_MS, now_ms
from model.forecaster.engine import EngineOptions
from model.loop.executor import first_state
from model.loop.shard_cluster import Cluster, ClusterLine, ShardActor
from model.loop.shard_link import Start
from model.loop.shard_local import process_starter
from model.loop.shard_processes import ShardProcesses
from tests.support.dask_cluster import running_cluster

__all__ = ["main"]

_CYCLE_MS: Final = 30_000
_STEPS_A_DAY: Final = 288
_PAUSE_S: Final = 1.0
"""Between two cycles after a kill."""

_LIMIT_S: Final = 60.0
"""How long it may take until all coins are forecast again."""
_AWAY_S: Final = 75.0
"""How long the head is away."""

_Act = Callable[[], None]
_Engine = tuple[Start, _Act, _Act, _Act]
"""What starts a shard, kills a worker, kills the head and starts it again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both and print a table, then what a kill does."""
    parser = argparse.ArgumentParser(prog="python -m bench cluster", description=__doc__)
    parser.add_argument("--engine", choices=("dask", "ray"), default="dask")
    parser.add_argument("--coins", type=int, default=250)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--cycles", type=int, default=20)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "crypto.db"
        _measure(given, database)
    return 0


def _measure(given: argparse.Namespace, database: Path) -> None:
    rows = given.days * _STEPS_A_DAY
    end_ms = now_ms() // GRID_STEP_MS * GRID_STEP_MS - _CYCLE_MS * (given.cycles + 1)
    market = Market.stored(database, coins=given.coins, rows=rows, days=given.days, end_ms=end_ms)
    before, started = _processes(), time.perf_counter()
    with (
        _ENGINES[given.engine](given.shards) as (start, kill_worker, kill_head, start_head),
        open_writer(database) as writer,
    ):
        start_s = time.perf_counter() - started
        idle_mb = sum(memory_mb(process) for process in _processes() if process not in before)
        print(f"{given.engine}: starts in {start_s:.1f} s, {idle_mb:.0f} MB without shards")
        there = _Case(given.engine, start, database, given.shards)
        here = _Case("processes", process_starter("ERROR", "text"), database, given.shards)
        with closing(there.executor), closing(here.executor):
            there.first(market.now_ms, before)
            here.first(market.now_ms, _processes())
            for _ in range(given.cycles):
                now = market.poll(writer, _CYCLE_MS)
                for case in (here, there):
                    case.cycle(now)
            print(f"{'':>10}  first cycle s  CPU s  cycle s  CPU s  memory MB")
            for case in (here, there):
                print(case.row())
            print(f"against processes: {there.cpu_s / here.cpu_s:.2f} CPU, {there.wall_s / here.wall_s:.2f} time")
            kill_worker()
            _watch("worker killed", there, market, writer)
            kill_head()
            _watch("head killed", there, market, writer, _AWAY_S)
            start_head()
            _watch("head started again", there, market, writer)


class _Case:
    """An executor and what its cycles cost."""

    def __init__(self, name: str, start: Start, database: Path, shards: int) -> None:
        self._name = name
        self._prices = open_reader(database)
        self.executor = ShardProcesses(first_state(EngineOptions()), database, shards, start, _CYCLE_MS / 1000)
        self._costs: list[tuple[float, float]] = []
        self._first = (0.0, 0.0)
        self._memory_mb = 0.0

    def first(self, now: int, before: Sequence[psutil.Process]) -> None:
        """Start the shards and learn all that is stored; the memory is that of the processes that were not `before`."""
        self._first = self._cost(now)
        self._memory_mb = sum(memory_mb(process) for process in _processes() if process not in before)

    def cycle(self, now: int) -> None:
        """One cycle more."""
        self._costs.append(self._cost(now))

    def forecast(self, now: int) -> int:
        """Run one cycle and return the number of late coins."""
        self.executor.pull(self._prices, now, again=False)
        self.executor.refit(now)
        self.executor.forecast("0", now, "demo")
        self.executor.take_rows()
        return len(self.executor.late)

    @property
    def wall_s(self) -> float:
        """Seconds of a cycle, the median."""
        return statistics.median(wall for wall, _ in self._costs)

    @property
    def cpu_s(self) -> float:
        """CPU-seconds of a cycle, the mean: a few cycles learn, most do not."""
        return statistics.fmean(cpu for _, cpu in self._costs)

    def row(self) -> str:
        """A line of the table."""
        wall, cpu = self._first
        return (
            f"{self._name:>10}  {wall:>13.1f}  {cpu:>5.1f}  {self.wall_s:>7.3f}  {self.cpu_s:>5.3f}"
            f"  {self._memory_mb:>9.0f}"
        )

    def _cost(self, now: int) -> tuple[float, float]:
        started, cpu = time.perf_counter(), _cpu_s()
        assert not self.forecast(now), "a shard was lost"
        return time.perf_counter() - started, _cpu_s() - cpu


def _watch(name: str, case: _Case, market: Market, writer: PriceWriter, least_s: float = 0.0) -> None:
    """Go on with cycles until no coin is late, but for so many seconds at least."""
    started, late_cycles, errors, whole, longest_s = time.perf_counter(), 0, 0, 0, 0.0
    while True:
        now, begun = market.poll(writer, _CYCLE_MS), time.perf_counter()
        late = failed = 0
        try:
            late = case.forecast(now)
        except ForecastingError:
            failed = 1
        errors, late_cycles, whole = errors + failed, late_cycles + bool(late), whole + (not late and not failed)
        longest_s = max(longest_s, time.perf_counter() - begun)
        elapsed_s = time.perf_counter() - started
        if elapsed_s > max(least_s, _LIMIT_S) or (elapsed_s > least_s and not late and not failed):
            break
        time.sleep(_PAUSE_S)
    print(
        f"{name}: after {elapsed_s:.1f} s {'all' if not late and not failed else 'not all'} coins; cycles with"
        f" all coins {whole}, some late {late_cycles}, none {errors}; longest {longest_s:.2f} s",
        flush=True,
    )


@contextmanager
def _dask(shards: int) -> Iterator[_Engine]:
    with running_cluster(shards) as cluster:

        def kill_worker() -> None:
            cluster.workers()[0].kill()

        yield Cluster(cluster.address), kill_worker, cluster.kill_scheduler, cluster.start_scheduler


@contextmanager
def _ray(shards: int) -> Iterator[_Engine]:
    import ray  # noqa: PLC0415 - not used by the product

    ray.init(num_cpus=shards, include_dashboard=False, log_to_driver=False)
    actors = ray.remote(num_cpus=1)(ShardActor)

    def kill(part: str) -> None:
        named = [one for one in _processes() if part in " ".join(one.cmdline())]
        named[0].kill()

    try:
        yield lambda: _RayLine(actors), lambda: kill("ray::ShardActor"), lambda: kill("gcs_server"), lambda: None
    finally:
        ray.shutdown()


class _RayLine(ClusterLine):
    """A line to an actor of Ray."""

    def __init__(self, actors: Any) -> None:
        super().__init__(Cluster("ray"))
        self._actors = actors
        self.start()

    def run(self) -> None:
        """Have an actor made, and carry messages until either side ends."""
        import ray  # noqa: PLC0415 - as above

        try:
            actor = self._actors.remote()
            says_more = False
            while not self._is_ended.is_set():
                content = None if says_more else self._orders.get()
                if content is None and not says_more:
                    break
                said, says_more = ray.get(actor.exchange.remote(content))
                self._said.put(said)
        except Exception as error:
            print(f"  {type(error).__name__}")
        self._said.put(None)


_ENGINES: Final = {"dask": _dask, "ray": _ray}


def _processes() -> list[psutil.Process]:
    own = psutil.Process(os.getpid())
    return [own, *own.children(recursive=True)]


def _cpu_s() -> float:
    total = 0.0
    for process in _processes():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total
