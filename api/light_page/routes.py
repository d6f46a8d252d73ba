"""The routes of the light page: its document in each language, its scripts and its styles."""

from __future__ import annotations

import html
import json
import mimetypes
import tomllib
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from api.light_page.kept_file import KeptFile
from api.problems import preferred_language
from core.settings import Source
from core.web_files import A_YEAR_S, SHARED, contents_token
from core.wording import LANGUAGES, message, say

__all__ = ["add_light_page", "catalogue"]

_FOLDER: Final = Path(__file__).parent
_ASSETS: Final = _FOLDER / "assets"
_SENT: Final = (".js", ".css")
_SOURCES: Final = (Source.COINGECKO, Source.DEMO, Source.REPLAY)
_LOCALES: Final = {"pt": "pt-BR", "en": "en-US"}


def add_light_page(app: FastAPI) -> None:
    """Add `GET /` and the files it loads, under an address that changes with their contents."""
    files = f"estatico/{contents_token(SHARED, _ASSETS)}"
    documents = {language: _document(language, files) for language in LANGUAGES}

    @app.get("/", include_in_schema=False)
    async def light_page(request: Request) -> Response:
        chosen = request.query_params.get("idioma", "")
        preferred = preferred_language(request.headers.get("accept-language", ""))
        return await documents[chosen if chosen in documents else preferred].answer(request.scope)

    @app.get(f"/{files}/{{name}}", include_in_schema=False)
    async def page_file(request: Request, name: str) -> Response:
        found = _kept_files().get(name)
        if found is None:
            raise HTTPException(404)
        return await found.answer(request.scope)


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> dict[str, dict[str, str]]:
    """The texts of the page in a language, by section and name."""
    return tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _kept_files() -> dict[str, KeptFile]:
    """Scripts and styles by name, those shared with the dashboard included."""
    paths = [path for folder in (SHARED, _ASSETS) for path in sorted(folder.iterdir()) if path.suffix in _SENT]
    return {path.name: _kept(path) for path in paths}


def _kept(path: Path) -> KeptFile:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return KeptFile(path.read_bytes(), kind, f"public, max-age={A_YEAR_S}, immutable")


def _document(language: str, files: str) -> KeptFile:
    """The page with its texts: those that HTML shows at once, and all of them as JSON for its scripts."""
    texts = catalogue(language)
    shown = {f"{section}_{name}": html.escape(text) for section, names in texts.items() for name, text in names.items()}
    origins = {source: say(message(f"attribution.{source}"), language) for source in _SOURCES}
    data = json.dumps({"locale": _LOCALES[language], **texts, "attribution": origins}, ensure_ascii=False).replace(
        "<", "\\u003c"
    )
    template = Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
    body = template.substitute(shown, lang=_LOCALES[language], files=files, texts=data).encode()
    return KeptFile(body, "text/html; charset=utf-8", "no-cache", "Accept-Language, Accept-Encoding")
