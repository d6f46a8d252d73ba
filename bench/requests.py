"""One request to a server on this machine, and its answer as a yardstick can repeat it."""

from __future__ import annotations

import http.client
from base64 import b64encode
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Recorded", "record"]

_SERVER_HEADERS: Final = ("date", "server", "content-length", "transfer-encoding", "connection")


@dataclass(frozen=True)
class Recorded:
    """An answer of the API, to be repeated by the yardstick."""

    status: int
    headers: dict[str, str]
    body: bytes

    def to_json(self) -> dict[str, Any]:
        """As bench.floor_app reads it."""
        return {"status": self.status, "headers": self.headers, "body": b64encode(self.body).decode()}


def record(port: int, path: str, **headers: str) -> Recorded:
    """Ask once; headers that the server adds by itself are left out."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    reply = connection.getresponse()
    kept = {name.lower(): value for name, value in reply.getheaders() if name.lower() not in _SERVER_HEADERS}
    body = reply.read()
    connection.close()
    return Recorded(reply.status, kept, body)
