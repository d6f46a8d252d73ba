"""TCP ports of this machine: whether a server can listen, which process does already, which one is free."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import psutil

from core.wording import Message, message

__all__ = ["free_port", "port_problem"]


def port_problem(host: str, port: int) -> Message | None:
    """Why a server cannot listen at `host` and `port` now, or None if it can."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        return message("port.no_address", host=host)
    errors = [_try_bind(family, address) for family, _, _, _, address in addresses]
    if errno.EADDRINUSE in errors:
        return message("port.in_use", port=port, owner=_owner(port))
    if 0 in errors:
        return None
    if errno.EACCES in errors:
        return message("port.forbidden", port=port)
    return message("port.refused", host=host, port=port, reason=os.strerror(errors[0]))


def free_port(avoid: set[int]) -> int:
    """Find a port of the loopback interface that is free now and not in `avoid`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port


def _try_bind(family: int, address: Any) -> int:
    """Bind once; the error number, 0 for success."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name != "nt":  # like the servers, so that connections in TIME_WAIT do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def _owner(port: int) -> Message | str:
    """The process that listens at `port`, or an empty text if the operating system does not say."""
    try:
        connections = psutil.net_connections(kind="tcp")
        pid = next(c.pid for c in connections if c.pid and c.status == psutil.CONN_LISTEN and port in c.laddr)
        return message("port.owner", name=psutil.Process(pid).name(), pid=pid)
    except (StopIteration, psutil.Error):
        return ""
