"""Reads server-sent events from a real server, as a browser would."""

from __future__ import annotations

import http.client
import json
import socket
import time
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

__all__ = ["EventReader", "ReceivedEvent"]


@dataclass(frozen=True)
class ReceivedEvent:
    """One event: its name, its body, and the last id that was received with it or before it."""

    name: str
    data: Any
    last_id: str


class EventReader:
    """An open connection to a stream of events; reads line by line."""

    def __init__(self, address: str, path: str = "/eventos", last_id: str = "", **headers: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
        given = {**headers, **({"Last-Event-ID": last_id} if last_id else {})}
        self._connection.request("GET", path, headers=given)
        self.reply = self._connection.getresponse()
        self.last_id = last_id
        self.comments = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self.reply.close()

    def read_line(self) -> tuple[str, str] | None:
        """Field and value of the next line; None when the stream has ended."""
        line = self.reply.readline().decode()
        field, _, value = line.rstrip("\n").partition(": ")
        if field == "id":
            self.last_id = value
        self.comments += line.startswith(":")
        return (field, value) if line else None

    def next(self) -> ReceivedEvent | None:
        """The next event; None when the stream has ended."""
        name, data = "message", ""
        while (line := self.read_line()) is not None:
            field, value = line
            if field == "event":
                name = value
            elif field == "data":
                data += value
            elif not field and data:
                return ReceivedEvent(name, json.loads(data), self.last_id)
        return None

    def take(self, count: int) -> list[ReceivedEvent]:
        """The next events."""
        found = [self.next() for _ in range(count)]
        assert None not in found, found
        return [event for event in found if event is not None]

    def rest(self, silence_s: float = 1.0) -> list[ReceivedEvent]:
        """All events until none comes for a while."""
        sock = self._connection.sock or getattr(self.reply.fp, "raw")._sock  # noqa: B009 - http.client keeps it there
        sock.settimeout(silence_s)
        found = []
        try:
            while (event := self.next()) is not None:
                found.append(event)
        except (TimeoutError, socket.timeout):  # noqa: UP041 - one class since Python 3.10
            pass
        return found

    def wait_for(self, name: str, patience_s: float = 20.0) -> ReceivedEvent:
        """The next event of this name."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            event = self.next()
            assert event is not None, f"the stream ended before {name}"
            if event.name == name:
                return event
        raise AssertionError(f"no {name} came")
