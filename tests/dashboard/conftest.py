"""Filled workspaces that the dashboard's settings point at, and the dashboard's real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser

from core.settings import PROJECT, Settings, load_settings
from dashboard.shell import service
from tests.support.chromium import chromium
from tests.support.ports import reserve_port
from tests.support.workspace import MORE_COINS, SampleWorkspace


class Server:
    """The dashboard's server, started from a folder that is not the project's."""

    def __init__(self, settings: Settings, folder: Path, port: int | None = None) -> None:
        self.port = port or reserve_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "dashboard.log"
        environment = {**os.environ, **settings.environment(), "CRYPTO_SOURCE": "auto"}
        script = str(PROJECT / "dashboard" / "app.py")
        argv = [sys.executable, "-m", "streamlit", "run", script, "--server.port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=log, stderr=log)
        self._wait()

    def close(self) -> int:
        """Stop the server; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def _wait(self) -> None:
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                if requests.get(f"{self.url}/_stcore/health", timeout=1).ok:
                    return
            except (requests.ConnectionError, requests.Timeout):
                time.sleep(0.1)
        self.close()
        raise AssertionError(f"the dashboard does not answer:\n{self.log.read_text()}")


@pytest.fixture(autouse=True)
def _started_anew() -> None:
    """Each test is a dashboard of its own, which has read no settings yet."""
    service.settings.cache_clear()
    service.access_tokens.cache_clear()


@pytest.fixture
def make_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SampleWorkspace]]:
    """Makes an empty workspace and points the dashboard's settings at it."""
    made: list[SampleWorkspace] = []

    def make(source: str = "demo", **options: Any) -> SampleWorkspace:
        coins = options.pop("coins", MORE_COINS)
        folders = {"data_dir": str(tmp_path / "data"), "models_dir": str(tmp_path / "models")}
        for name, value in {"source": source, **folders, **options}.items():
            monkeypatch.setenv(f"CRYPTO_{name.upper()}", value)
        made.append(SampleWorkspace(load_settings(), coins))
        monkeypatch.setenv("CRYPTO_SOURCE", "auto")
        return made[-1]

    yield make
    for workspace in made:
        workspace.close()


@pytest.fixture
def running(make_workspace: Callable[..., SampleWorkspace]) -> SampleWorkspace:
    """The workspace of a suite that runs without problems, over the simulated market."""
    return make_workspace().run()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts the real server with these settings."""
    servers: list[Server] = []

    def start(settings: Settings, port: int | None = None) -> Server:
        servers.append(Server(settings, tmp_path, port))
        return servers[-1]

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file."""
    with chromium() as opened:
        yield opened
