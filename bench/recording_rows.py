"""What a row of a recording costs to read and check: memory at most and processor time, for each format.

`python -m bench recording_rows --rows N` writes one coin's N rows as Parquet, CSV and crypto.db, and reads each in a
process of its own, which has read a short one before: what libraries load does not count. A few hundred thousand rows
and more tell what etl/recordings/limits.py reckons with; of fewer, buffers are the most. It needs Linux, whose kernel
keeps the peak of a process's memory.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from bench.figures import Figure, table
from core.price_store import Coin, Price, open_writer
from core.settings import PROJECT
from etl.recordings.recording import read_recording

__all__ = ["RowCost", "main", "measure"]

_SHORT: Final = 1_000
_CHUNK: Final = 500_000
_START_MS: Final = 1_577_836_800_000
_STEP_MS: Final = 10_000
_READ: Final = "import sys; from bench.recording_rows import read; read(*sys.argv[1:])"


@dataclass(frozen=True)
class RowCost:
    """Bytes of memory that a row took at most, and CPU-seconds of a million rows."""

    bytes_at_most: float
    cpu_s_a_million: float


def read(short: str, file: str) -> None:
    """Read two recordings and print rows, bytes and CPU-seconds of the second; for a process that does nothing else."""
    read_recording(Path(short))
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins here
    before, begun = psutil.Process().memory_info().rss, time.process_time()
    recording = read_recording(Path(file))
    spent_s, rows = time.process_time() - begun, sum(len(one.ts_ms) for one in recording.series.values())
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
    print(json.dumps([rows, peak - before, spent_s]), flush=True)
    os._exit(0)  # pyarrow's threads, hardly begun, may abort an interpreter that ends


def measure(rows: int, folder: Path) -> Mapping[str, RowCost]:
    """Cost of a row by format; the files stay in `folder`."""
    costs = {}
    for name, (file, write) in _FORMATS.items():
        paths = [folder / f"short-{file}", folder / file]
        for path, count in zip(paths, (_SHORT, rows), strict=True):
            write(path, _chunks(count))
        command = [sys.executable, "-c", _READ, *map(str, paths)]
        done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=True)
        found, size, spent_s = json.loads(done.stdout)
        if found != rows:
            raise AssertionError(f"{name}: {found} of {rows} rows")
        costs[name] = RowCost(size / rows, 1e6 * spent_s / rows)
    return costs


def _chunks(rows: int) -> Iterator[pa.Table]:
    """Rows of one coin, ten seconds apart: a random walk, and volumes that are yet to be summed over a day."""
    random, level = np.random.default_rng(0), 0.0
    for first in range(0, rows, _CHUNK):
        number = np.arange(first, min(first + _CHUNK, rows))
        walk = level + np.cumsum(random.normal(0, 1e-4, len(number)))
        level = walk[-1]
        yield pa.table(
            {
                "timestamp": _START_MS + _STEP_MS * number,
                "coin": pa.array(["bitcoin"] * len(number)),
                "price": 50_000 * np.exp(walk),
                "volume": random.uniform(1e9, 2e9, len(number)),
            }
        )


def _write_file(writer_of: Callable[[Path, pa.Schema], Any], path: Path, chunks: Iterator[pa.Table]) -> None:
    first = next(chunks)
    with writer_of(path, first.schema) as writer:
        for chunk in itertools.chain([first], chunks):
            writer.write_table(chunk)


def _write_database(path: Path, chunks: Iterator[pa.Table]) -> None:
    with open_writer(path) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, _START_MS)])
        for chunk in chunks:
            writer.store(Price(coin, ts_ms, price, None, volume) for ts_ms, coin, price, volume in _tuples(chunk))


def _tuples(chunk: pa.Table) -> Iterator[tuple[int, str, float, float]]:
    return zip(*(column.to_pylist() for column in chunk.columns), strict=True)


_FORMATS: Final[Mapping[str, tuple[str, Callable[[Path, Iterator[pa.Table]], None]]]] = {
    "Parquet": ("rows.parquet", partial(_write_file, pq.ParquetWriter)),
    "CSV": ("rows.csv", partial(_write_file, pc.CSVWriter)),
    "SQLite": ("crypto.db", _write_database),
}


def _figures(costs: Mapping[str, RowCost]) -> Iterator[Figure]:
    for name, cost in costs.items():
        yield Figure(f"{name}: memory of a row, at most", cost.bytes_at_most, "B")
        yield Figure(f"{name}: a million rows", cost.cpu_s_a_million, "CPU-s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the three formats."""
    parser = argparse.ArgumentParser(prog="python -m bench recording_rows", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the one coin (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON list of figures")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = list(_figures(measure(given.rows, Path(folder))))
    print(json.dumps([figure.to_json() for figure in figures]) if given.json else table(figures))
    return 0
