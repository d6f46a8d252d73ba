"""Outermost layer: refuses unknown hosts, bodies, remote callers and floods; adds headers to answers."""

from __future__ import annotations

import math
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, ProblemCode, problem_answer
from api.security import DEFAULT_RATE, allowed_hosts, host_name, is_local, network
from core.errors import ConfigurationError, NotReady
from core.rate_limit import RateLimiter
from core.reading.readers import Readers
from core.settings import Settings
from core.wording import message

__all__ = ["RequestFilter"]

_MAX_BODY_BYTES: Final = 4096
_PAGES: Final = ("/docs", "/redoc")
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RequestFilter:
    """ASGI middleware around the whole application; every answer gets security headers and X-Fonte."""

    def __init__(self, app: ASGIApp, settings: Settings, readers: Readers) -> None:
        self._app = app
        self._readers = readers
        self._has_token = settings.api_token is not None
        self._hosts = allowed_hosts(settings)
        self._limits_local = settings.api_rate_limit is not None
        self._limiter = RateLimiter(settings.api_rate_limit or DEFAULT_RATE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on; either way the answer gets the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(scope["path"], MutableHeaders(scope=message))
            await send(message)

        refusal = self._refusal(scope)
        answer = self._app if refusal is None else problem_answer(refusal, Headers(scope=scope))
        await answer(scope, receive, send_with_headers)

    def _add_headers(self, path: str, headers: MutableHeaders) -> None:
        headers.update(_HEADERS)
        headers["Content-Security-Policy"] = _PAGE_POLICY if path in _PAGES else _DATA_POLICY
        if "X-Fonte" not in headers:
            headers["X-Fonte"] = self._source()

    def _source(self) -> str:
        try:
            return self._readers.workspace().source.value
        except (NotReady, ConfigurationError, OSError):
            return "indefinida"

    def _refusal(self, scope: Scope) -> Problem | None:
        """Why the request is refused, or None."""
        client = scope["client"][0] if scope.get("client") else None
        local = client is None or is_local(client)
        if not local and not self._has_token:
            return Problem(ProblemCode.LOCAL_ONLY)
        if not self._is_allowed_host(scope):
            return Problem(ProblemCode.UNKNOWN_HOST)
        if _has_large_body(Headers(scope=scope)):
            return Problem(ProblemCode.BODY_TOO_LARGE)
        if client is not None and (not local or self._limits_local) and scope["path"] != "/saude":
            wait_s = math.ceil(self._limiter.wait_s(network(client)))
            if wait_s:
                reason = message("refusal.too_many_requests", seconds=wait_s)
                return Problem(ProblemCode.TOO_MANY_REQUESTS, reason, headers={"Retry-After": str(wait_s)})
        return None

    def _is_allowed_host(self, scope: Scope) -> bool:
        """Whether the Host header has an allowed name, or the IP address at which the request arrived."""
        name = host_name(Headers(scope=scope).get("host", ""))
        if name is None:
            return False
        server = scope["server"][0] if scope.get("server") else None
        return name in self._hosts or name == server or is_local(name)


def _has_large_body(headers: Headers) -> bool:
    """Whether the headers announce a large body or one of unknown size."""
    length = headers.get("content-length", "0")
    is_small = length.isdecimal() and len(length) < 10 and int(length) <= _MAX_BODY_BYTES
    return not is_small or "transfer-encoding" in headers
