"""A limit on requests per client, and what counts as one client."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

__all__ = ["Allowance", "RateLimiter", "client_address", "network"]

_MAX_CLIENTS: Final = 4096


@dataclass(frozen=True)
class Allowance:
    """What a client may do after a request: 0.0 or the seconds to wait, requests left, seconds until all are back."""

    wait_s: float
    remaining: int
    full_in_s: float


class RateLimiter:
    """A token bucket per network of clients: up to `per_minute` requests at once, refilled evenly.

    It keeps the buckets of the last 4096 clients. Thread-safe.
    """

    def __init__(self, per_minute: int) -> None:
        self._size = float(per_minute)
        self._per_second = per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> Allowance:
        """Take one request from the client's bucket, unless it is empty."""
        client = network(client)
        with self._lock:
            now = time.monotonic()
            level, at = self._buckets.pop(client, (self._size, now))
            level = min(self._size, level + (now - at) * self._per_second)
            wait_s = max(0.0, (1 - level) / self._per_second)
            level = level if wait_s else level - 1
            self._buckets[client] = (level, now)
            if len(self._buckets) > _MAX_CLIENTS:
                self._buckets.popitem(last=False)
        return Allowance(wait_s, int(level), (self._size - level) / self._per_second)

    def wait_s(self, client: str) -> float:
        """Take one request from the client's bucket: 0.0, or the seconds to wait if it is empty."""
        return self.take(client).wait_s


def network(client: str) -> str:
    """Key of a client for limits: the IPv4 address, or the /64 network, which is one household in IPv6."""
    address = client_address(client)
    if address is None:
        return client
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))


def client_address(client: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """A client's address, IPv4 also where a server for both writes it as IPv6; None for other texts."""
    try:
        address = ipaddress.ip_address(client.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
