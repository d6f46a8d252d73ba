"""What a data route needs of its request: the readers, the workspace, and the answer it hands over."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any, Final

import pyarrow as pa
from fastapi import Depends, Request, Response
from pydantic_core import to_json

from api.answer_path import dependence_of
from api.answer_request import read_request
from api.entity_tag import table_tag
from api.json_rows import PART_ROWS
from api.parts_response import HeavyResponse, PartsResponse
from api.table_formats import MEDIA_TYPES, PARTS, WRITERS, ListFormat, flat_table
from api.versions import Basis
from core.reading.readers import Readers
from core.times import DAY_MS, HOUR_MS, now_ms
from core.workspace import Workspace

__all__ = ["ContextDep", "RequestContext"]

_OPEN_MS: Final = 25 * HOUR_MS
"""The collector's back-fill reaches 24 hours back; an hour more for what waits in its queue."""

_ANSWERED_MS: Final = 2 * DAY_MS
"""For how long the answer about a closed range is given out: kept for a day here, then for one more by clients."""

_JSON_TYPE: Final = "application/json"


class RequestContext:
    """Readers and workspace of one request for data, and the ways to hand over its answer."""

    def __init__(self, request: Request) -> None:
        self.readers: Readers = request.app.state.readers
        self._dependence = dependence_of(request.scope)
        self._retention_ms = request.app.state.settings.retention_days * DAY_MS
        self._accepted = read_request(request.scope).key.form

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

    def depends_on(self, basis: Basis) -> None:
        """Say what the answer depends on, which makes it one that is kept and has an ETag (api/answer_path.py)."""
        self._dependence.basis = basis

    def depends_on_range(self, basis: Basis, name: str, coin_id: str, start_ms: int, end_ms: int) -> None:
        """The same for rows of a coin between two times in UTC milliseconds: once they are old, no price can join them.

        Until a later price has come, outcomes and ends of intervals among them may still become known, prices older
        than the retention are thinned, and a `name` other than the id may pass to another coin.
        """
        now, readers = now_ms(), self.readers
        is_closed = name == coin_id and end_ms < min(now - _OPEN_MS, readers.newest_ms(coin_id))
        if is_closed:
            first_ms = max(start_ms, readers.first_ms(coin_id))
            is_closed = first_ms > now - self._retention_ms + _ANSWERED_MS
        self.depends_on(Basis.CLOSED if is_closed else basis)

    def json(self, value: Any) -> Response:
        """`value`, of models, mappings, lists and plain values, as JSON; NaN becomes null."""
        return Response(to_json(value, inf_nan_mode="null"), media_type=_JSON_TYPE)

    def made(self, make: Callable[[], Response], most_rows: int) -> Response:
        """The answer that `make` makes: now, or in its turn if it may have many rows."""
        return make() if most_rows <= PART_ROWS else HeavyResponse(make)

    def table(self, table: pa.Table, wanted: ListFormat | None, name: str, *, whole: bool = False) -> Response:
        """A list in the format that `formato` or `Accept` asks for; a file called `name` unless it is JSON.

        A long list comes in parts, and is not kept for clients that take no compression; a `whole` one is kept for all.
        """
        form = wanted or self._accepted
        media_type = MEDIA_TYPES[form]
        if form is ListFormat.JSON:
            headers = {}
        else:
            table = flat_table(table, self.workspace)
            headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
        if table.num_rows > PART_ROWS and form in PARTS and not whole:
            self._dependence.tag = table_tag(table, media_type)
            return PartsResponse(self._dependence, PARTS[form](table), media_type, headers)
        return Response(WRITERS[form](table), media_type=media_type, headers=headers)


async def _request_context(request: Request) -> RequestContext:
    """Asynchronous, so that FastAPI needs no thread for it."""
    return RequestContext(request)


ContextDep = Annotated[RequestContext, Depends(_request_context)]
