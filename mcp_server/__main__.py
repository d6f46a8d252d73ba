"""The server for assistants: `python -m mcp_server` over standard input and output, with `--http` over HTTP."""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from core.errors import ConfigurationError
from core.processes.command_line import CommandLine, bounded_integer, run_command
from core.processes.lifecycle import watch_parent
from core.reading.readers import Readers
from core.settings import Settings
from core.wording import message

__all__ = ["main"]

_PORT: Final = 8765


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the assistant closes the connection, or, over HTTP, until a stop signal."""
    line = CommandLine("mcp_server")
    add = line.options()
    add("--http", action="store_true")
    add("--port", value="port", type=bounded_integer(1, 65535), default=_PORT)
    return run_command(line, _serve, arguments)


def _serve(settings: Settings, given: Namespace) -> int:
    try:
        import uvicorn  # noqa: PLC0415 - both only where they are used

        from mcp_server.server import build_server, http_application  # noqa: PLC0415 - mcp is an optional package
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise ConfigurationError(message("assistant.not_installed")) from error
    _log_to_standard_error()
    watch_parent()
    readers = Readers(settings)
    try:
        with suppress(KeyboardInterrupt):
            if given.http:
                application = http_application(build_server(readers), settings)
                uvicorn.run(application, host=settings.host, port=given.port, log_level="warning", ws="none")
            else:
                build_server(readers).run("stdio")
    finally:
        readers.close()
    return 0


def _log_to_standard_error() -> None:
    """Keep logs off standard output, which carries the protocol, and the SDK's lines on each request out of them."""
    logging.getLogger("mcp").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
