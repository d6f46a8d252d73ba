"""Runs a web application in a separate process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from core.settings import PROJECT
from suite.ports import free_port
from tests.support.running_suite import DIRECT

__all__ = ["EMPTY_APP", "FLOOR_APP", "Served", "serve", "serve_api", "serve_page"]

EMPTY_APP: Final = "bench.floor_app:empty"
FLOOR_APP: Final = "bench.floor_app:floor"


class Served(NamedTuple):
    """A server on this machine, the seconds from process start to its first answer, and its further processes."""

    port: int
    pid: int
    started_s: float
    others: tuple[int, ...] = ()


@contextmanager
def serve(application: str, variables: Mapping[str, str]) -> Iterator[Served]:
    """Run an application or its factory with uvicorn."""
    port = free_port(set())
    options = ["--factory"] if application == FLOOR_APP else []
    command = ["uvicorn", application, *options, "--port", str(port), "--no-access-log", "--log-level", "warning"]
    with _running(command, variables, port) as served:
        yield served


@contextmanager
def serve_api(variables: Mapping[str, str], workers: Sequence[int] = (1,)) -> Iterator[Served]:
    """Run the API as run_all.py does, with one process for each number, all on one port."""
    port = free_port(set())
    given = {**variables, "CRYPTO_API_PORT": str(port), "CRYPTO_API_WORKERS": str(len(workers))}
    with ExitStack() as stack:
        started = [
            stack.enter_context(_running(["api.server", "--worker", str(worker)], given, port)) for worker in workers
        ]
        yield started[0]._replace(others=tuple(served.pid for served in started[1:]))


@contextmanager
def serve_page(script: Path, variables: Mapping[str, str]) -> Iterator[Served]:
    """Run a script with Streamlit."""
    port = free_port(set())
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
    options["logger.hideWelcomeMessage"] = "true"
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with _running(["streamlit", "run", str(script), *words], variables, port) as served:
        yield served


@contextmanager
def _running(command: Sequence[str], variables: Mapping[str, str], port: int) -> Iterator[Served]:
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *command], env={**os.environ, **variables}, cwd=PROJECT)
    try:
        while not _answers(port):
            assert process.poll() is None, f"{command[0]} ended"
            time.sleep(0.01)
        yield Served(port, process.pid, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        DIRECT.open(f"http://127.0.0.1:{port}/saude", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()  # an answer too: the yardsticks have no such route
    except OSError:
        return False
    return True
