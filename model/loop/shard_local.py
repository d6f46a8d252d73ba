"""Workers of shards as processes of this machine, each at the other end of a pipe."""

from __future__ import annotations

import multiprocessing
import sys
from multiprocessing.connection import Connection
from threading import Thread
from typing import Final, Protocol

from core.logs import LogFormat
from model.loop.shard_link import Start
from model.loop.shard_messages import Said
from model.loop.shard_worker import run_worker

__all__ = ["ConnectionLine", "Worker", "process_starter"]

_END_S: Final = 3.0

_AT_ONCE: Final = 4_096
"""Bytes that an empty pipe takes without waiting, on each system."""


class Worker(Protocol):
    """What serves the other end: a process, or in tests a thread."""

    def kill(self) -> None:
        """End it at once."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""


class ConnectionLine:
    """A line (`shard_link.Line`) over one end of a pipe.

    The pipe is empty when a message comes: the worker has read those before it, since it has answered. It takes a small
    one at once, whatever the worker does; a large one is left to a thread.
    """

    def __init__(self, connection: Connection, worker: Worker) -> None:
        self._connection = connection
        self._worker = worker
        self._sender: Thread | None = None

    def send(self, content: bytes) -> None:
        """Deliver a message."""
        if len(content) <= _AT_ONCE:
            self._deliver(content)
        else:
            self._sender = Thread(target=self._deliver, args=(content,), name="shard-sender", daemon=True)
            self._sender.start()

    def has_news(self, patience_s: float) -> bool:
        """Wait for a message, or for the worker's end."""
        return self._connection.poll(patience_s)

    def receive(self) -> Said:
        """The next message."""
        said: Said = self._connection.recv()
        return said

    def end(self) -> None:
        """Kill the worker, which frees the thread, and close the pipe."""
        self._worker.kill()
        if self._sender is not None:
            self._sender.join(_END_S)
        self._connection.close()
        self._worker.join(_END_S)

    def _deliver(self, content: bytes) -> None:
        try:
            self._connection.send_bytes(content)
        except OSError:
            return  # the worker has ended, as `receive` tells


def process_starter(log_level: str, log_format: LogFormat) -> Start:
    """Make what starts the process of a shard.

    On Linux a server that has the libraries in memory forks it: it shares them with the others, and is there at once.
    """
    if sys.platform == "linux":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["model.loop.shard_preload"])
    else:
        context = multiprocessing.get_context("spawn")

    def start() -> ConnectionLine:
        connection, its_end = multiprocessing.Pipe()
        process = context.Process(target=run_worker, args=(its_end, log_level, log_format), daemon=True)
        process.start()
        its_end.close()
        return ConnectionLine(connection, process)

    return start
