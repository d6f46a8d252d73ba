"""Turn errors into answers: one Portuguese sentence each, never a traceback."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.parameters import InvalidParameter
from core.errors import ConfigurationError, DamagedFile, NotReady, UnknownCoin, message_of
from core.wording import say

__all__ = ["add_error_answers"]

RETRY_AFTER_S: Final = 5
_REPEAT_AFTER_S: Final = 60.0
_REASONS: Final = {
    "int_parsing": "deve ser um número inteiro",
    "int_parsing_size": "é um número grande demais",
    "int_from_float": "deve ser um número inteiro",
    "float_parsing": "deve ser um número",
    "finite_number": "deve ser um número finito",
    "multiple_of": "deve ser múltiplo de {multiple_of}",
    "greater_than": "deve ser maior que {gt}",
    "greater_than_equal": "deve ser no mínimo {ge}",
    "less_than_equal": "deve ser no máximo {le}",
    "enum": "deve ser {expected}",
    "string_too_long": "deve ter no máximo {max_length} caracteres",
    "missing": "é obrigatório",
}
_STANDARD: Final = {
    404: "endereço não encontrado; os que existem estão em /docs",
    405: "método não permitido: esta API só responde a GET",
}

_log = logging.getLogger(__name__)


class _RepeatFilter(logging.Filter):
    """Lets the same message pass once a minute: while a file is damaged, every request reports it."""

    def __init__(self) -> None:
        super().__init__()
        self._logged_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this message was not logged in the last minute."""
        message, now = record.getMessage(), time.monotonic()
        self._logged_at = {text: at for text, at in self._logged_at.items() if now - at < _REPEAT_AFTER_S}
        return self._logged_at.setdefault(message, now) == now


_log.addFilter(_RepeatFilter())


def add_error_answers(app: FastAPI) -> None:
    """Register an answer for each kind of error."""
    app.add_exception_handler(UnknownCoin, _unknown_coin)
    app.add_exception_handler(NotReady, _not_ready)
    app.add_exception_handler(DamagedFile, _damaged)
    app.add_exception_handler(ConfigurationError, _not_ready)
    app.add_exception_handler(OSError, _unreadable)
    app.add_exception_handler(InvalidParameter, _invalid_parameter)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)


def _answer(status: int, detail: str, headers: Mapping[str, str] | None = None, **fields: Any) -> JSONResponse:
    return JSONResponse({"detail": detail, **fields}, status, {"Cache-Control": "no-store", **(headers or {})})


def _wait(detail: str) -> JSONResponse:
    return _answer(503, detail, {"Retry-After": str(RETRY_AFTER_S)})


def _words(error: Exception) -> str:
    return say(message_of(error))


def _unknown_coin(_: Request, error: Exception) -> Response:
    return _answer(404, _words(error))


def _not_ready(_: Request, error: Exception) -> Response:
    return _wait(_words(error))


def _damaged(_: Request, error: Exception) -> Response:
    _log.error("damaged: %s", error)
    return _wait(f"um arquivo de dados está danificado e será refeito: {_words(error)}")


def _unreadable(_: Request, error: Exception) -> Response:
    _log.error("cannot read: %s", error)
    return _wait("os dados não podem ser lidos agora; veja o log da API")


def _invalid_parameter(_: Request, error: Exception) -> Response:
    name = error.parameter if isinstance(error, InvalidParameter) else ""
    return _answer(422, f"parâmetro '{name}': {error}", parametros=[name])


def _invalid_request(_: Request, error: Exception) -> Response:
    details = error.errors() if isinstance(error, RequestValidationError) else []
    names = list(dict.fromkeys(str(detail["loc"][-1]) for detail in details))
    sentences = (f"parâmetro '{detail['loc'][-1]}': {_reason(detail)}" for detail in details)
    return _answer(422, "; ".join(sentences), parametros=names)


def _reason(detail: Mapping[str, Any]) -> str:
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"])
    expected = {name: _shown(value) for name, value in context.items()}
    return _REASONS.get(detail["type"], "não tem a forma esperada").format(**expected)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" or ", " ou ")


def _http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    return _answer(error.status_code, _STANDARD.get(error.status_code, error.detail), error.headers)


def _unexpected(_: Request, error: Exception) -> Response:
    _log.error("unexpected error", exc_info=error)
    return _answer(500, "erro interno; a causa está no log da API")
