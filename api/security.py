"""Access rules: bearer token and local callers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.problems import Problem, ProblemCode
from core.access_tokens import AccessTokens
from core.host_names import is_local

__all__ = [
    "DEFAULT_RATE",
    "may_scrape",
    "may_see",
    "require_token",
]

DEFAULT_RATE: Final = 120
"""Requests per minute for each client on another machine, unless configured."""

_FORWARDING: Final = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"})
"""Headers of a proxy, which calls from this machine for somebody else."""

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
