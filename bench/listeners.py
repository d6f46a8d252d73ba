"""`python -m bench listeners`: many listeners of /eventos: memory, time to the last one, time to shut down.

The API runs as a process of its own; the listeners are plain sockets in this one, which also publishes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from bench.figures import Figure, table
from bench.process_cost import memory_mb
from core.price_store import Coin
from core.settings import PROJECT, Source
from suite.ports import free_port
from tests.support.running_suite import DIRECT
from tests.support.workspace import SampleWorkspace

__all__ = ["figures", "main", "measure_listeners"]

_REQUEST: Final = b"GET /eventos?tipos=previsao HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_AT_ONCE: Final = 50
_PUBLICATIONS: Final = 5
_MARK: Final = b"\nid: "


class _Listener:
    """One connection that notes when each batch of events has come to its end."""

    def __init__(self) -> None:
        self.batches = 0
        self.last_at = 0.0
        self.is_closed = False

    async def listen(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_REQUEST)
        tail = b""
        while part := await reader.read(65_536):
            text = tail + part
            marks = text.count(_MARK)
            tail = text[-len(_MARK) + 1 :] if marks == 0 else text[text.rindex(_MARK) + 1 :][-len(_MARK) + 1 :]
            self.batches += marks
            self.last_at = time.perf_counter()
        self.is_closed = True
        writer.close()


def measure_listeners(folder: Path, *, listeners: int, coins: int) -> dict[str, Any]:
    """Serve a sample workspace in the empty `folder` to so many listeners and publish a few times.

    Returns:
        Memory of the API in MB before and with the listeners, seconds from each publication to the last listener, and
        seconds from the stop signal to the end of the process.
    """
    names = [Coin(f"moeda{number}", f"m{number}", f"Moeda {number}", number + 1, 1) for number in range(coins)]
    sample = SampleWorkspace.make(folder, names).fill()
    port = free_port(set())
    settings = sample.settings.model_copy(
        update={"source": Source.AUTO, "api_port": port, "event_listeners": listeners}
    )
    environment = {**os.environ, **settings.environment()}
    process = subprocess.Popen([sys.executable, "-m", "api.server"], env=environment, cwd=PROJECT)
    try:
        while not _answers(port):
            assert process.poll() is None
            time.sleep(0.05)
        return asyncio.run(_measure(sample, port, process, listeners))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def _measure(
    sample: SampleWorkspace, port: int, process: subprocess.Popen[bytes], listeners: int
) -> dict[str, Any]:
    before_mb = memory_mb(psutil.Process(process.pid))
    crowd = [_Listener() for _ in range(listeners)]
    tasks = []
    for start in range(0, listeners, _AT_ONCE):
        tasks += [asyncio.create_task(listener.listen(port)) for listener in crowd[start : start + _AT_ONCE]]
        await _until(crowd[start : start + _AT_ONCE], 1)
    delays = []
    for number in range(_PUBLICATIONS):
        await asyncio.sleep(1.0)
        await asyncio.to_thread(sample.publish_forecasts)
        published = time.perf_counter()
        await _until(crowd, number + 2)
        delays.append(max(listener.last_at for listener in crowd) - published)
    with_mb = memory_mb(psutil.Process(process.pid))
    stopped = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(process.wait, 30)
    took_s = time.perf_counter() - stopped
    await asyncio.gather(*tasks)
    assert code in (0, -signal.SIGTERM)
    assert all(listener.is_closed for listener in crowd)
    return {
        "listeners": listeners,
        "before_mb": before_mb,
        "with_mb": with_mb,
        "delays_s": delays,
        "shutdown_s": took_s,
    }


async def _until(crowd: Sequence[_Listener], batches: int) -> None:
    while not all(listener.batches >= batches for listener in crowd):
        assert not any(listener.is_closed for listener in crowd), "a listener was cut off"
        await asyncio.sleep(0.01)


def _answers(port: int) -> bool:
    try:
        DIRECT.open(f"http://127.0.0.1:{port}/saude", timeout=5).close()
    except (OSError, urllib.error.URLError):
        return False
    return True


def figures(cost: Mapping[str, Any]) -> list[Figure]:
    """Memory, time to the last listener, and time to shut down."""
    said = f"{cost['listeners']} listeners"
    return [
        Figure(f"{said}: memory more than without", cost["with_mb"] - cost["before_mb"], "MB", 150),
        Figure(
            f"{said}: publication to the last one, median of {len(cost['delays_s'])}", median(cost["delays_s"]), "s"
        ),
        Figure(f"{said}: publication to the last one, longest", max(cost["delays_s"]), "s", 1),
        Figure(f"{said}: stop signal to the end", cost["shutdown_s"], "s", 3),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench listeners", description=__doc__)
    parser.add_argument("--listeners", type=int, default=500)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_listeners(Path(folder), listeners=given.listeners, coins=given.coins)
    print(json.dumps(cost) if given.json else table(figures(cost)))
    return 0
