"""The server with its tools, and the application that offers them over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import ToolAnnotations
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from core.access_tokens import AccessTokens
from core.host_names import HostNames
from core.rate_limit import RateLimiter
from core.reading.readers import Readers
from core.settings import Settings
from core.version import VERSION
from mcp_server.tools import Tools

__all__ = ["build_server", "http_application"]

_INSTRUCTIONS: Final = (
    "Prices of cryptocurrencies and probabilistic forecasts of the next hour, each with how well such forecasts held "
    "lately. Name the source, and say when prices are not live. Give intervals and probabilities rather than a single "
    "price; direction can hardly ever be forecast. Nothing here is financial advice."
)
_READ_ONLY: Final = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
_TRIES_A_MINUTE: Final = 10
_MAX_BODY_BYTES: Final = 64 * 1024


def build_server(readers: Readers) -> MCPServer[Any]:
    """The server over what `readers` read."""
    server: MCPServer[Any] = MCPServer(
        "crypto-forecasting",
        title="Crypto Forecasting",
        instructions=_INSTRUCTIONS,
        version=VERSION,
        log_level="WARNING",
    )
    tools = Tools(readers)
    offered: tuple[Callable[..., Any], ...] = (
        tools.coins,
        tools.forecast,
        tools.probability,
        tools.accuracy,
        tools.history,
    )
    for tool in offered:
        server.add_tool(tool, annotations=_READ_ONLY)
    return server


def http_application(server: MCPServer[Any], settings: Settings) -> ASGIApp:
    """The streamable HTTP transport at /mcp: without sessions, for known hosts, with the API's tokens, if any."""
    transport = server.streamable_http_app(
        json_response=True,
        stateless_http=True,
        max_request_body_size=_MAX_BODY_BYTES,
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )
    application = _SiteGuard(transport, HostNames(settings))
    tokens = AccessTokens(settings.api_token, settings.api_token_file)
    return _TokenGuard(application, tokens) if tokens.are_required else application


class _SiteGuard:
    """Refuses requests for foreign hosts, a sign of DNS rebinding, and those that pages of any site make."""

    def __init__(self, application: ASGIApp, hosts: HostNames) -> None:
        self._application = application
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is for a known host and of no page, and what is no request."""
        application = self._application
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            if not self._hosts.allow(headers.get(b"host", b""), scope.get("server")):
                application = PlainTextResponse("unknown host", 421)
            elif b"origin" in headers:
                application = PlainTextResponse("not for web pages", 403)
        await application(scope, receive, send)


class _TokenGuard:
    """Refuses requests without a bearer token; a client may guess ten times a minute."""

    def __init__(self, application: ASGIApp, tokens: AccessTokens) -> None:
        self._application = application
        self._tokens = tokens
        self._guesses = RateLimiter(_TRIES_A_MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what carries the token, and what is no request."""
        if scope["type"] != "http" or self._is_known(scope):
            await self._application(scope, receive, send)
            return
        client = scope["client"][0] if scope.get("client") else ""
        wait_s = self._guesses.wait_s(client)
        if wait_s:
            answer = PlainTextResponse("too many tries", 429, {"retry-after": str(round(wait_s) + 1)})
        else:
            answer = PlainTextResponse("the token is missing or wrong", 401, {"www-authenticate": "Bearer"})
        await answer(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        scheme, _, given = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and self._tokens.accept(given)
