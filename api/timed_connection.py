"""A connection with limits on time and number.

uvicorn alone waits without limit for the end of a request and for the client to take the answer.
"""

from __future__ import annotations

import asyncio
import socket
from typing import ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.problems import PROBLEM_TYPE, Problem, ProblemCode, problem_body
from core.host_names import is_local
from core.rate_limit import network

__all__ = ["KEEP_ALIVE_S", "PROGRESS_TIMEOUT_S", "REQUEST_TIMEOUT_S", "TimedConnection", "connections_up_to"]

REQUEST_TIMEOUT_S: Final = 10.0
"""A whole request must arrive within this time of the connection or of its first byte."""

KEEP_ALIVE_S: Final = 75
"""A connection stays open for this long after an answer: clients that ask every 30 or 60 seconds need one alone."""

_CROWDED_KEEP_ALIVE_S: Final = 5
"""The same while more than half of all connections are open."""

PROGRESS_TIMEOUT_S: Final = 60.0
"""The client must take some of the waiting bytes within this time, however long the whole answer takes."""

_MAX_CONNECTIONS_PER_CLIENT: Final = 64
"""For clients on other machines; a browser needs six."""

_SEND_BUFFER_BYTES: Final = 128 * 1024
"""In the system, for each connection: what a client takes shows only when this has emptied in part.

Megabytes, the usual size, would empty too rarely to tell a slow client from one that has gone.
"""

_MALFORMED: Final = problem_body(Problem(ProblemCode.MALFORMED_REQUEST))


class TimedConnection(H11Protocol):
    """Closes when its client does not send a whole request in time, or does not take what is sent to it."""

    max_connections: ClassVar[int] = 768

    _timer: asyncio.TimerHandle | None = None
    _due: float = 0.0
    _is_idle: bool = False
    _drained: int = 0
    _mark: tuple[int, int] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of TCP alone
        """Accept a client unless it, or all clients together, have too many connections."""
        super().connection_made(transport)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._due = self.loop.time() + REQUEST_TIMEOUT_S
        self._timer = self.loop.call_at(self._due, self._on_timer)
        if len(self.connections) > self.max_connections or self._connections_of_client() > _MAX_CONNECTIONS_PER_CLIENT:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Begin the time of a request with its first byte."""
        if self._is_idle:
            self._is_idle = False
            self._limit(REQUEST_TIMEOUT_S)
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Wait for the next request; one that has begun already must end in time."""
        super().on_response_complete()
        self._is_idle = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        is_taken = not self.transport.get_write_buffer_size()
        self._limit(self._keep_alive_s() if self._is_idle and is_taken else REQUEST_TIMEOUT_S)

    def resume_writing(self) -> None:
        """Note that the client has taken nearly all that waited."""
        self._drained += 1
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse malformed HTTP with the API's own error body; uvicorn logs `msg`."""
        del msg
        headers = {"content-type": PROBLEM_TYPE, "content-length": str(len(_MALFORMED)), "connection": "close"}
        events = (
            h11.Response(status_code=400, headers=list(headers.items())),
            h11.Data(_MALFORMED),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _connections_of_client(self) -> int:
        """Connections of the same client; 0 for this machine, which is not limited."""
        if self.client is None or is_local(self.client[0]):
            return 0
        others = (getattr(connection, "client", None) for connection in self.connections)
        return sum(network(client[0]) == network(self.client[0]) for client in others if client)

    def _keep_alive_s(self) -> float:
        """For how long this connection may stay open without a request."""
        is_crowded = 2 * len(self.connections) > self.max_connections
        return _CROWDED_KEEP_ALIVE_S if is_crowded else KEEP_ALIVE_S

    def _limit(self, seconds: float) -> None:
        """Set when the timer shall act; it looks at this when it rings, which costs less than a new timer."""
        self._due = self.loop.time() + seconds
        if self._timer is not None and self._due < self._timer.when():
            self._timer.cancel()
            self._timer = self.loop.call_at(self._due, self._on_timer)

    def _on_timer(self) -> None:
        if self.loop.time() >= self._due:
            self._act()
        self._timer = self.loop.call_at(self._due, self._on_timer)

    def _act(self) -> None:
        """Close a connection that waits for its client in vain; look again later at one that does not."""
        waiting = self.transport.get_write_buffer_size()
        is_answering = self.cycle is not None and not self.cycle.response_complete
        mark, before = (waiting, self._drained), self._mark
        self._mark = mark
        self._due = self.loop.time() + PROGRESS_TIMEOUT_S
        if waiting and mark == before:
            self.transport.abort()
        elif waiting or is_answering:
            return
        elif before is not None and before[0]:  # it has taken the last bytes since
            self._due = self.loop.time() + self._keep_alive_s()
        else:
            self.transport.close()


def connections_up_to(most: int) -> type[TimedConnection]:
    """Connections of which at most so many are open at once."""

    class Connection(TimedConnection):
        max_connections = most

    return Connection
