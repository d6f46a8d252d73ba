"""One GET with limits on time and size that hold against any server; no redirects and no retries."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from core.errors import BadReply, SourceUnavailable

__all__ = ["RawReply", "Transport"]

_CONNECT_S: Final = 5.0
_READ_S: Final = 10.0
_TOTAL_S: Final = 20.0
_MAX_BODY: Final = 16 * 1024 * 1024
_CHUNK: Final = 65536
_NETWORK_ERRORS: Final = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


class RawReply(NamedTuple):
    """Status, headers (names in any case) and decoded body of one reply."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends GETs one at a time; `abort`, from any thread, cuts the one in progress and refuses later ones."""

    def __init__(self, base_url: str, headers: Mapping[str, str], *, total_s: float = _TOTAL_S) -> None:
        self._base_url = base_url.rstrip("/")
        self._total_s = total_s
        self._adapter = _CuttableAdapter()
        self._aborted = threading.Event()
        self._session = requests.Session()
        self._session.headers.clear()
        self._session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip", **headers})
        self._session.auth = _no_credentials
        self._session.trust_env = not _is_loopback(base_url)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, self._adapter)

    def get(self, path_and_query: str) -> RawReply:
        """Fetch `path_and_query` below the base address.

        Raises:
            SourceUnavailable: no whole reply in time: DNS, connection, reset, time-out or cut body.
            BadReply: the body is too large or cannot be unpacked.
        """
        deadline = time.monotonic() + self._total_s
        watch = threading.Timer(self._total_s, self._adapter.cut)
        watch.daemon = True
        watch.start()
        try:
            return self._exchange(self._base_url + path_and_query, deadline)
        except requests.exceptions.ContentDecodingError as error:
            raise BadReply("the body cannot be unpacked") from error
        except _NETWORK_ERRORS as error:
            late = time.monotonic() >= deadline
            reason = f"no whole answer within {self._total_s:.0f} s" if late else _reason(error)
            raise SourceUnavailable(reason) from error
        finally:
            watch.cancel()

    def abort(self) -> None:
        """Cut the exchange in progress and refuse later ones, because the process ends."""
        self._aborted.set()
        self._adapter.cut()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _exchange(self, url: str, deadline: float) -> RawReply:
        if self._aborted.is_set():
            raise SourceUnavailable("stopping")
        with self._session.get(url, timeout=(_CONNECT_S, _READ_S), stream=True, allow_redirects=False) as response:
            parts: list[bytes] = []
            size = 0
            for part in response.iter_content(_CHUNK):
                size += len(part)
                if size > _MAX_BODY:
                    raise BadReply(f"the body is larger than {_MAX_BODY} bytes")
                parts.append(part)
            if self._aborted.is_set() or time.monotonic() >= deadline:
                raise SourceUnavailable(f"no whole answer within {self._total_s:.0f} s")
            return RawReply(response.status_code, response.headers, b"".join(parts))


class _CuttableAdapter(HTTPAdapter):
    """Knows the socket in use, so that another thread can cut it: read time-outs do not stop a slow trickle."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        super().__init__(max_retries=0)

    def cut(self) -> None:
        if (current := self._socket) is not None:
            try:
                # below TLS: wakes the reader and leaves the TLS state alone
                socket.socket.shutdown(current, socket.SHUT_RDWR)
            except OSError:
                return  # already closed

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        pool: Any = super().get_connection_with_tls_context(request, verify, proxies, cert)
        if "ConnectionCls" not in vars(pool):
            pool.ConnectionCls = self._watched(pool.ConnectionCls)
        return pool

    def _watched(self, connection: Any) -> Any:
        """Subclass a urllib3 connection class to report its socket before it waits for a reply."""
        adapter = self

        class Watched(connection):  # type: ignore[misc]  # the base is known at run time
            def getresponse(self) -> Any:
                adapter._socket = self.sock
                return super().getresponse()

        return Watched


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep requests from adding what it finds in ~/.netrc."""
    return request


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(error: BaseException) -> str:
    """Innermost reason of an error, without the address."""
    while (inner := getattr(error, "reason", None) or (error.args[0] if error.args else None)) is not None:
        if not isinstance(inner, BaseException):
            break
        error = inner
    return f"{type(error).__name__}: {error}"[:200]
