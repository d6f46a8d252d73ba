"""Bodies of the events of /eventos that no other route has, and the parameters of that route."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from fastapi import Header, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from api.field_choice import among, list_pattern
from api.parameters import MAX_LIST_LENGTH
from api.schemas import Body, SourceName, Timestamp

__all__ = ["EventKind", "EventsQuery", "EventsQueryDep", "Gap", "GapReason", "LastEventId", "SuiteState"]


class EventKind(StrEnum):
    """What an event tells."""

    PRICE = "preco"
    FORECAST = "previsao"
    SCORE = "acerto"
    STATUS = "status"


class GapReason(StrEnum):
    """Why events in between cannot be sent."""

    TOO_OLD = "antigo_demais"
    OTHER_DATA = "outros_dados"
    AHEAD = "adiante"
    UNREADABLE = "id_ilegivel"


class Gap(Body):
    """Eventos que faltam, e onde buscá-los."""

    model_config = ConfigDict(title="Lacuna")

    tipo: EventKind = Field(description="O que falta")
    motivo: GapReason = Field(
        description="`antigo_demais`: já não se guarda; `outros_dados`: a fonte mudou; `adiante`: os dados voltaram a "
        "um estado anterior; `id_ilegivel`: `Last-Event-ID` não é daqui"
    )
    desde: Timestamp | None = Field(description="A partir de quando; nulo se não se sabe")
    buscar: str = Field(
        description="Endereço em que está o que falta, com `{moeda}` no lugar de cada moeda",
        examples=["/previsoes/{moeda}?inicio=2026-11-22T14:03:30.000Z"],
    )


class SuiteState(Body):
    """Estado do sistema, quando muda."""

    model_config = ConfigDict(title="Estado")

    status: Literal["ok", "degradado", "aguardando_dados"]
    codigos_dos_problemas: list[str] = Field(examples=[["collector_stopped"]])
    fonte: SourceName | None
    dados_reais: bool


class EventsQuery(BaseModel):
    """Which events are asked for."""

    moedas: Annotated[
        str | None,
        Field(
            description="Só destas moedas, ids ou símbolos com vírgulas entre eles; sem ele, de todas",
            examples=["btc,eth"],
            min_length=1,
            max_length=MAX_LIST_LENGTH,
        ),
    ] = None
    tipos: Annotated[
        str | None,
        Field(
            description=f"Só destes tipos, com vírgulas entre eles: {', '.join(EventKind)}",
            examples=["previsao"],
            max_length=100,
            json_schema_extra=list_pattern(EventKind),
        ),
        AfterValidator(lambda text: among(text, EventKind)),
    ] = None

    @property
    def kinds(self) -> frozenset[EventKind]:
        """The kinds asked for."""
        return (
            frozenset(EventKind) if self.tipos is None else frozenset(EventKind(kind) for kind in self.tipos.split(","))
        )

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the coins asked for; None for all."""
        return None if self.moedas is None else tuple(dict.fromkeys(self.moedas.split(",")))


EventsQueryDep = Annotated[EventsQuery, Query()]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="O `id` do último evento recebido: a resposta continua depois dele",
        max_length=100,
        examples=["1234.1795356984123.9f3c21"],
    ),
]
