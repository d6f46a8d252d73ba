"""Refuse query parameters that the OpenAPI document does not declare, and repeated ones, rather than ignore them."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel

from api.problems import Problem, ProblemCode
from core.wording import Message, message

__all__ = ["check_parameters", "only_declared_parameters"]

_MAX_SHOWN: Final = 60


async def only_declared_parameters(request: Request) -> None:
    """Dependency of every route: refuse the request if its query has another parameter, or one twice.

    Raises:
        Problem: the first kind of trouble, with all parameters that have it.
    """
    if request.scope["query_string"]:
        declared = _query_names(request.scope["route"].dependant)
        check_parameters([name for name, _ in request.query_params.multi_items()], declared)


def _query_names(dependant: Dependant) -> list[str]:
    """Names of the query parameters of a route, those of models included; costs less than the OpenAPI document."""
    names: list[str] = []
    for field in dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += [inner.alias or name for name, inner in kind.model_fields.items()]
        else:
            names.append(field.alias)
    return names + [name for inner in dependant.dependencies for name in _query_names(inner)]


def check_parameters(given: Sequence[str], declared: Collection[str]) -> None:
    """Refuse names that are not declared, or given more than once.

    Raises:
        Problem: as for `only_declared_parameters`.
    """
    unknown = [name for name in dict.fromkeys(given) if name not in declared]
    if unknown:
        near = {name: difflib.get_close_matches(name.lower(), declared, n=1) for name in unknown}
        raise Problem(
            ProblemCode.UNKNOWN_PARAMETER,
            *(_named(name, _unknown(near[name], declared)) for name in unknown),
            parameters=unknown,
            suggestions=list(dict.fromkeys(one for found in near.values() for one in found)),
        )
    repeated = [name for name, times in Counter(given).items() if times > 1]
    if repeated:
        sentences = (_named(name, message("parameter.repeated")) for name in repeated)
        raise Problem(ProblemCode.REPEATED_PARAMETER, *sentences, parameters=repeated)


def _named(name: str, reason: Message) -> Message:
    return message("parameter.named", name=name[:_MAX_SHOWN], reason=reason)


def _unknown(near: Sequence[str], declared: Collection[str]) -> Message:
    if near:
        return message("parameter.unknown", near=near[0])
    return message("parameter.unknown_among", known=", ".join(declared)) if declared else message("parameter.unwanted")
