"""The files that the browser loads from this server: scripts, styles and plotly.js."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

__all__ = ["ASSETS", "FOLDER", "asset_route", "asset_url", "loader"]

FOLDER: Final = Path(__file__).resolve().parent.parent / "assets"
ASSETS: Final = "assets"
_A_YEAR_S: Final = 31_536_000


class _Unchanging(StaticFiles):
    """Files that the browser may keep: their addresses change with their contents."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = f"public, immutable, max-age={_A_YEAR_S}"
        return response


@lru_cache(maxsize=1)
def version() -> str:
    """A token that changes with the content of the files; it is part of their address."""
    contents = b"".join(path.read_bytes() for path in sorted(FOLDER.iterdir()))
    return hashlib.sha256(contents).hexdigest()[:12]


def asset_route() -> Mount:
    """The route under which the files are served."""
    return Mount(f"/{ASSETS}/{version()}", _Unchanging(directory=FOLDER), name=ASSETS)


def asset_url(name: str) -> str:
    """Address of a file, relative to the page."""
    return f"{ASSETS}/{version()}/{name}"


def loader(module: str, call: str) -> str:
    """JavaScript of a Streamlit component that runs `call` with the exports of `module` as `it`.

    Streamlit sends this text with every message of the component: so it is short, and the browser keeps the module.
    """
    return (
        f'const module = import(new URL("{asset_url(module)}", document.baseURI));\n'
        f"export default async (component) => {{ const it = await module; return {call}; }};\n"
    )
