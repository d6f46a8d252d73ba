"""Serves an application from a thread; the API over a workspace as its process does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from api.main import create_app
from api.server import ApiServer
from api.timed_connection import TimedConnection
from core.settings import Settings, Source

__all__ = ["running", "served_api"]


@contextmanager
def running(server: uvicorn.Server) -> Iterator[str]:
    """Run a server and give its address; leaving the block stops it within ten seconds."""
    thread = threading.Thread(target=server.run, name="served")
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@contextmanager
def served_api(settings: Settings, port: int = 0) -> Iterator[str]:
    """The API with the server that run_all.py starts."""
    application = create_app(settings.model_copy(update={"source": Source.AUTO}))
    config = uvicorn.Config(application, port=port, log_level="warning", ws="none", http=TimedConnection)
    with running(ApiServer(config, application.state.events)) as address:
        yield address
