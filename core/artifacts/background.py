"""Repeats an action beside the work of a process, and keeps what went wrong the last time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final, Self

from core.errors import message_of
from core.wording import Message

__all__ = ["Background"]

_PATIENCE_S: Final = 3.0

_log = logging.getLogger(__name__)


class Background:
    """Runs an action every so often in a thread of its own, until it is closed; a context manager.

    After a failure it waits for `retry_s`, so that a store in trouble is asked less often.

    Attributes:
        problem: why the action failed when it last ran; None if it did not.
    """

    def __init__(self, action: Callable[[], object], interval_s: float, retry_s: float | None = None) -> None:
        self.problem: Message | str | None = None
        self._action = action
        self._interval_s = interval_s
        self._retry_s = interval_s if retry_s is None else retry_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="artifacts", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the thread after the present run; safe to call twice.

        A run that waits for a store longer than `_PATIENCE_S` is left to end by itself, or with the process.
        """
        self._stop.set()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._action()
            except Exception as error:  # the thread goes on whatever happens; `problem` tells
                if self.problem is None:
                    _log.warning("artifacts: %s; trying every %g s", error, self._retry_s)
                self.problem = message_of(error)
            else:
                self.problem = None
            self._stop.wait(self._interval_s if self.problem is None else self._retry_s)
