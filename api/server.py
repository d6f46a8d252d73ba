"""The API process, `python -m api.server`: serves the application of api.main with time limits."""

from __future__ import annotations

import logging
import os
import socket
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import uvicorn

from api.event_hub import EventHub
from api.main import create_app
from api.open_files import allow_open_files
from api.timed_connection import KEEP_ALIVE_S, connections_up_to
from core.errors import AlreadyRunning
from core.logs import RepeatFilter
from core.processes.command_line import CommandLine, bounded_integer, run_command
from core.settings import Settings
from core.wording import message

__all__ = ["ApiServer", "main"]

_BACKLOG: Final = 64
_MAX_WORKERS: Final = 99
_CONNECTIONS_PER_LISTENER: Final = 2
"""A page that listens asks for what the stream does not bring."""

_OTHER_CONNECTIONS: Final = 268
_OTHER_FILES: Final = 192
"""Backlog, data and libraries.

Beyond its limit of open files asyncio would log a failed accept thousands of times per second, and no file could be
read.
"""

_log = logging.getLogger(__name__)


class ApiServer(uvicorn.Server):
    """A server that ends the streams of events before it waits for open connections."""

    def __init__(self, config: uvicorn.Config, events: EventHub) -> None:
        super().__init__(config)
        self._events = events

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then shut down in order."""
        self._events.close()
        await super().shutdown(sockets)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve at the host and port of the settings until a stop signal."""
    line = CommandLine("api.server")
    add = line.options()
    add("--worker", value="number", type=bounded_integer(1, _MAX_WORKERS), default=1)
    return run_command(line, _serve, arguments)


def _serve(settings: Settings, given: Namespace) -> int:
    """Serve on sockets that are bound before the application starts, so that a busy port touches no health file."""
    listeners = _bind(settings.host, settings.api_port, is_shared=settings.api_workers > 1)
    logging.getLogger("uvicorn.error").addFilter(RepeatFilter())  # each malformed request would write a line
    application = create_app(settings, worker=given.worker)
    config = uvicorn.Config(
        application,
        http=connections_up_to(_most_connections(settings.event_listeners)),
        ws="none",
        backlog=_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=3,
        access_log=False,
        log_config=None,
        log_level="warning",
    )
    with suppress(KeyboardInterrupt):  # uvicorn raises Ctrl+C again after it has shut down in order
        ApiServer(config, application.state.events).run(sockets=listeners)
    return 0


def _most_connections(event_listeners: int) -> int:
    """How many connections may be open at once: enough for all listeners, as far as open files allow."""
    wanted = _CONNECTIONS_PER_LISTENER * event_listeners + _OTHER_CONNECTIONS
    most = min(wanted, allow_open_files(wanted + _OTHER_FILES) - _OTHER_FILES)
    if most < event_listeners:
        _log.warning("only %d connections for %d listeners: raise the limit of open files", most, event_listeners)
    return most


def _bind(host: str, port: int, *, is_shared: bool) -> list[socket.socket]:
    """Sockets at every address of `host`; if `is_shared`, the kernel deals connections out to all that listen there.

    Raises:
        AlreadyRunning: another process listens there, or the address cannot be used now.
    """
    listeners: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listeners.append(socket.socket(family, kind, protocol))
            if os.name != "nt":  # there the option would let two servers share a port
                listeners[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_shared:
                listeners[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listeners[-1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listeners[-1].bind(address)
    except OSError as error:
        for listener in listeners:
            listener.close()
        reason = error.strerror or str(error)
        raise AlreadyRunning(message("port.refused", host=host, port=port, reason=reason)) from error
    return listeners


if __name__ == "__main__":
    sys.exit(main())
