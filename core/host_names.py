"""Names and addresses in the headers of HTTP requests: whether one is ours, or this machine's."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from core.rate_limit import client_address
from core.settings import Settings

__all__ = ["HostNames", "host_name", "is_local"]

_REMEMBERED: Final = 256
"""Host headers and addresses whose meaning is remembered."""

_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?")


class HostNames:
    """Host names that requests may carry; another one is a sign of DNS rebinding."""

    def __init__(self, settings: Settings) -> None:
        self._names = {"localhost", *(name.lower() for name in (settings.host, *settings.allowed_hosts))}

    def allow(self, header: bytes, server: tuple[str, int | None] | None) -> bool:
        """Whether a Host header has an allowed name, or the address of `server`, at which the request arrived."""
        name = host_name(header.decode("latin-1"))
        at = None if server is None else server[0]
        return name is not None and (name in self._names or name == at or is_local(name))


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
