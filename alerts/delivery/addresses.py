"""The rule about addresses: an alert leaves for the public internet only, unless its channel allows more.

The rule looks at the address that a connection is opened to, not at the name: a name that points elsewhere a moment
later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

__all__ = ["InternalAddressError", "guard_connections", "is_internal", "open_connection"]

_NAT64: Final = IPv6Network("64:ff9b::/96")


class InternalAddressError(OSError):
    """A connection to this machine or its network was refused."""


def is_internal(address: str) -> bool:
    """Whether `address` is anything but a public unicast address.

    That is: loopback, private, link-local, multicast, unspecified or reserved, in IPv4, in IPv6, or as the IPv4
    address inside an IPv6 one (mapped, 6to4, NAT64). What is no address counts as internal.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return True
    found = _embedded(parsed)
    return not found.is_global or found.is_multicast or found.is_reserved


def open_connection(host: str, port: int, timeout_s: float, *, allow_internal: bool) -> socket.socket:
    """Resolve `host` once and connect to the first of its permitted addresses that accepts.

    Raises:
        InternalAddressError: the host has internal addresses alone, and these are not allowed.
        OSError: the name is unknown, or no address accepts within `timeout_s`.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    permitted = [entry for entry in found if allow_internal or not is_internal(str(entry[4][0]))]
    if not permitted:
        raise InternalAddressError("the address is internal")
    failure = OSError("no address")
    for family, kind, protocol, _, address in permitted:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(timeout_s)
        try:
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def guard_connections(on_refusal: Callable[[], None]) -> None:
    """Refuse internal addresses to every library of this process, for as long as it lives.

    Python reports each connection to audit hooks just before it is opened, with the resolved address; an error
    raised there prevents the connection.
    """

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            return
        address = arguments[1]
        if address is not None and (not isinstance(address, tuple) or is_internal(str(address[0]))):
            on_refusal()
            raise InternalAddressError("the address is internal")

    sys.addaudithook(check)


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address to which an IPv6 address is translated on its way, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
