"""The pages /docs, /redoc and /llms.txt, served without other machines, and the texts of the OpenAPI description."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from api.openapi_document import complete
from core.errors import ConfigurationError, NotReady
from core.reading.readers import Readers
from core.settings import Source

__all__ = ["DESCRIPTION", "TAGS", "TITLE", "add_pages", "describe_source"]

TITLE: Final = "Crypto Forecasting Pipeline"
DESCRIPTION: Final = """\
Preços de criptomoedas e previsões para a próxima hora, com intervalos calibrados.

- **Moeda**: símbolo ou id, em maiúsculas ou minúsculas: `btc`, `BTC`, `bitcoin`.
- **Horários** saem em ISO 8601 com deslocamento (UTC). `inicio` e `fim` aceitam data ou horário; sem deslocamento: UTC.
- **Novidades**: as respostas trazem `ETag`; com `If-None-Match` a API responde 304, sem corpo, enquanto nada muda.
- **Fonte**: o cabeçalho `X-Fonte` e o campo `fonte` dizem de onde são os preços.
- **Listas** vêm em páginas (`Link`), também como CSV, Parquet ou Arrow (`formato`, ou `Accept`).
- **Erros** são `application/problem+json` (RFC 9457), em português ou inglês (`Accept-Language`).
  503 com `Retry-After` quer dizer: os dados virão por si.

Previsões não são recomendação de investimento. O que elas valem está em `/metricas`.
"""
TAGS: Final = [
    {"name": "previsoes", "description": "A próxima hora, e o que foi previsto antes"},
    {"name": "moedas", "description": "Preços de agora e de antes"},
    {"name": "metricas", "description": 'Acerto contra "o preço não muda"'},
    {"name": "sistema", "description": "Estado dos processos e dos dados"},
]

_SOURCES: Final = {
    Source.COINGECKO: "Preços reais: Powered by CoinGecko (https://www.coingecko.com).",
    Source.DEMO: "DADOS SIMULADOS: nenhum preço desta API é real.",
    Source.REPLAY: "GRAVAÇÃO REPETIDA: os preços desta API não são de agora.",
    None: "A fonte dos preços ainda não foi decidida.",
}
_PAGE: Final = """\
<!doctype html>
<html lang="pt-BR">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="estatico/favicon.svg" type="image/svg+xml">
{head}
<link rel="stylesheet" href="estatico/paginas.css">
</head>
<body>
<p class="fonte {kind}">{source}</p>
{body}
</body>
</html>
"""
_SWAGGER_HEAD: Final = '<link rel="stylesheet" href="estatico/swagger-ui.css">'
_SWAGGER_BODY: Final = (
    '<div id="swagger-ui"></div><script src="estatico/swagger-ui-bundle.js"></script>'
    '<script src="estatico/swagger.js"></script>'
)
_REDOC_BODY: Final = '<redoc spec-url="openapi.json"></redoc><script src="estatico/redoc.standalone.js"></script>'


def describe_source(app: FastAPI, readers: Readers) -> Callable[[], dict[str, Any]]:
    """A replacement for `app.openapi` whose description begins with the current source of the prices."""
    generate = app.openapi

    @cache
    def completed() -> dict[str, Any]:
        return complete(generate())

    def openapi() -> dict[str, Any]:
        schema = completed()
        description = f"**{_SOURCES[_source(readers)]}**\n\n{DESCRIPTION}"
        return {**schema, "info": {**schema["info"], "description": description}}

    return openapi


def add_pages(app: FastAPI, readers: Readers) -> None:
    """Add /docs, /redoc, their scripts and styles, and /llms.txt."""
    own = Path(__file__).parent / "static"
    app.mount("/estatico", StaticFiles(directory=own, packages=[("fastapi_offline", "static")]), name="estatico")

    @app.get("/docs", include_in_schema=False)
    def swagger() -> HTMLResponse:
        return _page(readers, "Swagger UI", _SWAGGER_HEAD, _SWAGGER_BODY)

    @app.get("/redoc", include_in_schema=False)
    def redoc() -> HTMLResponse:
        return _page(readers, "ReDoc", "", _REDOC_BODY)

    @app.get("/llms.txt", include_in_schema=False)
    async def outline() -> FileResponse:
        return FileResponse(own / "llms.txt", media_type="text/plain; charset=utf-8")

    @app.get("/favicon.ico", include_in_schema=False)
    async def favicon() -> RedirectResponse:
        return RedirectResponse("/estatico/favicon.svg", 308)


def _page(readers: Readers, name: str, head: str, body: str) -> HTMLResponse:
    source = _source(readers)
    kind = "real" if source is Source.COINGECKO else "outra"
    page = _PAGE.format(title=f"{TITLE} — {name}", head=head, body=body, source=_SOURCES[source], kind=kind)
    return HTMLResponse(page, headers={"Cache-Control": "no-cache"})


def _source(readers: Readers) -> Source | None:
    try:
        return readers.workspace().source
    except (NotReady, ConfigurationError):
        return None
