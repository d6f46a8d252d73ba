"""What the headers of a request say about the answer it wants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from api.answer_store import AnswerKey
from api.content_coding import choose_coding
from api.table_formats import accepted_format

__all__ = ["AnswerRequest", "read_request"]

_MAX_HEADER_BYTES: Final = 256
"""Of a header that selects an answer; a longer one counts as absent, so that what is remembered of each is small."""


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """The answer asked for, the answers that the client has, and the token it shows."""

    key: AnswerKey
    known_tags: bytes
    authorization: bytes

    def knows(self, tag: bytes) -> bool:
        """Whether If-None-Match names the tag; the comparison is weak, as RFC 9110 wants it for GET."""
        known = self.known_tags
        if not known or not tag:
            return False
        if known in (tag, b"*"):
            return True
        strong = tag.removeprefix(b"W/")
        return any(part.strip().removeprefix(b"W/") == strong for part in known.split(b","))


def read_request(scope: Scope) -> AnswerRequest:
    """Read target and headers of a GET request; several lines of a list are one list (RFC 9110, 5.3)."""
    accept = accepted_codings = known_tags = authorization = b""
    for name, value in scope["headers"]:
        if name == b"accept":
            accept += b"," + value
        elif name == b"accept-encoding":
            accepted_codings += b"," + value
        elif name == b"if-none-match":
            known_tags = value
        elif name == b"authorization":
            authorization = value
    coding = choose_coding(_bounded(accepted_codings))
    form = accepted_format(_bounded(accept).decode("latin-1"))
    key = AnswerKey(scope["path"], scope["query_string"], form, coding)
    return AnswerRequest(key, known_tags.strip(), authorization)


def _bounded(header: bytes) -> bytes:
    return header if len(header) <= _MAX_HEADER_BYTES else b""
