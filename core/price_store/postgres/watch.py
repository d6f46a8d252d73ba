"""Knows the newest commit of a schema: at most one question per 50 ms for all askers, and never a long wait."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from core.errors import ConfigurationError, ForecastingError, NotReady, OutOfReach
from core.price_store.postgres.reader import PostgresReader
from core.store_address import ServerAddress
from core.wording import message

__all__ = ["CommitWatch"]

_FRESH_S: Final = 0.05
_OLDEST_S: Final = 2.0
_FIRST_PATIENCE_S: Final = 5.0
_PATIENCE_S: Final = 0.25
_RETRY_S: Final = 1.0
_SERVER_PATIENCE_S: Final = 2.0

_log = logging.getLogger(__name__)


class CommitWatch:
    """Asks the server in a thread of its own while anybody wants to know; `on_connected` runs after each connection.

    While the server does not answer, everybody is told so at once, and the thread tries again once a second.
    """

    def __init__(self, address: ServerAddress, on_connected: Callable[[], None]) -> None:
        self._address = address
        self._on_connected = on_connected
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked = self._closed = False
        self._connections = 0
        self._known: tuple[int, int] | None = None
        self._known_at = self._looked_at = float("-inf")
        self._failure: ForecastingError | None = None

    def version(self) -> tuple[int, int]:
        """The number of this process's connection, and that of the newest commit.

        Raises:
            NotReady: there is no schema yet; OutOfReach: the server does not answer.
            ConfigurationError: the schema cannot be read by this release or this role.
        """
        with self._changed:
            now = time.monotonic()
            if now - self._looked_at > _FRESH_S:
                self._ask()
                if self._failure is None:
                    patience_s = _FIRST_PATIENCE_S if self._known is None else _PATIENCE_S
                    self._changed.wait_for(lambda: self._looked_at >= now or self._closed, patience_s)
            if self._failure is not None:
                raise type(self._failure)(self._failure.message)
            if self._known is None or time.monotonic() - self._known_at > _OLDEST_S:
                raise OutOfReach(message("prices.out_of_reach"))
            return self._known

    def close(self) -> None:
        """End the thread and its connection; a later question starts them again."""
        with self._changed:
            self._closed, thread = True, self._thread
            self._thread, self._known, self._failure = None, None, None
            self._looked_at = float("-inf")
            self._changed.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_SERVER_PATIENCE_S + 1.0)

    def _ask(self) -> None:
        self._asked = True
        if self._thread is None or not self._thread.is_alive():
            self._closed = False
            self._thread = threading.Thread(target=self._watch, name="commit-watch", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _watch(self) -> None:
        reader: PostgresReader | None = None
        try:
            while self._is_asked():
                reader = self._look(reader)
        finally:
            if reader is not None:
                reader.close()

    def _is_asked(self) -> bool:
        """Wait for a question; False when this thread is to end."""
        me = threading.current_thread()
        with self._changed:
            self._changed.wait_for(lambda: self._asked or self._thread is not me)
            if self._thread is not me:
                return False
            self._asked = False
            return True

    def _look(self, reader: PostgresReader | None) -> PostgresReader | None:
        """Ask once; return the connection that did, or None after a failure and a pause."""
        began = time.monotonic()
        try:
            if reader is None:
                reader = PostgresReader.open(self._address)
                reader.connection.patience_s = _SERVER_PATIENCE_S
                self._on_connected()
                self._connections += 1
            number = reader.data_version()
        except Exception as error:
            if reader is not None:
                reader.close()
            self._tell(began, None, self._failure_of(error))
            time.sleep(_RETRY_S)
            return None
        self._tell(began, (self._connections, number), None)
        return reader

    def _failure_of(self, error: Exception) -> ForecastingError:
        """What askers are told; an error that nobody expected is logged and counts as a server out of reach."""
        if isinstance(error, NotReady | ConfigurationError):
            return error
        if not isinstance(self._failure, OutOfReach):
            _log.error("price database: unexpected error", exc_info=error)
        return OutOfReach(message("prices.out_of_reach"))

    def _tell(self, began: float, known: tuple[int, int] | None, failure: ForecastingError | None) -> None:
        with self._changed:
            if type(failure) is not type(self._failure):
                _log.log(
                    logging.WARNING if isinstance(failure, OutOfReach) else logging.DEBUG,
                    "price database: %s",
                    failure or "answers",
                )
            self._looked_at, self._failure = began, failure
            if known is not None:
                self._known, self._known_at = known, began
            self._changed.notify_all()
