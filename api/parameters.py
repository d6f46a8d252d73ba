"""What a caller may ask for, checked before anything is read; refusals name the parameter, in Portuguese."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final

from fastapi import Path
from pydantic import AfterValidator, BaseModel, Field

from core.times import parse_moment

__all__ = ["CoinName", "InvalidParameter", "OutputFormat", "TableQuery"]

_MAX_ROWS: Final = 50_000
_MAX_MS: Final = 253_402_300_799_999
_SPACE_FOR_PLUS: Final = re.compile(r"(?<=[T ])([\d:.,]{2,15}) (?=\d{2}:?\d{2}$)")
_NOT_A_MOMENT: Final = "deve ser uma data (2026-11-22) ou um horário ISO 8601 (2026-11-22T14:00:00-03:00)"


class InvalidParameter(Exception):
    """A parameter that is well-formed by itself and wrong beside another."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(reason)
        self.parameter = parameter


class OutputFormat(StrEnum):
    """How a table comes."""

    JSON = "json"
    CSV = "csv"


def _moment(text: str) -> str:
    """The text with a plus where a form or an unescaped address turned it into a space.

    Raises:
        ValueError: it is neither a date nor a moment.
    """
    mended = _SPACE_FOR_PLUS.sub(r"\1+", text.strip())
    try:
        parse_moment(mended)
    except ValueError:
        raise ValueError(_NOT_A_MOMENT) from None
    return mended


CoinName = Annotated[
    str,
    Path(description="Símbolo ou id da moeda, em maiúsculas ou minúsculas", examples=["btc"], max_length=100),
]
_Moment = Annotated[str, Field(max_length=50), AfterValidator(_moment)]


class TableQuery(BaseModel):
    """Which rows of a table, and how."""

    inicio: _Moment | None = Field(
        None,
        description="A partir de: data ou horário ISO 8601; sem deslocamento vale UTC",
        examples=["2026-11-22"],
    )
    fim: _Moment | None = Field(
        None,
        description="Até, inclusive: como `inicio`; uma data vale até o fim do dia",
        examples=["2026-11-22T14:00:00-03:00"],
    )
    limite: int = Field(1000, description="No máximo quantas linhas, das mais novas", ge=1, le=_MAX_ROWS)
    formato: OutputFormat = Field(OutputFormat.JSON, description="`json`, ou `csv` para baixar uma tabela")

    def span(self) -> tuple[int, int]:
        """The interval asked for in UTC milliseconds, both ends included; without an end it is open there.

        Raises:
            InvalidParameter: it ends before it begins.
        """
        start_ms = 0 if self.inicio is None else parse_moment(self.inicio)
        end_ms = _MAX_MS if self.fim is None else parse_moment(self.fim, end_of_day=True)
        if start_ms > end_ms:
            raise InvalidParameter("inicio", "deve ser anterior a fim")
        return start_ms, end_ms
