"""Filled workspaces, and clients and servers of the API over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, expect

from api.main import create_app
from api.timed_connection import TimedConnection
from core.settings import Settings, Source
from tests.support.chromium import chromium
from tests.support.served_api import running
from tests.support.workspace import SampleWorkspace

ClientFactory = Callable[..., TestClient]
PATIENCE_MS = 60_000


def _follower(settings: Settings) -> Settings:
    """Settings as the supervisor gives them to the API, which follows source.json."""
    return settings.model_copy(update={"source": Source.AUTO})


@pytest.fixture
def make_client() -> Iterator[ClientFactory]:
    """Makes clients of applications whose lifespan runs; they call from 127.0.0.1."""
    with ExitStack() as stack:

        def make(settings: Settings, caller: str = "127.0.0.1", **options: Any) -> TestClient:
            application = create_app(_follower(settings), look_every_s=0.0)
            client = TestClient(application, base_url="http://127.0.0.1:8000", client=(caller, 50_000), **options)
            return stack.enter_context(client)

        yield make


@pytest.fixture
def sample(tmp_path: Path) -> SampleWorkspace:
    """An empty workspace of the simulated market."""
    return SampleWorkspace.make(tmp_path)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> SampleWorkspace:
    """A workspace with prices, forecasts, log and scores that no test changes."""
    folder = SampleWorkspace.make(tmp_path_factory.mktemp("filled"))
    folder.fill()
    return folder


@pytest.fixture
def client(filled: SampleWorkspace, make_client: ClientFactory) -> TestClient:
    """A client of the API over the filled workspace."""
    return make_client(filled.settings)


@contextmanager
def _serving(application: Any, **options: Any) -> Iterator[str]:
    """Run the application in a real server; its address."""
    config = uvicorn.Config(application, port=0, log_level="warning", ws="none", **options)
    with running(uvicorn.Server(config)) as address:
        yield address


@pytest.fixture(scope="session")
def served(filled: SampleWorkspace) -> Iterator[str]:
    """Address of a real server over the filled workspace."""
    with _serving(create_app(_follower(filled.settings))) as address:
        yield address


@pytest.fixture
def serve(filled: SampleWorkspace) -> Iterator[Callable[..., str]]:
    """Starts servers with run_all.py's time limits, of the API or of another application."""
    with ExitStack() as stack:

        def start(settings: Settings = filled.settings, application: Any = None, **options: Any) -> str:
            served = application or create_app(_follower(settings))
            return stack.enter_context(_serving(served, **{"http": TimedConnection, **options}))

        yield start


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file; where there is none, outside of CI, they are skipped."""
    expect.set_options(timeout=PATIENCE_MS)
    with chromium() as opened:
        yield opened
