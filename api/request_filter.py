"""Outer layer: refuses unknown hosts, bodies, remote callers and floods; adds headers to answers."""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import Problem, ProblemCode, problem_answer
from api.security import DEFAULT_RATE, may_scrape, may_see
from api.versions import UNDECIDED, VersionClock
from core.access_tokens import AccessTokens
from core.host_names import HostNames, is_local
from core.rate_limit import Allowance, RateLimiter
from core.settings import Settings
from core.wording import message

__all__ = ["RequestFilter"]

_MAX_BODY_BYTES: Final = 4096
_VERSION_PREFIX: Final = "/v1"
_PAGES: Final = ("/docs", "/redoc")
_STREAM: Final = "/eventos"
_METRICS: Final = "/metrics"
_UNCOUNTED: Final = ("/saude", "/docs", "/redoc", "/estatico")
_WHOLE_ADDRESS: Final = re.compile(rb"https?://([^/]*)(.*)", re.IGNORECASE)
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_PAGE_POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LIGHT_PAGE: Final = "/"
_LIGHT_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_DATA_POLICY: Final = b"default-src 'none'; frame-ancestors 'none'"
_NO_FRAME: Final = (b"x-frame-options", b"DENY")
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_PAGE_HEADERS: Final = (*_HEADERS, _NO_FRAME, (b"content-security-policy", _PAGE_POLICY))
_DATA_HEADERS: Final = (*_HEADERS, _NO_FRAME, (b"content-security-policy", _DATA_POLICY))

RawHeader = tuple[bytes, bytes]


class RequestFilter:
    """ASGI middleware around the whole application except CORS.

    Every answer gets security headers, X-Fonte, X-Request-Id and, where a limit applies, the RateLimit headers.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        clock: VersionClock,
        tokens: AccessTokens,
        metrics_tokens: AccessTokens,
    ) -> None:
        self._app = app
        self._clock = clock
        self._has_token = tokens.are_required
        self._may_see = may_see(tokens)
        self._metrics_tokens = metrics_tokens
        self._hosts = HostNames(settings)
        policy = " ".join([_LIGHT_PAGE_POLICY, *settings.embed_origins]).encode()
        light_page = (*_HEADERS, (b"content-security-policy", policy))
        self._page_headers = {**dict.fromkeys(_PAGES, _PAGE_HEADERS), _LIGHT_PAGE: light_page}
        self._limits_local = settings.api_rate_limit is not None
        self._per_minute = settings.api_rate_limit or DEFAULT_RATE
        self._limiter = RateLimiter(self._per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on; either way the answer gets the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = _origin_form(scope)
        request_headers = dict(scope["headers"])
        request_id = _request_id(request_headers.get(b"x-request-id", b""))
        scope = {**_unversioned(scope), "state": {**scope.get("state", {}), "request_id": request_id}}
        refusal = self._refusal(scope, request_headers)
        allowance = self._allowance(scope, request_headers) if refusal is None else None
        if allowance is not None and allowance.wait_s:
            refusal = _too_many(math.ceil(allowance.wait_s))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", [])
                own = self._own_headers(scope["path"], request_id, given, allowance)
                message = {**message, "headers": [*given, *own]}
            await send(message)

        answer = self._app if refusal is None else problem_answer(refusal, Headers(scope=scope))
        await answer(scope, receive, send_with_headers)

    def _own_headers(
        self, path: str, request_id: str, given: Iterable[RawHeader], allowance: Allowance | None
    ) -> list[RawHeader]:
        """Headers that every answer gets; a route's own X-Fonte stays."""
        headers = [*self._page_headers.get(path, _DATA_HEADERS), (b"x-request-id", request_id.encode())]
        if not any(name == b"x-fonte" for name, _ in given):
            headers.append((b"x-fonte", (self._clock.versions().source or UNDECIDED).encode()))
        return headers if allowance is None else headers + self._limit_headers(allowance)

    def _limit_headers(self, allowance: Allowance) -> list[RawHeader]:
        """The limit and what is left of it, as draft-ietf-httpapi-ratelimit-headers-11 writes them."""
        left = f'"default";r={allowance.remaining};t={math.ceil(allowance.full_in_s)}'
        policy = f'"default";q={self._per_minute};w=60'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]

    def _allowance(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Allowance | None:
        """What is left of the client's requests after this one; None if it is not counted.

        The stream of events has limits of its own, and /metrics is read by one machine, but guesses of their tokens
        count.
        """
        client = _client(scope)
        if client is None or (is_local(client) and not self._limits_local):
            return None
        root = "/" + scope["path"].removeprefix("/").partition("/")[0]
        return None if self._is_free(root, client, headers) else self._limiter.take(client)

    def _is_free(self, root: str, client: str, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a request below this first part of the path is not counted."""
        if root == _STREAM:
            return self._may_see(headers.get(b"authorization", b""))
        return root in _UNCOUNTED or (root == _METRICS and may_scrape(self._metrics_tokens, headers, client))

    def _refusal(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Problem | None:
        """Why the request is refused however few there are, or None."""
        client = _client(scope)
        if client is not None and not is_local(client) and not self._has_token:
            return Problem(ProblemCode.LOCAL_ONLY)
        if not self._hosts.allow(headers.get(b"host", b""), scope.get("server")):
            return Problem(ProblemCode.UNKNOWN_HOST)
        if _has_large_body(headers):
            return Problem(ProblemCode.BODY_TOO_LARGE, headers={"Connection": "close"})  # where it ends may be disputed
        return None


def _client(scope: Scope) -> str | None:
    return scope["client"][0] if scope.get("client") else None


def _too_many(wait_s: int) -> Problem:
    reason = message("refusal.too_many_requests", seconds=wait_s)
    return Problem(ProblemCode.TOO_MANY_REQUESTS, reason, headers={"Retry-After": str(wait_s)})


def _origin_form(scope: Scope) -> Scope:
    """The request for a whole address as one for its path; its host counts, not the header's (RFC 9112, 3.2.2)."""
    whole = _WHOLE_ADDRESS.fullmatch(scope.get("raw_path") or b"")
    if whole is None:
        return scope
    raw_path = whole[2] or b"/"
    headers = [(b"host", whole[1]), *(header for header in scope["headers"] if header[0] != b"host")]
    return {**scope, "path": unquote(raw_path.decode("latin-1")), "raw_path": raw_path, "headers": headers}


def _unversioned(scope: Scope) -> Scope:
    """The request for `/v1/…` as one for the same path without the prefix."""
    if not scope["path"].startswith(f"{_VERSION_PREFIX}/"):
        return scope
    raw_path = scope.get("raw_path") or b""
    return {
        **scope,
        "path": scope["path"].removeprefix(_VERSION_PREFIX),
        "raw_path": raw_path.removeprefix(_VERSION_PREFIX.encode()),
    }


def _request_id(given: bytes) -> str:
    """The client's own id of the request if it is well-formed, otherwise a new one."""
    return given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _has_large_body(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the headers announce a large body or one of unknown size."""
    length = headers.get(b"content-length", b"0")
    is_small = length.isdigit() and len(length) < 10 and int(length) <= _MAX_BODY_BYTES
    return not is_small or b"transfer-encoding" in headers
