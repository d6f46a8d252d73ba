"""One POST: to a resolved and permitted address, within a time limit, without following redirects."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from threading import Timer
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from alerts.delivery.addresses import InternalAddressError, open_connection
from alerts.delivery.failure import Failure
from alerts.delivery.reason import Reason

__all__ = ["HttpAddress", "Reply", "post", "read_address"]

CONNECT_S: Final = 10.0
ANSWER_S: Final = 20.0
"""For the whole request once connected, however slowly the receiver drips its answer."""

_MAX_ANSWER_BYTES: Final = 4096


@dataclass(frozen=True)
class HttpAddress:
    """A receiver. `target`, path and query, is not shown: it often holds a secret."""

    host: str
    port: int
    is_tls: bool
    target: SecretStr = field(repr=False)


@dataclass(frozen=True)
class Reply:
    """What counts of an answer: its status and its header `Retry-After`."""

    status: int
    retry_after: str | None


def read_address(url: SecretStr) -> HttpAddress:
    """Take an http or https URL apart.

    Raises:
        ValueError: it is none, or carries a user and a password; the error does not show it.
    """
    try:
        parts = urlsplit(url.get_secret_value())
        port = parts.port
    except ValueError:
        raise ValueError("not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ValueError("not http(s)://host/path")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not target.isascii() or any(character.isspace() for character in target):
        raise ValueError("not ASCII without spaces")
    is_tls = parts.scheme == "https"
    return HttpAddress(parts.hostname, port or (443 if is_tls else 80), is_tls, SecretStr(target))


def post(address: HttpAddress, body: bytes, headers: Mapping[str, str], *, allow_internal: bool) -> Reply | Failure:
    """Send `body` and read the head of the answer and at most 4 kB of its content.

    No error text is passed on: it could name the target.
    """
    connection = _Connection(address, allow_internal=allow_internal)
    limit = Timer(CONNECT_S + ANSWER_S, connection.cut)
    limit.daemon = True
    limit.start()
    try:
        connection.request("POST", address.target.get_secret_value(), body, dict(headers))
        answer = connection.getresponse()
        answer.read(_MAX_ANSWER_BYTES)
        reply = Reply(answer.status, answer.headers.get("retry-after"))
        return Failure(Reason.TIMEOUT) if connection.is_cut else reply
    except InternalAddressError:
        return Failure(Reason.INTERNAL_ADDRESS)
    except ssl.SSLCertVerificationError:
        return Failure(Reason.CERTIFICATE)
    except TimeoutError:
        return Failure(Reason.TIMEOUT)
    except OSError:
        return Failure(Reason.TIMEOUT if connection.is_cut else Reason.CONNECTION)
    except http.client.HTTPException:
        return Failure(Reason.TIMEOUT if connection.is_cut else Reason.NOT_HTTP)
    finally:
        limit.cancel()
        connection.close()


class _Connection(http.client.HTTPConnection):
    """Connects to the address that was resolved and checked; TLS still verifies the name."""

    def __init__(self, address: HttpAddress, *, allow_internal: bool) -> None:
        super().__init__(address.host, address.port, timeout=ANSWER_S)
        self._address = address
        self._allow_internal = allow_internal
        self.is_cut = False
        if address.is_tls:
            self.default_port = 443

    def connect(self) -> None:
        """Open the connection; the time limit can cut it from here on."""
        raw = open_connection(self.host, self.port, CONNECT_S, allow_internal=self._allow_internal)
        self.sock = raw
        raw.settimeout(ANSWER_S)
        if self._address.is_tls:
            self.sock = _tls().wrap_socket(raw, server_hostname=self.host)

    def cut(self) -> None:
        """End the connection from another thread; what waits there fails at once."""
        self.is_cut = True
        connection: socket.socket | None = self.sock
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
