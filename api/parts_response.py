"""Long answers, made in threads of their own, one at a time: whole ones, and bodies in parts as clients take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.answer_capture import Dependence, heavy

__all__ = ["HeavyResponse", "PartsResponse"]


class HeavyResponse(Response):
    """An answer that takes long to make, and waits for its turn without a thread that others need."""

    def __init__(self, make: Callable[[], Response]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers()
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the answer and send it."""
        answer = await heavy(self._make)
        await answer(scope, receive, send)


class PartsResponse(Response):
    """Makes part after part; none once the client turns out to have the answer already.

    The tag of `dependence` must be set, because headers leave before the body is complete.
    """

    def __init__(
        self,
        dependence: Dependence,
        parts: Sequence[Callable[[], bytes]],
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers(headers)
        self._dependence = dependence
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send headers and parts."""
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for part in self._parts:
            if self._dependence.is_unneeded:
                return
            await send({"type": "http.response.body", "body": await heavy(part), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
