"""A file in memory that is sent compressed, with an entity tag; each coding is made once."""

from __future__ import annotations

import zlib
from typing import Final

import pyarrow as pa
from anyio import to_thread
from starlette.responses import Response
from starlette.types import Scope

from api.answer_request import read_request
from api.content_coding import IDENTITY, MIN_BYTES
from api.entity_tag import entity_tag

__all__ = ["KeptFile"]

_GZIP_LEVEL: Final = 9
_GZIP_FORMAT: Final = 31
_ZSTD_LEVEL: Final = 19


class KeptFile:
    """Answers requests for one file; for the event loop's thread alone."""

    def __init__(self, body: bytes, media_type: str, cache_control: str, vary: str = "Accept-Encoding") -> None:
        self._media_type = media_type
        self._tag = entity_tag([body])
        self._headers = {"Cache-Control": cache_control, "Vary": vary, "ETag": self._tag.decode()}
        self._bodies = {IDENTITY: body}

    async def answer(self, scope: Scope) -> Response:
        """The file in the coding that the request prefers; 304 if its client has it."""
        request = read_request(scope)
        if request.knows(self._tag):
            return Response(status_code=304, headers=self._headers)
        coding = request.key.coding if len(self._bodies[IDENTITY]) >= MIN_BYTES else IDENTITY
        if coding not in self._bodies:
            self._bodies[coding] = await to_thread.run_sync(_smallest, self._bodies[IDENTITY], coding)
        headers = self._headers if coding == IDENTITY else {**self._headers, "Content-Encoding": coding}
        return Response(self._bodies[coding], headers=headers, media_type=self._media_type)


def _smallest(body: bytes, coding: str) -> bytes:
    """Compress as far as possible: it is done once for all readers."""
    if coding == "zstd":
        made = pa.Codec(coding, _ZSTD_LEVEL).compress(body, asbytes=True)
    else:
        packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_FORMAT)
        made = packer.compress(body) + packer.flush()
    return bytes(made)
