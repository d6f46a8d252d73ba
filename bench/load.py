"""Load on a web server with wrk, which costs the machine less than the servers that it measures."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from bench.serving import Served

__all__ = ["Load", "press", "processor_s", "typical", "wrk_is_there"]

_SEEN: Final = ("per_s", "p50_ms", "p99_ms", "refused", "failed")
_SCRIPT: Final = Path(__file__).with_name("wrk_report.lua")


@dataclass(frozen=True)
class Load:
    """What wrk saw in one stretch: answers a second, latencies in milliseconds, statuses from 400 on, lost requests.

    `cpu_us` is the server's processor time per answer in microseconds, which other work on the machine changes least.
    """

    per_s: float
    p50_ms: float
    p99_ms: float
    refused: int
    failed: int
    cpu_us: float


def wrk_is_there() -> bool:
    """Whether wrk is installed (Debian: `apt-get install wrk`)."""
    return shutil.which("wrk") is not None


def press(server: Served, path: str, *, connections: int, seconds: float, tag: str = "", cold: bool = False) -> Load:
    """Ask for one path as fast as the server answers.

    Args:
        server: on this machine.
        path: with its query.
        connections: kept alive, one request at a time on each.
        seconds: at least a second is needed.
        tag: sent as If-None-Match.
        cold: add another `fim` to each request, so that no answer can be kept.
    """
    headers = ["-H", f"If-None-Match: {tag}"] if tag else []
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", *headers, "-s", str(_SCRIPT)]
    command += [f"http://127.0.0.1:{server.port}{path}", *(["--", "cold"] if cold else [])]
    before = processor_s(server)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    used_s = processor_s(server) - before
    seen = json.loads(done.stdout.splitlines()[-1])
    return Load(**{name: seen[name] for name in _SEEN}, cpu_us=1e6 * used_s / max(1, seen["answers"]))


def typical(loads: Sequence[Load]) -> Load:
    """Medians over rounds; refusals and failures are added up."""
    return Load(
        per_s=statistics.median(load.per_s for load in loads),
        p50_ms=statistics.median(load.p50_ms for load in loads),
        p99_ms=statistics.median(load.p99_ms for load in loads),
        refused=sum(load.refused for load in loads),
        failed=sum(load.failed for load in loads),
        cpu_us=statistics.median(load.cpu_us for load in loads),
    )


def processor_s(server: Served) -> float:
    """Processor time that all processes of the server have used, in seconds."""
    heads = [psutil.Process(pid) for pid in (server.pid, *server.others)]
    times = [one.cpu_times() for head in heads for one in (head, *head.children(recursive=True))]
    return float(sum(time.user + time.system for time in times))
