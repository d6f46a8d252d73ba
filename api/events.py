"""The route /eventos: what is new, as server-sent events."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.described_answers import COIN_ANSWERS
from api.event_batch import Selection
from api.event_feed import EventFeed
from api.event_hub import EventHub, Listener, TooManyListeners
from api.event_schemas import EventsQueryDep, Gap, LastEventId, SuiteState
from api.forecast_schemas import Forecast
from api.problems import Problem, ProblemAnswer, ProblemCode
from api.table_schemas import LoggedForecastRow, PriceRow
from core.host_names import is_local
from core.rate_limit import network
from core.reading.readers import Readers
from core.reading.status import assess_suite
from core.settings import Settings

__all__ = ["EventStream", "event_hub", "events_router"]

_MAX_PER_CLIENT: Final = 20
"""Connections of each client on another machine; a browser tab needs one."""

_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_RETRY_AFTER: Final = {"Retry-After": "30"}

events_router = APIRouter(tags=["previsoes"])


class EventStream(StreamingResponse):
    """An answer that ends when the client goes or the server stops."""

    media_type = "text/event-stream"

    def __init__(self, hub: EventHub, listener: Listener, last_id: str | None) -> None:
        super().__init__(hub.stream(listener, last_id), headers=_HEADERS)
        self._hub, self._listener = hub, listener

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; afterwards the listener's place is free."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.release(self._listener)


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    **{status: COIN_ANSWERS[status] for status in (404, 422)},
    200: {
        "model": Forecast | PriceRow | LoggedForecastRow | SuiteState | Gap,
        "description": "Eventos, até que o cliente ou o servidor encerre. `data` de cada um é um destes objetos",
    },
    503: {"model": ProblemAnswer, "description": "Ainda não há dados, ou já há ouvintes demais; veja `Retry-After`"},
}


@events_router.get(
    "/eventos",
    operation_id="eventos",
    summary="O que há de novo, em fluxo",
    status_code=200,
    response_class=EventStream,
    responses=_ANSWERS,
)
async def get_events(request: Request, query: EventsQueryDep, last_event_id: LastEventId = None) -> EventStream:
    """Preços, previsões, acertos e estado assim que são gravados: *server-sent events*, para `EventSource`.

    | evento | `data` | quando |
    |---|---|---|
    | `preco` | como em `/historico` | um preço novo foi gravado |
    | `previsao` | como em `/prever` | uma previsão foi publicada |
    | `acerto` | como em `/previsoes` | soube-se o preço que uma previsão de uma hora registrada previa |
    | `status` | estado e códigos dos problemas | ao conectar e quando muda |
    | `lacuna` | o que falta e onde buscá-lo | algo que não pode ser reenviado |

    O `id` começa pelo número da publicação, que só cresce. Com `Last-Event-ID` a resposta continua depois dele, também
    quando API ou pipeline recomeçaram; sem ele começa pelo mais novo de cada moeda. A cada 15 s sem eventos vem um
    comentário. Uma conexão lenta demais é encerrada e pode continuar de onde parou.
    """
    readers: Readers = request.app.state.readers
    coins = await run_in_threadpool(_coin_ids, readers, query.names)
    hub: EventHub = request.app.state.events
    try:
        listener = hub.admit(Selection(coins, query.kinds), _counted_client(request))
    except TooManyListeners:
        raise Problem(ProblemCode.TOO_MANY_LISTENERS, headers=_RETRY_AFTER) from None
    return EventStream(hub, listener, last_event_id)


def event_hub(settings: Settings, readers: Readers) -> EventHub:
    """The hub of an application; it reads nothing until somebody listens."""

    def suite_state() -> SuiteState:
        verdict = assess_suite(settings, readers)
        return SuiteState(
            status=verdict.state.value,
            codigos_dos_problemas=[problem.code.removeprefix("problem.") for problem in verdict.problems],
            fonte=verdict.source.value if verdict.source else None,
            dados_reais=verdict.is_live,
        )

    return EventHub(EventFeed(readers, settings.interval), suite_state, settings.event_listeners, _MAX_PER_CLIENT)


def _coin_ids(readers: Readers, names: tuple[str, ...] | None) -> frozenset[str] | None:
    """The ids of the named coins.

    Raises:
        NotReady: the suite has not decided on a source yet, or knows no coin.
        UnknownCoin: there is no such coin.
    """
    readers.workspace()
    return None if names is None else frozenset(readers.resolve(name).id for name in names)


def _counted_client(request: Request) -> str | None:
    """The network of a client on another machine; this machine's clients are not counted one by one."""
    if request.client is None or is_local(request.client.host):
        return None
    return network(request.client.host)
