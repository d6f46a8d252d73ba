"""Who may ask: bearer token, local callers, host names, and what counts as one client."""

from __future__ import annotations

import hmac
import ipaddress
import re
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from core.settings import Settings

__all__ = ["DEFAULT_RATE", "allowed_hosts", "host_name", "is_local", "network", "require_token"]

DEFAULT_RATE: Final = 120
"""Requests per minute and client when other machines may ask and nothing was configured."""

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="O valor de CRYPTO_API_TOKEN")


async def require_token(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Let pass who carries the configured token.

    Raises:
        HTTPException: 401.
    """
    token = request.app.state.settings.api_token
    given = credentials.credentials if credentials else ""
    if token is None or not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
        raise HTTPException(
            401,
            "falta o token certo: envie o cabeçalho 'Authorization: Bearer …' com o valor de CRYPTO_API_TOKEN",
            {"WWW-Authenticate": "Bearer"},
        )


def allowed_hosts(settings: Settings) -> frozenset[str]:
    """The host names under which the API may be asked; others are a sign of DNS rebinding."""
    return frozenset({"localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)})


def host_name(header: str) -> str | None:
    """The name or address in a Host header, lower-case and without port; None where it is malformed."""
    match = _HOST.fullmatch(header)
    return (match[1] or match[2]).lower() if match else None


def is_local(client: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def network(client: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network that IPv6 gives to a household."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
