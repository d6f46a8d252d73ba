"""Parameters of the routes of the newest forecasts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import Query
from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from api.forecast_schemas import Forecast
from api.parameters import MAX_LIST_LENGTH
from api.table_formats import ListFormat
from core.forecast_schema import QUANTILES

__all__ = ["ForecastQuery", "ForecastQueryDep", "ForecastsQueryDep"]

_MAX_COINS: Final = 300
_LEVELS: Final = tuple(f"{level:g}" for level in QUANTILES)
_FIELDS: Final = tuple(Forecast.model_fields)


def _among(text: str, known: Iterable[str]) -> str:
    """Accept names of `known` with commas between them.

    Raises:
        PydanticCustomError: another name is there.
    """
    names = list(known)
    if not set(text.split(",")) <= set(names):
        raise PydanticCustomError("parameter.not_among", "another name", {"known": ", ".join(names)})
    return text


def _coin_names(text: str) -> str:
    if not all(name.strip() for name in text.split(",")) or text.count(",") >= _MAX_COINS:
        raise PydanticCustomError("parameter.not_coins", "not a list of coins", {"most": _MAX_COINS})
    return text


def _pattern(names: Iterable[str]) -> dict[str, str]:
    """The form of such a list for the OpenAPI document."""
    one = "|".join(name.replace(".", r"\.") for name in names)
    return {"pattern": f"^({one})(,({one}))*$"}


class ForecastQuery(BaseModel):
    """Which horizon and quantiles are asked for."""

    horizonte: int = Field(60, description="Minutos, de 5 em 5", ge=5, le=60, multiple_of=5)
    quantis: Annotated[
        str | None,
        Field(
            description=f"Quantis a mais, com vírgulas entre eles: {', '.join(_LEVELS)}",
            examples=["0.1,0.5,0.9"],
            max_length=100,
            json_schema_extra=_pattern(_LEVELS),
        ),
        AfterValidator(lambda text: _among(text, _LEVELS)),
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
            description="Só estes campos, com vírgulas entre eles; sem ele, todos",
            examples=["id,previsao,intervalos"],
            max_length=1000,
            json_schema_extra=_pattern(_FIELDS),
        ),
        AfterValidator(lambda text: _among(text, _FIELDS)),
    ] = None
    formato: ListFormat | None = Field(None, description="Como a tabela vem; sem ele decide o cabeçalho `Accept`")

    def names(self) -> list[str] | None:
        """The coins asked for; None for all."""
        return None if self.moedas is None else self.moedas.split(",")

    def fields(self) -> list[str]:
        """The fields asked for, in the order in which answers have them."""
        wanted = _FIELDS if self.campos is None else self.campos.split(",")
        return [name for name in _FIELDS if name in wanted]


ForecastQueryDep = Annotated[ForecastQuery, Query()]
ForecastsQueryDep = Annotated[ForecastsQuery, Query()]
