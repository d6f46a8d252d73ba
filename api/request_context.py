"""What a data route needs of its request: the readers, the workspace, and the headers of the answer."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request, Response

from core.reading.readers import Readers
from core.workspace import Workspace

__all__ = ["CSV_TYPE", "ContextDep", "RequestContext"]

CSV_TYPE: Final = "text/csv; charset=utf-8"


class RequestContext:
    """Readers, workspace and headers of one request for data."""

    def __init__(self, request: Request, response: Response) -> None:
        self.readers: Readers = request.app.state.readers
        self._request = request
        self._response = response

    @cached_property
    def workspace(self) -> Workspace:
        """The workspace that the readers read.

        Raises:
            NotReady: The source of the prices is not decided yet.
        """
        return self.readers.workspace()

    @property
    def source(self) -> str:
        """Where the prices come from: coingecko, demo or replay."""
        return self.workspace.source.value

    def set_cache_headers(self, version: str) -> None:
        """Set ETag, Cache-Control and X-Fonte; end the request early if the client has this version.

        Args:
            version: Version of the data in the answer; a new one makes a new ETag.

        Raises:
            HTTPException: 304, the client's copy is up to date.
        """
        tag = f'W/"{self._request.app.version}-{version}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Fonte": self.source}
        if _etag_matches(self._request.headers.get("if-none-match", ""), tag):
            raise HTTPException(304, headers=headers)
        self._response.headers.update(headers)

    def download(self, text: str, name: str) -> Response:
        """`text` as a CSV file that browsers save under `name`."""
        headers = {**self._response.headers, "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, media_type=CSV_TYPE, headers=headers)


async def _request_context(request: Request, response: Response) -> RequestContext:
    """Asynchronous, so that FastAPI needs no thread for it."""
    return RequestContext(request, response)


ContextDep = Annotated[RequestContext, Depends(_request_context)]


def _etag_matches(header: str, tag: str) -> bool:
    """Whether If-None-Match names the tag; the comparison is weak, as RFC 9110 wants it for GET."""
    known = {part.strip().removeprefix("W/") for part in header.split(",")}
    return header.strip() == "*" or tag.removeprefix("W/") in known
