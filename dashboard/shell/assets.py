"""The files that the browser loads from this server: the dashboard's own and those shared with the API."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from core.web_files import A_YEAR_S, SHARED, contents_token

__all__ = ["ASSETS", "asset_route", "asset_url", "loader"]

ASSETS: Final = "assets"
_OWN: Final = Path(__file__).resolve().parent.parent / "assets"


class _Unchanging(StaticFiles):
    """Files that the browser may keep: their addresses change with their contents."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = f"public, immutable, max-age={A_YEAR_S}"
        return response


@lru_cache(maxsize=1)
def version() -> str:
    """A token that changes with the content of the files; it is part of their address."""
    return contents_token(_OWN, SHARED)


def asset_route() -> Mount:
    """The route under which the files are served."""
    files = _Unchanging(directory=_OWN, packages=[("core", SHARED.name)])
    return Mount(f"/{ASSETS}/{version()}", files, name=ASSETS)


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
