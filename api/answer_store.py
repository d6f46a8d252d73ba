"""Answers kept as bytes, the least recently used ones dropped beyond a bound of memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from api.table_formats import ListFormat
from api.versions import Basis

__all__ = ["MAX_BYTES", "MAX_STORED_BYTES", "Answer", "AnswerKey", "AnswerStore", "RawHeader"]

MAX_BYTES: Final = 32 * 2**20
"""Of all kept answers together."""

MAX_STORED_BYTES: Final = 8 * 2**20
"""Of one answer, which the forecasts of 5,000 coins do not reach; a larger one is made again for each request."""

_ENTRY_BYTES: Final = 2_000
"""Keys, headers and objects of one answer, estimated from above."""

RawHeader = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """What makes two requests ask for the same bytes: target, accepted format and content coding."""

    path: str
    query: bytes
    form: ListFormat
    coding: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with status 200.

    Attributes:
        headers: all but Cache-Control, which depends on the time.
        tag: the ETag, empty for an answer that is never stored by clients.
        version: of its basis, read before its data.
    """

    headers: tuple[RawHeader, ...]
    body: bytes
    tag: bytes
    basis: Basis
    version: str


class AnswerStore:
    """Keeps answers by key, at most `max_bytes` of them. For the event loop's thread alone."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[AnswerKey, Answer] = OrderedDict()
        self.used_bytes = 0

    def get(self, key: AnswerKey) -> Answer | None:
        """The answer that was kept last under this key; its version may be old."""
        answer = self._answers.get(key)
        if answer is not None:
            self._answers.move_to_end(key)
        return answer

    def put(self, key: AnswerKey, answer: Answer) -> None:
        """Keep an answer in place of the one before, unless it is larger than `MAX_STORED_BYTES`."""
        self._drop(self._answers.pop(key, None), key)
        if len(answer.body) > MAX_STORED_BYTES:
            return
        self._answers[key] = answer
        self.used_bytes += _size(key, answer)
        while self.used_bytes > self._max_bytes:
            oldest, dropped = self._answers.popitem(last=False)
            self._drop(dropped, oldest)

    def _drop(self, answer: Answer | None, key: AnswerKey) -> None:
        if answer is not None:
            self.used_bytes -= _size(key, answer)


def _size(key: AnswerKey, answer: Answer) -> int:
    return len(answer.body) + len(key.path) + len(key.query) + _ENTRY_BYTES
