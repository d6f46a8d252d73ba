"""What the framework leaves out of the OpenAPI document: refusals, headers, servers, common request headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

from api.problems import PROBLEM_TYPE
from api.schemas import SOURCES

__all__ = ["complete"]

_Schema = dict[str, Any]

_SERVERS: Final = [
    {"url": "/", "description": "Os endereços como estão neste documento"},
    {"url": "/v1", "description": "Os mesmos, com a versão à frente"},
]
_FRAMEWORK_SCHEMAS: Final = ("HTTPValidationError", "ValidationError")
_PROBLEM: Final = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}

_REFUSALS: Final[Mapping[int, str]] = {
    400: "O pedido está malformado, ou o nome em `Host` não é desta API",
    403: "A API só responde a esta máquina",
    413: "O pedido traz um corpo grande demais",
    422: "Um parâmetro não serve, não existe aqui ou vem duas vezes; `parametros` diz qual",
    429: "Pedidos demais; tente após `Retry-After` segundos",
    500: "Erro da API; a causa está no log dela",
}
_UNCOUNTED: Final = ("/saude",)
_PAGE: Final = "apos"
"""The parameter of operations whose answers come in pages."""


def _header(description: str, example: str | int, kind: str = "string", **schema: Any) -> _Schema:
    return {"description": description, "schema": {"type": kind, **schema}, "example": example}


_HEADERS: Final[Mapping[str, _Schema]] = {
    "X-Request-Id": _header("Id do pedido, também no log; o do cliente, se ele mandou um", "5f2c9a1e07b34d68"),
    "X-Fonte": _header("Origem dos preços", "demo", enum=[*SOURCES, "indefinida"]),
    "RateLimit": _header("Pedidos que restam e segundos até todos voltarem", '"default";r=118;t=1'),
    "RateLimit-Policy": _header("Pedidos por janela em segundos", '"default";q=120;w=60'),
    "ETag": _header("Versão do corpo, para `If-None-Match`", 'W/"9f86d081884c7d65"'),
    "Cache-Control": _header("Por quanto tempo a resposta vale", "max-age=12"),
    "Vary": _header("Cabeçalhos do pedido de que a resposta depende", "Accept, Accept-Encoding"),
    "Content-Disposition": _header(
        "Nome do arquivo, fora de JSON", 'attachment; filename="historico-bitcoin-demo.csv"'
    ),
    "Link": _header(
        "Da primeira página e da próxima (RFC 8288), em relação ao endereço do pedido",
        '<?limite=1000>; rel="first", <?limite=1000&apos=1795356192000>; rel="next"',
    ),
    "Content-Language": _header("Idioma das frases", "pt", enum=["pt", "en"]),
    "Retry-After": _header("Segundos até valer a pena repetir o pedido", 5, kind="integer", minimum=1),
    "WWW-Authenticate": _header("Como mandar o token", "Bearer"),
}
_ON_EVERY_ANSWER: Final = ("X-Request-Id", "X-Fonte", "RateLimit", "RateLimit-Policy")
_ON_DATA: Final = ("ETag", "Cache-Control", "Vary")
_ON_REFUSALS: Final = ("Cache-Control", "Content-Language", "Vary")
_BY_STATUS: Final[Mapping[int, tuple[str, ...]]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}

_KNOWN_TAG: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "`ETag` de uma resposta que o cliente já tem: enquanto nada muda, a resposta é 304, sem corpo",
    "schema": {"type": "string"},
    "example": 'W/"9f86d081884c7d65"',
}
_LANGUAGE: Final = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "description": "Idioma das frases de erro: `pt` (padrão) ou `en`",
    "schema": {"type": "string"},
    "example": "en",
}


def complete(document: _Schema) -> _Schema:
    """A copy of the framework's document that says all that a client can meet."""
    completed = deepcopy(document)
    completed["servers"] = _SERVERS
    for path, operation in _operations(completed):
        for status, description in _REFUSALS.items():
            if status != 429 or not path.startswith(_UNCOUNTED):
                operation["responses"].setdefault(str(status), {"description": description})
        for status, answer in operation["responses"].items():
            _complete_answer(answer, int(status), is_kept="304" in operation["responses"])
        if any(parameter["name"] == _PAGE for parameter in operation.get("parameters", ())):
            operation["responses"]["200"]["headers"]["Link"] = {"$ref": "#/components/headers/Link"}
        operation["responses"] = dict(sorted(operation["responses"].items()))
        _add_request_headers(operation)
    used = {name for _, operation in _operations(completed) for name in _header_names(operation)}
    components = completed["components"]
    components["headers"] = {name: header for name, header in _HEADERS.items() if name in used}
    components["schemas"] = {
        name: schema for name, schema in components["schemas"].items() if name not in _FRAMEWORK_SCHEMAS
    }
    return completed


def _operations(document: _Schema) -> Iterator[tuple[str, _Schema]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation


def _complete_answer(answer: _Schema, status: int, *, is_kept: bool) -> None:
    """Add headers, and to refusals their body.

    Args:
        answer: a response object, changed in place.
        status: its status code.
        is_kept: whether the operation answers with an ETag.
    """
    names = [*_ON_EVERY_ANSWER, *_BY_STATUS.get(status, ())]
    if status >= 400:
        answer["content"] = _PROBLEM
        names += _ON_REFUSALS
    elif is_kept:
        names += _ON_DATA
    if "text/csv" in answer.get("content", {}):
        names.append("Content-Disposition")
    answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _header_names(operation: _Schema) -> Iterator[str]:
    for answer in operation["responses"].values():
        yield from answer["headers"]


def _add_request_headers(operation: _Schema) -> None:
    parameters = operation.setdefault("parameters", [])
    if "304" in operation["responses"]:
        parameters.append(_KNOWN_TAG)
    parameters.append(_LANGUAGE)
