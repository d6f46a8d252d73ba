"""Runs a web application in a separate process; the empty application is the yardstick of the API's answers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from core.settings import PROJECT
from suite.ports import free_port
from tests.support.running_suite import DIRECT

__all__ = ["EMPTY_APP", "serve"]

EMPTY_APP: Final = "bench.empty_api:app"


@contextmanager
def serve(application: str, variables: Mapping[str, str]) -> Iterator[tuple[int, float]]:
    """Run an application with uvicorn; gives its port and the seconds from process start to the first answer."""
    port = free_port(set())
    command = [sys.executable, "-m", "uvicorn", application, "--port", str(port), "--no-access-log"]
    began = time.perf_counter()
    environment = {**os.environ, **variables}
    process = subprocess.Popen([*command, "--log-level", "warning"], env=environment, cwd=PROJECT)
    try:
        while not _answers(port):
            assert process.poll() is None, f"{application} ended"
            time.sleep(0.01)
        yield port, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        DIRECT.open(f"http://127.0.0.1:{port}/status", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()  # an answer too: the empty application has no such route
    except OSError:
        return False
    return True
