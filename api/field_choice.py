"""The parameter `campos`: which fields the rows of a list have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from pydantic_core import PydanticCustomError

__all__ = ["ALL_FIELDS", "among", "chosen_fields", "field_names", "list_pattern"]

ALL_FIELDS: Final = "todos"


def among(text: str, known: Iterable[str]) -> str:
    """Accept names of `known` with commas between them.

    Raises:
        PydanticCustomError: another name is there.
    """
    names = list(known)
    if not set(text.split(",")) <= set(names):
        raise PydanticCustomError("parameter.not_among", "another name", {"known": ", ".join(names)})
    return text


def field_names(text: str, known: Sequence[str]) -> str:
    """Accept field names with commas between them, or `todos` alone.

    Raises:
        PydanticCustomError: another name is there.
    """
    return text if text == ALL_FIELDS else among(text, known)


def chosen_fields(text: str | None, known: Sequence[str], usual: Sequence[str]) -> list[str]:
    """The fields asked for, in the order of `known`: the usual ones without the parameter, every one with `todos`."""
    wanted = usual if text is None else text.split(",")
    return list(known) if ALL_FIELDS in wanted else [name for name in known if name in wanted]


def list_pattern(names: Iterable[str], alone: str | None = None) -> dict[str, Any]:
    """The form of such a list, or of the one word that stands alone, for the OpenAPI document."""
    one = "|".join(name.replace(".", r"\.") for name in names)
    word = "" if alone is None else f"{alone}|"
    return {"pattern": f"^({word}({one})(,({one}))*)$"}
