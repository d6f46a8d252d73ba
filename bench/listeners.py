"""`python -m bench listeners`: many listeners of /eventos: memory, time to the last one, time to shut down.

Two crowds, one after the other: programs that take every forecast, and readers of the light page, who follow one coin
and ask for the list after each publication. The API runs as a process of its own; the listeners are plain sockets in
this one, which also publishes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
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

__all__ = ["CROWDS", "figures", "main", "measure_listeners"]

CROWDS: Final = ("programs", "readers")
_EVERY_FORECAST: Final = "/eventos?tipos=previsao"
_LIGHT_PAGE: Final = PROJECT / "api" / "light_page" / "assets" / "page.js"
_AT_ONCE: Final = 50
_PUBLICATIONS: Final = 5
_FORECAST: Final = b"\nevent: previsao"
_LENGTH: Final = re.compile(rb"\ncontent-length: (\d+)")


class _Listener:
    """One connection that notes when each publication has come to its end."""

    def __init__(self, path: str, mark: bytes = b"\nid: ") -> None:
        self.batches = 0
        self.last_at = 0.0
        self.is_closed = False
        self._path = path
        self._mark = mark

    async def listen(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request(self._path))
        tail = b""
        while part := await reader.read(65_536):
            text = tail + part
            marks = text.count(self._mark)
            rest = text if marks == 0 else text[text.rindex(self._mark) + 1 :]
            tail = rest[-len(self._mark) + 1 :]
            if marks:
                self.batches += marks
                self.last_at = time.perf_counter()
                await self.after(port)
        self.is_closed = True
        writer.close()

    async def after(self, port: int) -> None:
        """Do what this listener does once it has got a publication."""


class _Reader(_Listener):
    """A light page: follows one coin, and asks for the list at its own moment after each publication."""

    def __init__(self, coin: str, fields: str, spread_s: float) -> None:
        super().__init__(f"/eventos?tipos=preco,previsao,status&moedas={coin}", _FORECAST)
        self._list = f"/prever?campos={fields}"
        self._spread_s = spread_s
        self.lists = 0
        self.list_at = 0.0

    async def after(self, port: int) -> None:
        await asyncio.sleep(self._spread_s * random.random())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_request(self._list))
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        await reader.readexactly(int(length[1]))
        writer.close()
        self.lists += 1
        self.list_at = time.perf_counter()


def _request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n\r\n".encode()


def measure_listeners(folder: Path, *, listeners: int, coins: int, crowd: str) -> dict[str, Any]:
    """Serve a sample workspace in the empty `folder` to so many listeners and publish a few times.

    Returns:
        Memory of the API in MB before and with the listeners, its processor time in microseconds for each listener and
        publication, seconds from each publication to the last listener and to
        the last list, how many were cut off, and seconds from the stop signal to the end of the process.
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
        found = asyncio.run(_measure(sample, port, process, _crowd(crowd, listeners, names)))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
    return {"crowd": crowd, "listeners": listeners, **found}


def _crowd(kind: str, listeners: int, coins: Sequence[Coin]) -> list[_Listener]:
    if kind == "programs":
        return [_Listener(_EVERY_FORECAST) for _ in range(listeners)]
    script = _LIGHT_PAGE.read_text(encoding="utf-8")
    fields, spread = re.search(r'FIELDS = "([^"]+)"', script), re.search(r"SPREAD_MS = ([\d_]+)", script)
    assert fields is not None
    assert spread is not None
    return [_Reader(coins[place % len(coins)].id, fields[1], int(spread[1]) / 1000) for place in range(listeners)]


async def _measure(
    sample: SampleWorkspace, port: int, process: subprocess.Popen[bytes], crowd: Sequence[_Listener]
) -> dict[str, Any]:
    before_mb = memory_mb(psutil.Process(process.pid))
    tasks: list[asyncio.Task[None]] = []
    for start in range(0, len(crowd), _AT_ONCE):
        group = crowd[start : start + _AT_ONCE]
        tasks += [asyncio.create_task(listener.listen(port)) for listener in group]
        await _until(group, 1)
    readers = [listener for listener in crowd if isinstance(listener, _Reader)]
    delays, list_delays = [], []
    used_s = _processor_s(process)
    for number in range(_PUBLICATIONS):
        await asyncio.sleep(1.0)
        await asyncio.to_thread(_publish, sample)
        published = time.perf_counter()
        await _until(crowd, number + 2)
        delays.append(max(listener.last_at for listener in crowd) - published)
        while not all(reader.lists >= number + 2 for reader in readers):
            await asyncio.sleep(0.01)
        list_delays.append(max((reader.list_at for reader in readers), default=published) - published)
    used_s = _processor_s(process) - used_s
    with_mb = memory_mb(psutil.Process(process.pid))
    stopped = time.perf_counter()
    dropped = sum(listener.is_closed for listener in crowd)
    process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(process.wait, 30)
    took_s = time.perf_counter() - stopped
    await asyncio.gather(*tasks)
    assert code in (0, -signal.SIGTERM)
    assert all(listener.is_closed for listener in crowd)
    return {
        "before_mb": before_mb,
        "with_mb": with_mb,
        "cpu_us": 1e6 * used_s / (_PUBLICATIONS * len(crowd)),
        "delays_s": delays,
        "list_delays_s": list_delays,
        "dropped": dropped,
        "shutdown_s": took_s,
    }


def _processor_s(process: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def _publish(sample: SampleWorkspace) -> None:
    sample.tick()
    sample.publish_forecasts()


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
    """Memory, time to the last listener and to the last list, connections lost, and time to shut down."""
    what = "listeners" if cost["crowd"] == "programs" else "readers of the light page"
    said, delays_s = f"{cost['listeners']} {what}", cost["delays_s"]
    found = [
        Figure(f"{said}: memory more than without", cost["with_mb"] - cost["before_mb"], "MB", 150),
        Figure(f"{said}: processor time for each and publication", cost["cpu_us"], "µs"),
        Figure(
            f"{said}: publication to the last one, median of {len(cost['delays_s'])}", median(cost["delays_s"]), "s"
        ),
        Figure(f"{said}: publication to the last one, longest", max(delays_s), "s", 1.5),
        Figure(f"{said}: connections lost", cost["dropped"], "", 0),
        Figure(f"{said}: stop signal to the end", cost["shutdown_s"], "s", 3),
    ]
    if cost["crowd"] == "readers":
        found.insert(4, Figure(f"{said}: publication to the last list, longest", max(cost["list_delays_s"]), "s"))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench listeners", description=__doc__)
    parser.add_argument("--listeners", type=int, default=1000)
    parser.add_argument("--coins", type=int, default=10)
    parser.add_argument("--crowd", choices=CROWDS, action="append", help="one of the crowds; both without it")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    costs = []
    for crowd in given.crowd or CROWDS:
        with tempfile.TemporaryDirectory() as folder:
            options = {"listeners": given.listeners, "coins": given.coins, "crowd": crowd}
            costs.append(measure_listeners(Path(folder), **options))
    print(json.dumps(costs) if given.json else table([figure for cost in costs for figure in figures(cost)]))
    return 0
