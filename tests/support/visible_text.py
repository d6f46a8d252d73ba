"""Everything a visitor reads on a page of the dashboard: sentences, labels, help texts, tables and charts."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from streamlit.testing.v1 import AppTest

__all__ = ["visible_texts"]

_READ: Final = frozenset(
    {
        "alt", "body", "caption", "content", "delta", "delta_description", "help", "label", "options", "placeholder",
        "text", "value",
    }
)  # fmt: skip
"""Fields of Streamlit's messages that hold what a visitor reads."""

_READ_JSON: Final = frozenset({"alt", "caption", "name", "regime_text", "text", "title"})
"""The same in the data of components, beside everything under `texts`."""


def visible_texts(page: AppTest, *, tables: bool = True, without_column: str = "") -> list[str]:
    """The texts of a page, those of its tables too if asked for, without the backslashes of Markdown."""
    found = [text for element in page.main for text in _of(element, tables, without_column)]
    return [text.replace("\\", "") for text in found]


def _of(element: Any, tables: bool, without_column: str) -> Iterator[str]:
    if hasattr(element, "children"):
        if getattr(element, "proto", None) is not None:
            yield from _of_proto(element.proto)
        for child in element.children.values():
            yield from _of(child, tables, without_column)
        return
    if element.type == "bidi_component":
        proto = element.proto
        yield from _of_json(json.loads(zlib.decompress(proto.bytes) if proto.bytes else proto.json or "{}"))
    elif element.type in ("arrow_data_frame", "dataframe"):
        if not tables:
            return
        frame = element.value.drop(columns=without_column, errors="ignore")
        yield from map(str, frame.columns)
        yield from (str(cell) for column in frame for cell in frame[column] if isinstance(cell, str))
    else:
        yield from _of_proto(element.proto)


def _of_proto(proto: Any) -> Iterator[str]:
    for field, value in proto.ListFields():
        repeated = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else [value]
        for item in repeated:
            if hasattr(item, "ListFields"):
                yield from _of_proto(item)
            elif isinstance(item, str) and field.name in _READ:
                yield item


def _of_json(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _of_json(item, "text" if key == "texts" else name)
    elif isinstance(value, list):
        for item in value:
            yield from _of_json(item, key)
    elif isinstance(value, str) and key in _READ_JSON:
        yield value
