"""Takes what the application answers: keeps what can be kept, passes on everything else as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from anyio import CapacityLimiter, to_thread
from starlette.types import Message, Send

from api.answer_request import AnswerRequest
from api.answer_store import Answer, RawHeader
from api.content_coding import IDENTITY, MIN_BYTES, Compressor, compressor
from api.entity_tag import entity_tag
from api.versions import UNDECIDED, Basis, Versions

__all__ = ["AnswerCapture", "Dependence", "heavy"]

_IN_LOOP_BYTES: Final = 8 * 1024
"""Parts up to this size are compressed at once, larger ones in a thread."""

_SET_HERE: Final = frozenset({b"content-length", b"etag", b"cache-control", b"vary", b"x-fonte"})
_VARY: Final = (b"vary", b"Accept, Accept-Encoding")
_TEXTS: Final = (b"text/", b"application/json")

_HEAVY_WORK: Final = CapacityLimiter(1)
_Result = TypeVar("_Result")


async def heavy(work: Callable[[], _Result]) -> _Result:
    """Run work on a large body in a thread, one piece at a time: other requests find a free processor meanwhile."""
    return await to_thread.run_sync(work, limiter=_HEAVY_WORK)


@dataclass(slots=True)
class Dependence:
    """What the answer to one request depends on, filled in by its route.

    Attributes:
        basis: None until the route says it; such an answer is passed on and not kept.
        tag: ETag of an answer that comes in parts; that of any other is made from its body.
        is_unneeded: set when the client has this answer already: no further part need be made.
    """

    basis: Basis | None = None
    tag: bytes | None = None
    is_unneeded: bool = False


class AnswerCapture:
    """The `send` of one run of the application.

    Attributes:
        made: done as soon as it is known whether other requests can share the answer; None if they cannot.
    """

    def __init__(
        self,
        request: AnswerRequest,
        versions: Versions,
        cache_control: Callable[[Basis, Versions], RawHeader],
        send: Send,
    ) -> None:
        self.dependence = Dependence()
        self.made: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._versions = versions
        self._cache_control = cache_control
        self._send = send
        self._headers: list[RawHeader] = []
        self._raw: list[bytes] = []
        self._sent: list[bytes] = []
        self._compressor: Compressor | None = None

    async def send(self, message: Message) -> None:
        """Take one message of the application."""
        if message["type"] == "http.response.start":
            await self._begin(message)
        elif not self.made.done():
            await self._keep(message.get("body", b""), message.get("more_body", False))
        elif not self.dependence.is_unneeded:
            await self._send(message)

    def give_up(self) -> None:
        """Let other requests make the answer themselves, unless it was made."""
        if not self.made.done():
            self.made.set_result(None)

    async def _begin(self, start: Message) -> None:
        basis, tag = self.dependence.basis, self.dependence.tag
        if basis is None or basis not in self._versions.tokens or start["status"] != 200:
            self.give_up()
            await self._send(start)
            return
        self._headers = self._answer_headers(start["headers"])
        if tag is None or (self._coding() != IDENTITY and not self._request.knows(tag)):
            return
        self.give_up()
        headers = [*self._headers, (b"etag", tag), self._cache_control(basis, self._versions)]
        self.dependence.is_unneeded = self._request.knows(tag)
        await self._send({**start, "status": 304 if self.dependence.is_unneeded else 200, "headers": headers})
        if self.dependence.is_unneeded:
            await self._send({"type": "http.response.body", "body": b""})

    async def _keep(self, part: bytes, more: bool) -> None:
        """Gather a body, compressed part by part; it is complete without `more`."""
        if self._compressor is None and (more or len(part) >= MIN_BYTES) and (coding := self._coding()) != IDENTITY:
            self._compressor = compressor(coding)
            self._headers.append((b"content-encoding", coding.encode()))
        if self.dependence.tag is None:
            self._raw.append(part)
        self._sent.append(await self._compressed(part, is_last=not more))
        if not more and self.dependence.basis is not None:
            basis = self.dependence.basis
            tag = b"" if basis is Basis.MOMENT else self.dependence.tag or entity_tag(self._raw)
            headers = (*self._headers, (b"etag", tag)) if tag else tuple(self._headers)
            self.made.set_result(Answer(tuple(headers), b"".join(self._sent), tag, basis, self._versions.tokens[basis]))

    async def _compressed(self, part: bytes, *, is_last: bool) -> bytes:
        made = self._compressor
        if made is None:
            return part

        def work() -> bytes:
            return made.compress(part) + (made.flush() if is_last else b"")

        return work() if len(part) <= _IN_LOOP_BYTES else await heavy(work)

    def _answer_headers(self, given: list[RawHeader]) -> list[RawHeader]:
        source = (self._versions.source or UNDECIDED).encode()
        return [*(header for header in given if header[0] not in _SET_HERE), _VARY, (b"x-fonte", source)]

    def _coding(self) -> str:
        """The coding that client and kind of content allow."""
        kind = next((value for name, value in self._headers if name == b"content-type"), b"")
        return self._request.key.coding if kind.startswith(_TEXTS) else IDENTITY
