"""Turn errors into problem details: one sentence in the language of the request, never a traceback."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api.problems import Problem, ProblemCode, problem_answer
from core.errors import ConfigurationError, DamagedFile, NotReady, UnknownCoin, message_of
from core.logs import RepeatFilter
from core.wording import Message, Value, message, sentences

__all__ = ["RETRY_AFTER", "add_error_answers"]

RETRY_AFTER: Final = {"Retry-After": "5"}
_ALLOWED: Final = {"Allow": "GET, HEAD"}
_COIN_PARAMETERS: Final = ("moeda", "moedas", "carteira")
_MAX_SHOWN_PATH: Final = 60

_log = logging.getLogger(__name__)
_log.addFilter(RepeatFilter())  # while a file is damaged, every request reports it

_Handler = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


def add_error_answers(app: FastAPI) -> None:
    """Register an answer for each kind of error."""
    makers: dict[type[Exception], Callable[[Request, Any], Problem]] = {
        Problem: lambda _, problem: problem,
        UnknownCoin: _unknown_coin,
        NotReady: _not_ready,
        ConfigurationError: _not_ready,
        DamagedFile: _damaged,
        OSError: _unreadable,
        RequestValidationError: _invalid_request,
        Exception: _unexpected,
    }
    for kind, make in makers.items():
        app.add_exception_handler(kind, _handler(make))
    app.add_exception_handler(HTTPException, _http_error)


def _handler(make: Callable[[Request, Any], Problem]) -> _Handler:
    async def handle(request: Request, error: Exception) -> Response:
        return problem_answer(make(request, error), request.headers)

    return handle


def _unknown_coin(request: Request, error: UnknownCoin) -> Problem:
    given = {*request.path_params, *request.query_params}
    parameters = [name for name in _COIN_PARAMETERS if name in given]
    return Problem(ProblemCode.UNKNOWN_COIN, error.message, parameters=parameters, suggestions=error.near)


def _not_ready(_: Request, error: Exception) -> Problem:
    return Problem(ProblemCode.NOT_READY, message_of(error), headers=RETRY_AFTER)


def _damaged(request: Request, error: DamagedFile) -> Problem:
    _log.error("damaged: %s", error, extra=_request_id(request))
    reason = message("refusal.damaged_data", reason=error.message)
    return Problem(ProblemCode.DAMAGED_DATA, reason, headers=RETRY_AFTER)


def _unreadable(request: Request, error: OSError) -> Problem:
    _log.error("cannot read: %s", error, extra=_request_id(request))
    return Problem(ProblemCode.UNREADABLE_DATA, headers=RETRY_AFTER)


def _unexpected(request: Request, error: Exception) -> Problem:
    _log.error("unexpected error: %r", error, exc_info=error, extra=_request_id(request))
    return Problem(ProblemCode.INTERNAL_ERROR)


def _invalid_request(_: Request, error: RequestValidationError) -> Problem:
    details = error.errors()
    names = dict.fromkeys(str(detail["loc"][-1]) for detail in details)
    sentences = (message("parameter.named", name=str(detail["loc"][-1]), reason=_reason(detail)) for detail in details)
    return Problem(ProblemCode.INVALID_PARAMETER, *sentences, parameters=tuple(names))


def _reason(detail: Mapping[str, Any]) -> Message:
    code = detail["type"] if detail["type"].startswith("parameter.") else f"parameter.{detail['type']}"
    if code not in sentences("pt"):
        return message("parameter.other")
    return Message(code, {name: _shown(value) for name, value in detail.get("ctx", {}).items()})


def _shown(value: Any) -> Value:
    """A limit without decimal zeros; alternatives with the "or" of the language."""
    if isinstance(value, float):
        return f"{value:g}"
    options, either, last = str(value).rpartition(" or ")
    return message("parameter.either", options=options, last=last) if either else str(value)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    return problem_answer(_framework_problem(request, error), request.headers)


def _framework_problem(request: Request, error: HTTPException) -> Problem:
    """The problem behind an error of the framework."""
    if error.status_code == ProblemCode.METHOD_NOT_ALLOWED.status:
        return Problem(ProblemCode.METHOD_NOT_ALLOWED, headers=_ALLOWED)
    if error.status_code == ProblemCode.UNKNOWN_PATH.status:
        return _unknown_path(request)
    return Problem(ProblemCode.MALFORMED_REQUEST)


def _unknown_path(request: Request) -> Problem:
    """Suggests the documented paths whose first parts are similar."""
    paths: dict[str, list[str]] = {}
    for path in request.app.openapi()["paths"]:
        paths.setdefault(path.split("/")[1], []).append(path)
    wanted = request.url.path.strip("/").partition("/")[0][:_MAX_SHOWN_PATH]
    near = [path for name in difflib.get_close_matches(wanted.lower(), list(paths), n=2) for path in paths[name]]
    if not near:
        return Problem(ProblemCode.UNKNOWN_PATH)
    return Problem(
        ProblemCode.UNKNOWN_PATH, message("refusal.unknown_path_but_near", near=", ".join(near)), suggestions=near
    )


def _request_id(request: Request) -> dict[str, str]:
    return {"request_id": getattr(request.state, "request_id", "")}
