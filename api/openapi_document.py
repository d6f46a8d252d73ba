"""What the framework leaves out of the OpenAPI document."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from api.problems import PROBLEM_TYPE

__all__ = ["complete"]

_Schema = dict[str, Any]


def complete(document: _Schema) -> _Schema:
    """A complete copy of the document of the framework: refusals have the media type of problem details."""
    document = deepcopy(document)
    for item in document["paths"].values():
        for operation in item.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and "application/json" in answer.get("content", {}):
                    answer["content"] = {PROBLEM_TYPE: answer["content"]["application/json"]}
    return document
