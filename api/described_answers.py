"""How the OpenAPI document describes the answers that several routes give."""

from __future__ import annotations

from typing import Any, Final

from api.problems import ProblemAnswer

__all__ = ["ANSWERS", "COIN_ANSWERS", "LIST_ANSWERS", "TABLE_ANSWERS", "TOKEN_ANSWERS"]

_Answers = dict[int | str, dict[str, Any]]

ANSWERS: Final[_Answers] = {
    304: {"description": "Nada mudou desde a versão em `If-None-Match`"},
    503: {"model": ProblemAnswer, "description": "Ainda não há dados; tente após `Retry-After` segundos"},
}
TOKEN_ANSWERS: Final[_Answers] = {
    401: {"model": ProblemAnswer, "description": "Falta o cabeçalho `Authorization: Bearer …` com o token certo"}
}
COIN_ANSWERS: Final[_Answers] = {
    **ANSWERS,
    404: {"model": ProblemAnswer, "description": "Moeda desconhecida; `detail` diz as mais próximas"},
    422: {"model": ProblemAnswer, "description": "Um parâmetro não serve; `detail` diz qual e por quê"},
}
_ALL_FORMATS: Final[_Answers] = {
    200: {
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
        }
    },
}
LIST_ANSWERS: Final[_Answers] = {**ANSWERS, 422: COIN_ANSWERS[422], **_ALL_FORMATS}
TABLE_ANSWERS: Final[_Answers] = {**COIN_ANSWERS, **_ALL_FORMATS}
