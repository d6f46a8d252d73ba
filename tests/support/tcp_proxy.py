"""A TCP proxy that tests put between a client and a server, to cut the network."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from typing import Final, Self

__all__ = ["TcpProxy"]

_LOOK_S: Final = 0.05


class TcpProxy:
    """Passes bytes on to a port of this machine; after `cut` it passes none and says nothing, as a dead line does."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_LOOK_S)
        self._is_cut = threading.Event()
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """The port to connect to instead of the server's."""
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def cut(self) -> None:
        """Stop passing bytes on, in both directions; connections stay open, and new ones get no answer."""
        self._is_cut.set()

    def mend(self) -> None:
        """Pass bytes on again."""
        self._is_cut.clear()

    def lead_to(self, target: int) -> None:
        """Lead new connections to another port, as a name does that means another machine now."""
        self._target = target

    def _accept(self) -> None:
        while not self._closed.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while not self._closed.is_set():
                if self._is_cut.is_set():
                    self._closed.wait(_LOOK_S)
                    continue
                for key, _ in ready.select(_LOOK_S):
                    part = key.fileobj.recv(65536)  # type: ignore[union-attr]  # registered above
                    if not part:
                        return
                    key.data.sendall(part)
