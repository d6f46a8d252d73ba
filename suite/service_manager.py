"""What run_all.py tells the service manager that started it, by the protocol of sd_notify(3); nothing if there is none.

systemd names a socket and how often it wants to hear of a living main loop, and replaces a process that stays silent.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time
from collections.abc import Mapping
from typing import Final

__all__ = ["SERVICE_VARIABLES", "ServiceManager"]

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
SERVICE_VARIABLES: Final = (_SOCKET, _WATCHDOG, "WATCHDOG_PID")
"""Meant for this process alone: its children must not answer in its place."""

_SEND_TIMEOUT_S: Final = 1.0

_log = logging.getLogger(__name__)


class ServiceManager:
    """Sends the states of this process; call `alive` from the main loop, several times a second."""

    def __init__(self, variables: Mapping[str, str] = os.environ) -> None:
        name = variables.get(_SOCKET, "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        watchdog = variables.get(_WATCHDOG, "")
        self._every_s = int(watchdog) / 3_000_000 if watchdog.isdigit() else math.inf
        self._sent_at = -math.inf
        self._complained = False

    def ready(self) -> None:
        """Say that everything has been started."""
        self._send("READY=1")

    def alive(self) -> None:
        """Say that the main loop goes on, three times within what the watchdog allows."""
        if time.monotonic() - self._sent_at >= self._every_s:
            self._sent_at = time.monotonic()
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.settimeout(_SEND_TIMEOUT_S)
                line.sendto(state.encode(), self._address)
        except OSError as error:
            if not self._complained:
                _log.warning("cannot tell the service manager %s: %s", state, error)
            self._complained = True
