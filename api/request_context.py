"""One request for data: which readers answer it, and how the answer is labelled and cached."""

from __future__ import annotations

from typing import Final

from fastapi import HTTPException, Request, Response

from core.reading.readers import Readers
from core.workspace import Workspace

__all__ = ["CSV_TYPE", "RequestContext"]

CSV_TYPE: Final = "text/csv; charset=utf-8"


class RequestContext:
    """What a data route needs to know of its request.

    Raises:
        NotReady: the source of the prices is not decided yet.
    """

    def __init__(self, request: Request, response: Response) -> None:
        self.readers: Readers = request.app.state.readers
        self.workspace: Workspace = self.readers.workspace()
        self._request = request
        self._response = response

    @property
    def source(self) -> str:
        """Where the prices come from: coingecko, demo or replay."""
        return self.workspace.source.value

    def set_cache_headers(self, version: str) -> None:
        """Say where the data come from and which version they are; without a body where the caller has that one.

        Raises:
            HTTPException: 304, the caller's copy is still good.
        """
        tag = f'W/"{self._request.app.version}-{version}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "X-Fonte": self.source}
        if etag_matches(self._request.headers.get("if-none-match", ""), tag):
            raise HTTPException(304, headers=headers)
        self._response.headers.update(headers)

    def download(self, text: str, name: str) -> Response:
        """`text` as a CSV file that browsers save under `name`."""
        headers = {**self._response.headers, "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, media_type=CSV_TYPE, headers=headers)


def etag_matches(header: str, tag: str) -> bool:
    """Whether If-None-Match names the tag; compared weakly, as RFC 9110 wants for GET."""
    known = {part.strip().removeprefix("W/") for part in header.split(",")}
    return header.strip() == "*" or tag.removeprefix("W/") in known
