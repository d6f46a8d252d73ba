"""TCP ports for the servers that tests start: no two test processes of this machine are given the same one."""

from __future__ import annotations

import socket
from typing import Final

from suite.ports import port_problem

__all__ = ["reserve_port"]

_CANDIDATES: Final = iter(range(20_000, 30_000))  # no system gives these to a process that asks for any port
_claims: Final[list[socket.socket]] = []


def reserve_port() -> int:
    """Find a free TCP port and reserve it until this process ends.

    The UDP port of the same number, which nobody else uses, is the claim that other test processes respect.
    """
    for port in _CANDIDATES:
        claim = socket.socket(type=socket.SOCK_DGRAM)
        try:
            claim.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        if port_problem("127.0.0.1", port) is None:
            return port
    raise AssertionError("every port of the range is in use")
