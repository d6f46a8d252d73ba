"""What a refused request is answered with: problem details (RFC 9457) in Portuguese or English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from pydantic import ConfigDict, Field
from starlette.datastructures import Headers
from starlette.responses import Response

from api.schemas import Body, one_of
from core.wording import LANGUAGES, Message, message, say

__all__ = [
    "PROBLEM_TYPE",
    "Problem",
    "ProblemAnswer",
    "ProblemCode",
    "preferred_language",
    "problem_answer",
    "problem_body",
]

PROBLEM_TYPE: Final = "application/problem+json"
_TYPE_PREFIX: Final = "urn:crypto-forecasting:problem:"
_DEFAULT_LANGUAGE: Final = LANGUAGES[0]


class ProblemCode(StrEnum):
    """What went wrong, for programs; the texts are `refusal.title.CODE` and `refusal.CODE` of the catalogues."""

    MALFORMED_REQUEST = "malformed_request"
    UNKNOWN_HOST = "unknown_host"
    TOKEN_REQUIRED = "token_required"  # noqa: S105 - no secret  # nosec B105
    LOCAL_ONLY = "local_only"
    UNKNOWN_COIN = "unknown_coin"
    UNKNOWN_PATH = "unknown_path"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    INVALID_PARAMETER = "invalid_parameter"
    UNKNOWN_PARAMETER = "unknown_parameter"
    REPEATED_PARAMETER = "repeated_parameter"
    TOO_MANY_REQUESTS = "too_many_requests"
    TOO_MANY_LISTENERS = "too_many_listeners"
    INTERNAL_ERROR = "internal_error"
    NOT_READY = "not_ready"
    DAMAGED_DATA = "damaged_data"
    UNREADABLE_DATA = "unreadable_data"

    @property
    def status(self) -> int:
        """The HTTP status code of this problem."""
        return _STATUS[self]


_STATUS: Final[Mapping[ProblemCode, int]] = {
    ProblemCode.MALFORMED_REQUEST: 400,
    ProblemCode.UNKNOWN_HOST: 400,
    ProblemCode.TOKEN_REQUIRED: 401,
    ProblemCode.LOCAL_ONLY: 403,
    ProblemCode.UNKNOWN_COIN: 404,
    ProblemCode.UNKNOWN_PATH: 404,
    ProblemCode.METHOD_NOT_ALLOWED: 405,
    ProblemCode.BODY_TOO_LARGE: 413,
    ProblemCode.INVALID_PARAMETER: 422,
    ProblemCode.UNKNOWN_PARAMETER: 422,
    ProblemCode.REPEATED_PARAMETER: 422,
    ProblemCode.TOO_MANY_REQUESTS: 429,
    ProblemCode.TOO_MANY_LISTENERS: 503,
    ProblemCode.INTERNAL_ERROR: 500,
    ProblemCode.NOT_READY: 503,
    ProblemCode.DAMAGED_DATA: 503,
    ProblemCode.UNREADABLE_DATA: 503,
}


class ProblemAnswer(Body):
    """Por que não há resposta (RFC 9457)."""

    model_config = ConfigDict(title="Problema")

    type: str = Field(
        description="URN da espécie de problema, termina em `codigo`",
        examples=["urn:crypto-forecasting:problem:unknown_coin"],
        json_schema_extra={"format": "uri"},
    )
    title: str = Field(description="A espécie, em poucas palavras", examples=["Moeda desconhecida"])
    status: int = Field(description="O código HTTP da resposta", examples=[404])
    detail: str = Field(
        description="O que houve desta vez, no idioma que `Accept-Language` pede (pt ou en)",
        examples=["moeda desconhecida: 'bitconi'. Mais próximas: bitcoin"],
    )
    codigo: str = Field(
        description="A espécie, para programas", examples=["unknown_coin"], json_schema_extra=one_of(*ProblemCode)
    )
    parametros: list[str] = Field(description="Os parâmetros que a causaram", examples=[["moeda"]])
    sugestoes: list[str] = Field(
        description="O que talvez se quisesse: moedas, parâmetros ou endereços, o mais próximo primeiro",
        examples=[["bitcoin"]],
    )


class Problem(Exception):
    """A reason to refuse the request: raised inside a route, it becomes the answer."""

    def __init__(
        self,
        code: ProblemCode,
        *details: Message | str,
        parameters: Sequence[str] = (),
        suggestions: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the problem.

        Args:
            code: what went wrong.
            details: sentences for people; without any, that of the code.
            parameters: names of the parameters that caused it.
            suggestions: what may have been meant: coins, parameters or paths, the nearest first.
            headers: further headers of the answer.
        """
        super().__init__(code)
        self.code = code
        self.details = details or (message(f"refusal.{code}"),)
        self.parameters = tuple(parameters)
        self.suggestions = tuple(suggestions)
        self.headers = dict(headers or {})


def problem_body(problem: Problem, language: str = _DEFAULT_LANGUAGE) -> bytes:
    """The body of the answer in one of the languages."""
    answer = ProblemAnswer(
        type=f"{_TYPE_PREFIX}{problem.code}",
        title=say(message(f"refusal.title.{problem.code}"), language),
        status=problem.code.status,
        detail="; ".join(say(detail, language) for detail in problem.details),
        codigo=problem.code.value,
        parametros=list(problem.parameters),
        sugestoes=list(problem.suggestions),
    )
    return answer.model_dump_json().encode()


def problem_answer(problem: Problem, request_headers: Headers) -> Response:
    """The whole answer, in the language that the request prefers."""
    language = preferred_language(request_headers.get("accept-language", ""))
    headers = {"Cache-Control": "no-store", "Content-Language": language, "Vary": "Accept-Language", **problem.headers}
    return Response(problem_body(problem, language), problem.code.status, headers, PROBLEM_TYPE)


def preferred_language(accept_language: str) -> str:
    """The catalogue's language that an Accept-Language header likes best; Portuguese if it names none of them."""
    weights = {_DEFAULT_LANGUAGE: 0.0}
    for part in accept_language.split(","):
        tag, _, parameters = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in LANGUAGES:
            weights[language] = max(weights.get(language, 0.0), _weight(parameters))
    return max(weights, key=lambda language: weights[language])


def _weight(parameters: str) -> float:
    """The q value of a part of an Accept header: 1 without one, 0 if it is malformed."""
    name, _, value = parameters.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0
