"""TCP ports of this machine: can a server listen there, who does already, which one is free."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import psutil

__all__ = ["free_port", "problem"]


def problem(host: str, port: int) -> str | None:
    """Why no server can listen at `host` and `port` now, in Portuguese, or None."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        return f"o endereço {host} não existe nesta máquina"
    errors = [_try_bind(family, address) for family, _, _, _, address in addresses]
    if errno.EADDRINUSE in errors:
        return f"a porta {port} já está em uso{_owner(port)}"
    if 0 in errors:
        return None
    if errno.EACCES in errors:
        return f"a porta {port} exige permissão de administrador"
    return f"não é possível atender em {host}:{port} ({os.strerror(errors[0])})"


def free_port(avoid: set[int]) -> int:
    """A port of the loopback interface that is free now and not in `avoid`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port


def _try_bind(family: int, address: Any) -> int:
    """Error number of binding, 0 for success."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name != "nt":  # as the servers do, so that connections in TIME_WAIT do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def _owner(port: int) -> str:
    """Who listens at `port`, where the operating system tells."""
    try:
        connections = psutil.net_connections(kind="tcp")
        pid = next(c.pid for c in connections if c.pid and c.status == psutil.CONN_LISTEN and port in c.laddr)
        return f" por {psutil.Process(pid).name()} (pid {pid})"
    except (StopIteration, psutil.Error):
        return ""
