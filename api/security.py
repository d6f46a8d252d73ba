"""Access rules: bearer token, local callers, and allowed host names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import Problem, ProblemCode
from core.access_tokens import AccessTokens
from core.rate_limit import client_address
from core.settings import Settings

__all__ = [
    "DEFAULT_RATE",
    "allowed_hosts",
    "host_name",
    "is_local",
    "may_scrape",
    "may_see",
    "require_token",
]

DEFAULT_RATE: Final = 120
"""Requests per minute for each client on another machine, unless configured."""

_REMEMBERED: Final = 256
"""Host headers and addresses whose meaning is remembered."""

_FORWARDING: Final = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"})
"""Headers of a proxy, which calls from this machine for somebody else."""

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="O valor de CRYPTO_API_TOKEN")


async def require_token(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    """Refuse requests without one of the tokens of the data; `_` only describes the token in the OpenAPI document.

    Raises:
        Problem: the token is missing or wrong.
    """
    tokens: AccessTokens = request.app.state.tokens
    if not may_see(tokens)(dict(request.scope["headers"]).get(b"authorization", b"")):
        raise Problem(ProblemCode.TOKEN_REQUIRED, headers={"WWW-Authenticate": "Bearer"})


def may_see(tokens: AccessTokens) -> Callable[[bytes], bool]:
    """A check of Authorization headers: whether one carries a token; without configured ones every one passes."""
    if not tokens.are_required:
        return lambda _: True

    def carries_token(header: bytes) -> bool:
        scheme, _, given = header.partition(b" ")
        return scheme.lower() == b"bearer" and tokens.accept(given.strip(b" "))

    return carries_token


def may_scrape(tokens: AccessTokens, headers: Mapping[bytes, bytes], client: str | None) -> bool:
    """Whether a request may read /metrics: with a token, or without configured ones from this machine itself."""
    if tokens.are_required:
        return may_see(tokens)(headers.get(b"authorization", b""))
    return client is not None and is_local(client) and _FORWARDING.isdisjoint(headers)


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """Host names that requests may carry; another one is a sign of DNS rebinding."""
    return frozenset({"localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)})


@lru_cache(maxsize=_REMEMBERED)
def host_name(header: str) -> str | None:
    """Name or address in a Host header, in lower case and without port; None if malformed."""
    match = _HOST.fullmatch(header)
    return (match[1] or match[2]).lower() if match else None


@lru_cache(maxsize=_REMEMBERED)
def is_local(client: str) -> bool:
    """Whether an IP address is a loopback address, also as IPv6-mapped IPv4."""
    address = client_address(client)
    return address is not None and address.is_loopback
