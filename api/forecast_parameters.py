"""Parameters of the routes of the newest forecasts."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from api.field_choice import ALL_FIELDS, among, chosen_fields, field_names, list_pattern
from api.forecast_schemas import Forecast
from api.parameters import MAX_LIST_LENGTH
from api.table_formats import ListFormat
from core.forecast_schema import QUANTILES

__all__ = ["ForecastQuery", "ForecastQueryDep", "ForecastsQueryDep"]

_MAX_COINS: Final = 300
_LEVELS: Final = tuple(f"{level:g}" for level in QUANTILES)
_FIELDS: Final = tuple(Forecast.model_fields)
_USUAL_FIELDS: Final = tuple(name for name in _FIELDS if name != "trajetoria")
"""The path is half of a forecast's bytes; any of its steps comes with `horizonte`."""


def _coin_names(text: str) -> str:
    if not all(name.strip() for name in text.split(",")) or text.count(",") >= _MAX_COINS:
        raise PydanticCustomError("parameter.not_coins", "not a list of coins", {"most": _MAX_COINS})
    return text


class ForecastQuery(BaseModel):
    """Which horizon and quantiles are asked for."""

    horizonte: int = Field(60, description="Minutos, de 5 em 5", ge=5, le=60, multiple_of=5)
    quantis: Annotated[
        str | None,
        Field(
            description=f"Quantis a mais, com vírgulas entre eles: {', '.join(_LEVELS)}",
            examples=["0.1,0.5,0.9"],
            max_length=100,
            json_schema_extra=list_pattern(_LEVELS),
        ),
        AfterValidator(lambda text: among(text, _LEVELS)),
    ] = None

    def levels(self) -> tuple[float, ...] | None:
        """The quantiles asked for, in increasing order, each once; None without the parameter."""
        return None if self.quantis is None else tuple(sorted({float(level) for level in self.quantis.split(",")}))


class ForecastsQuery(ForecastQuery):
    """Which coins and fields are asked for, and in which format."""

    moedas: Annotated[
        str | None,
        Field(
            description=f"Só estas moedas, ids ou símbolos com vírgulas entre eles, até {_MAX_COINS}; sem ele, todas",
            examples=["btc,eth"],
            max_length=MAX_LIST_LENGTH,
            json_schema_extra={"pattern": rf"^[^,]*[^,\s][^,]*(,[^,]*[^,\s][^,]*){{0,{_MAX_COINS - 1}}}$"},
        ),
        AfterValidator(_coin_names),
    ] = None
    campos: Annotated[
        str | None,
        Field(
            description=f"Só estes campos, com vírgulas entre eles, ou `{ALL_FIELDS}`; sem ele, todos menos "
            "`trajetoria`",
            examples=["id,previsao,intervalos"],
            max_length=1000,
            json_schema_extra=list_pattern(_FIELDS, ALL_FIELDS),
        ),
        AfterValidator(lambda text: field_names(text, _FIELDS)),
    ] = None
    formato: ListFormat | None = Field(None, description="Como a tabela vem; sem ele decide o cabeçalho `Accept`")

    def names(self) -> list[str] | None:
        """The coins asked for; None for all."""
        return None if self.moedas is None else self.moedas.split(",")

    def fields(self) -> list[str]:
        """The fields asked for, in the order in which answers have them."""
        return chosen_fields(self.campos, _FIELDS, _USUAL_FIELDS)


ForecastQueryDep = Annotated[ForecastQuery, Query()]
ForecastsQueryDep = Annotated[ForecastsQuery, Query()]
