"""FastAPI applications that do nothing: the yardsticks of the API's answers.

`empty` returns an empty object. `floor` returns bytes and headers that were recorded from the API: what is left is the
server and the framework.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Response

__all__ = ["RECORDED_VARIABLE", "empty", "floor"]

RECORDED_VARIABLE: Final = "BENCH_RECORDED_ANSWERS"
"""Names a JSON file: a list of status, headers and body (base64); the answer number n is served at /n."""

empty = FastAPI()


@empty.get("/")
async def nothing() -> dict[str, str]:
    """An empty object."""
    return {}


def floor() -> FastAPI:
    """An application with one asynchronous route for each recorded answer."""
    app = FastAPI()
    for number, answer in enumerate(json.loads(Path(os.environ[RECORDED_VARIABLE]).read_bytes())):
        _add(app, f"/{number}", answer)
    return app


def _add(app: FastAPI, path: str, answer: dict[str, Any]) -> None:
    status, headers, body = answer["status"], answer["headers"], b64decode(answer["body"])

    @app.get(path)
    async def recorded() -> Response:
        return Response(body, status, headers)
