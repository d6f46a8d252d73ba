"""Parameters of the routes, validated before anything is read."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.field_choice import ALL_FIELDS, chosen_fields, field_names, list_pattern
from api.table_formats import ListFormat
from api.table_schemas import CandleRow, PriceRow
from core.reading.tables import Page
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, parse_iso

__all__ = [
    "DETAILS",
    "FIRST",
    "MAX_LIST_LENGTH",
    "CoinName",
    "HistoryQueryDep",
    "LevelQueryDep",
    "ListQueryDep",
    "LogQueryDep",
    "PortfolioQueryDep",
    "TableQuery",
    "TimeForm",
]

_MAX_ROWS: Final = 50_000
_MAX_MS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, the last that ISO 8601 and Python can name."""

MAX_LIST_LENGTH: Final = 5_000
"""Characters of a list of coins: percent-encoded they fit into the 16 KiB of a head for whose end the server waits."""

FIRST: Final = "horario"
"""The field by which lists are paged."""

DETAILS: Final = ("valor_de_mercado", "volume", "coletado_em")
"""Fields of a stored price that come only when asked for: they change in every row and are two thirds of it."""

_PRICE_FIELDS: Final = tuple(PriceRow.__annotations__)
_CANDLE_FIELDS: Final = tuple(CandleRow.__annotations__)
_HISTORY_FIELDS: Final = tuple(dict.fromkeys((*_PRICE_FIELDS, *_CANDLE_FIELDS)))
_MAX_LEVEL: Final = 1e15
_MAX_POSITIONS: Final = 20
_QUANTITY: Final = r"([0-9]{0,14}[1-9][0-9]{0,14}(\.[0-9]{1,15})?|[0-9]{1,15}\.[0-9]{0,14}[1-9][0-9]{0,14})"
_POSITION: Final = rf"[^:,]{{1,100}}:{_QUANTITY}"
_PORTFOLIO: Final = rf"^{_POSITION}(,{_POSITION}){{0,{_MAX_POSITIONS - 1}}}$"
_SPACE_FOR_PLUS: Final = re.compile(r"(?<=[T ])([\d:.,]{2,15}) (?=\d{2}:?\d{2}$)")


class Order(StrEnum):
    """Order of the rows of a table."""

    NEWEST_FIRST = "desc"
    OLDEST_FIRST = "asc"


class TimeForm(StrEnum):
    """How times are written."""

    ISO = "iso"
    UNIX = "unix"


class PriceInterval(StrEnum):
    """Length of the intervals in which prices are put together."""

    MINUTE = "1m"
    FIVE_MINUTES = "5m"
    QUARTER = "15m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def step_ms(self) -> int:
        """Length in milliseconds."""
        return int(self[:-1]) * {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}[self[-1]]


def _time_text(text: str) -> str:
    """Restore the plus sign of an offset that a form or an unescaped address turned into a space.

    Raises:
        PydanticCustomError: The text is neither a date nor a time.
    """
    restored = _SPACE_FOR_PLUS.sub(r"\1+", text.strip())
    try:
        parse_iso(restored)
    except ValueError:
        raise PydanticCustomError("parameter.not_a_time", "neither a date nor a time") from None
    return restored


def _portfolio_text(text: str) -> str:
    """Accept `coin:units,coin:units`, each with a positive quantity.

    Raises:
        PydanticCustomError: the text has another form.
    """
    if not re.fullmatch(_PORTFOLIO, text):
        raise PydanticCustomError("parameter.not_a_portfolio", "not a portfolio", {"most": _MAX_POSITIONS})
    return text


CoinName = Annotated[
    str,
    Path(description="Símbolo ou id da moeda, em maiúsculas ou minúsculas", examples=["btc"], max_length=100),
]
_Time = Annotated[
    Annotated[str, Field(max_length=50), AfterValidator(_time_text)] | None,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
                {"type": "string", "pattern": "^[0-9]{10}([0-9]{3})?$"},
            ],
            "examples": ["2026-11-22T14:00:00-03:00", "2026-11-22", "1795356192"],
        }
    ),
]


class ListQuery(BaseModel):
    """How a list is written."""

    formato: ListFormat | None = Field(None, description="Como a tabela vem; sem ele decide o cabeçalho `Accept`")
    tempo: TimeForm = Field(
        TimeForm.ISO, description="`iso`: ISO 8601 em UTC; `unix`: milissegundos desde 1970, como números inteiros"
    )


class TableQuery(BaseModel):
    """The rows of a table that are asked for, and their format."""

    inicio: _Time = Field(
        None,
        description="A partir de: data ou horário ISO 8601 (sem deslocamento vale UTC), ou segundos ou milissegundos "
        "desde 1970",
    )
    fim: _Time = Field(
        None,
        description="Até, inclusive: como `inicio`; uma data vale até o fim do dia",
    )
    limite: int = Field(1000, description="No máximo quantas linhas por página", ge=1, le=_MAX_ROWS)
    formato: ListFormat | None = Field(None, description="Como a tabela vem; sem ele decide o cabeçalho `Accept`")
    ordem: Order = Field(
        Order.NEWEST_FIRST, description="`desc`: as mais novas primeiro; `asc`: as mais antigas primeiro, para seguir"
    )
    apos: Annotated[
        str | None,
        Field(
            description="Só as linhas que vêm depois desta posição, na ordem pedida; vem do cabeçalho `Link`",
            examples=["1795356192000"],
            pattern=r"^[0-9]{1,15}$",
        ),
    ] = None
    tempo: TimeForm = Field(
        TimeForm.ISO, description="`iso`: ISO 8601 em UTC; `unix`: milissegundos desde 1970, como números inteiros"
    )

    def page(self) -> Page:
        """The page asked for; times in UTC milliseconds, both ends included.

        A span that ends before it begins holds nothing.
        """
        start_ms = 0 if self.inicio is None else parse_iso(self.inicio)
        end_ms = _MAX_MS if self.fim is None else parse_iso(self.fim, end_of_day=True)
        ascending = self.ordem is Order.OLDEST_FIRST
        if self.apos is not None:
            start_ms = max(start_ms, int(self.apos) + 1) if ascending else start_ms
            end_ms = end_ms if ascending else min(end_ms, int(self.apos) - 1)
        return Page(start_ms, end_ms, self.limite, ascending)


class LogQuery(TableQuery):
    """The logged forecasts that are asked for."""

    horizonte: int = Field(60, description="Minutos, de 5 em 5", ge=5, le=60, multiple_of=5)


class HistoryQuery(TableQuery):
    """The stored prices that are asked for, one by one or by interval."""

    intervalo: PriceInterval | None = Field(
        None, description="Junta os preços por intervalo (abertura, máximo, mínimo, fechamento); sem ele, cada preço"
    )
    campos: Annotated[
        str | None,
        Field(
            description=f"Só `horario` e estes campos, com vírgulas entre eles, ou `{ALL_FIELDS}`; sem ele, todos "
            f"menos {', '.join(f'`{name}`' for name in DETAILS)}",
            examples=["horario,preco,volume"],
            max_length=1000,
            json_schema_extra=list_pattern(_HISTORY_FIELDS, ALL_FIELDS),
        ),
        AfterValidator(lambda text: field_names(text, _HISTORY_FIELDS)),
    ] = None

    def fields(self) -> list[str]:
        """The fields asked for that the rows have, in the order in which answers have them; the time always."""
        known = _PRICE_FIELDS if self.intervalo is None else _CANDLE_FIELDS
        usual = [name for name in known if name not in DETAILS]
        return chosen_fields(self.campos and f"{FIRST},{self.campos}", known, usual)


class LevelQuery(BaseModel):
    """A level of the price and a horizon."""

    nivel: float = Field(
        description="Preço, na moeda de cotação", examples=[68000], gt=0, le=_MAX_LEVEL, allow_inf_nan=False
    )
    horizonte: int = Field(60, description="Minutos, de 5 em 5", ge=5, le=60, multiple_of=5)


class PortfolioQuery(BaseModel):
    """A portfolio: units of each coin."""

    carteira: Annotated[
        str,
        Field(
            description=f"De 1 a {_MAX_POSITIONS} pares `moeda:quantidade`, com vírgulas entre eles",
            examples=["btc:0.5,eth:3"],
            max_length=3000,
            json_schema_extra={"pattern": _PORTFOLIO},
        ),
        AfterValidator(_portfolio_text),
    ]

    def positions(self) -> list[tuple[str, float]]:
        """Names of the coins and units held, in the given order."""
        pairs = (position.rpartition(":") for position in self.carteira.split(","))
        return [(coin, float(units)) for coin, _, units in pairs]


ListQueryDep = Annotated[ListQuery, Query()]
LevelQueryDep = Annotated[LevelQuery, Query()]
PortfolioQueryDep = Annotated[PortfolioQuery, Query()]
LogQueryDep = Annotated[LogQuery, Query()]
HistoryQueryDep = Annotated[HistoryQuery, Query()]
