"""The outermost layer: refuses strange hosts, far callers without a token and hasty clients; adds security headers."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.security import DEFAULT_RATE, RateLimiter, allowed_hosts, host_name, is_local
from core.settings import Settings

__all__ = ["Guard"]

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


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._has_token = settings.api_token is not None
        self._hosts = allowed_hosts(settings)
        self._limits_local = settings.api_rate_limit is not None
        self._limiter = RateLimiter(settings.api_rate_limit or DEFAULT_RATE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on with headers added to the reply."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        labelled = _with_headers(scope, send)
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, labelled)

    def _refusal(self, scope: Scope) -> Response | None:
        """Why this request is not answered, or None."""
        client = scope["client"][0] if scope.get("client") else None
        local = client is None or is_local(client)
        if not local and not self._has_token:
            return _refuse(403, "a API só responde a esta máquina: para abri-la à rede defina CRYPTO_API_TOKEN")
        if not self._knows_host(scope):
            return _refuse(400, "nome de host não permitido: acrescente-o a CRYPTO_ALLOWED_HOSTS")
        if client is not None and (not local or self._limits_local) and scope["path"] != "/saude":
            wait_s = self._limiter.wait_s(_network(client))
            if wait_s:
                return _refuse(429, "pedidos demais", {"Retry-After": str(math.ceil(wait_s))})
        return None

    def _knows_host(self, scope: Scope) -> bool:
        """A known name, or the very address at which the request arrived: rebinding needs a name."""
        name = host_name(Headers(scope=scope).get("host", ""))
        if name is None:
            return False
        server = scope["server"][0] if scope.get("server") else None
        return name in self._hosts or name == server or is_local(name)


def _refuse(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status, {"Cache-Control": "no-store", **(headers or {})})


def _network(client: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network that IPv6 gives to a household."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return client
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def _with_headers(scope: MutableMapping[str, Any], send: Send) -> Send:
    async def send_labelled(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_HEADERS)
            headers["Content-Security-Policy"] = _PAGE_POLICY if scope["path"] in _PAGES else _DATA_POLICY
        await send(message)

    return send_labelled
