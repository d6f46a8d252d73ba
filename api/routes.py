"""The addresses of the API; each reads what is published and has no side effect."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from api.conversions import coin_quote, forecast, logged_row, metrics_answer, price_row
from api.parameters import CoinName, OutputFormat, TableQuery
from api.request_context import Visit
from api.schemas import (
    Alive,
    CoinQuote,
    Forecast,
    LoggedForecastRow,
    MetricsAnswer,
    PriceRow,
    Problem,
    Refusal,
    Status,
)
from api.state import StatusBoard
from core.reading.csv_export import file_name, forecasts_csv, prices_csv

__all__ = ["TOKEN_ANSWERS", "data_router", "open_router"]

_Answers = dict[int | str, dict[str, Any]]

_ANSWERS: Final[_Answers] = {
    304: {"description": "Nada mudou desde a versão em `If-None-Match`"},
    503: {"model": Problem, "description": "Ainda não há dados; tente após `Retry-After` segundos"},
}
TOKEN_ANSWERS: Final[_Answers] = {
    401: {"model": Problem, "description": "Falta o cabeçalho `Authorization: Bearer …` com o token certo"}
}
_COIN_ANSWERS: Final[_Answers] = {
    **_ANSWERS,
    404: {"model": Problem, "description": "Moeda desconhecida; `detail` diz as mais próximas"},
    422: {"model": Refusal, "description": "Um parâmetro não serve; `detail` diz qual e por quê"},
}
_TABLE_ANSWERS: Final[_Answers] = {**_COIN_ANSWERS, 200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}

open_router = APIRouter(tags=["sistema"])
data_router = APIRouter()


@open_router.get("/saude", operation_id="saude", summary="A API responde?", response_description="Responde")
async def alive(request: Request) -> Alive:
    """Diz apenas que o processo da API responde; o estado do sistema está em `/status`."""
    return Alive(status="ok", versao=request.app.version)


@data_router.get(
    "/status",
    operation_id="status",
    summary="Estado do sistema",
    tags=["sistema"],
    response_description="O estado de agora",
)
def get_status(request: Request, response: Response) -> Status:
    """Coletor, pipeline, modelo e painel: quem está vivo, de quando são os dados, o que há de errado.

    Responde sempre 200, também antes dos primeiros dados; `status` é `ok`, `degradado` ou `aguardando_dados`.
    """
    board: StatusBoard = request.app.state.board
    body = board.body()
    response.headers.update({"Cache-Control": "no-store", "X-Fonte": body.fonte or "indefinida"})
    return body


@data_router.get(
    "/moedas",
    operation_id="moedas",
    summary="Lista de moedas",
    tags=["moedas"],
    response_description="Os dados",
    responses=_ANSWERS,
)
def get_coins(request: Request, response: Response) -> list[CoinQuote]:
    """As moedas coletadas, da maior para a menor, com o preço mais novo; também antes da primeira previsão."""
    visit = Visit(request, response)
    visit.label(visit.readers.version())
    return [coin_quote(quote, visit.source) for quote in visit.readers.quotes()]


@data_router.get(
    "/prever/{moeda}",
    operation_id="prever",
    summary="Previsão da próxima hora",
    tags=["previsões"],
    response_description="Os dados",
    responses=_COIN_ANSWERS,
)
def get_forecast(request: Request, response: Response, moeda: CoinName) -> Forecast:
    """A previsão mais nova: preço esperado, intervalos, probabilidade de alta e a trajetória de 5 em 5 minutos."""
    visit = Visit(request, response)
    coin = visit.readers.resolve(moeda)
    visit.label(visit.readers.publication_version())
    return forecast(coin, visit.readers.forecast(coin.id), visit.workspace)


@data_router.get(
    "/previsoes/{moeda}",
    operation_id="previsoes",
    summary="Histórico de previsões",
    tags=["previsões"],
    response_description="Os dados, os mais novos primeiro",
    responses=_TABLE_ANSWERS,
    response_model=list[LoggedForecastRow],
)
def get_logged_forecasts(
    request: Request,
    response: Response,
    moeda: CoinName,
    query: Annotated[TableQuery, Query()],
) -> list[LoggedForecastRow] | Response:
    """As previsões de uma hora registradas (a primeira de cada 5 minutos), da mais nova para a mais antiga.

    `inicio` e `fim` limitam o horário de origem. `preco_real` e `erro_percentual` são nulos até se conhecer o preço.
    """
    visit = Visit(request, response)
    start_ms, end_ms = query.span()
    coin = visit.readers.resolve(moeda)
    visit.label(visit.readers.version())
    rows = visit.readers.logged(coin.id, start_ms, end_ms, query.limite)
    if query.formato is OutputFormat.CSV:
        return visit.download(forecasts_csv(coin, rows, visit.workspace), file_name("previsoes", coin, visit.workspace))
    return [logged_row(coin, row, visit.source) for row in rows]


@data_router.get(
    "/historico/{moeda}",
    operation_id="historico",
    summary="Histórico de preços",
    tags=["moedas"],
    response_description="Os dados, os mais novos primeiro",
    responses=_TABLE_ANSWERS,
    response_model=list[PriceRow],
)
def get_history(
    request: Request,
    response: Response,
    moeda: CoinName,
    query: Annotated[TableQuery, Query()],
) -> list[PriceRow] | Response:
    """Os preços guardados, do mais novo para o mais antigo, cada um no horário em que o CoinGecko o atualizou."""
    visit = Visit(request, response)
    start_ms, end_ms = query.span()
    coin = visit.readers.resolve(moeda)
    visit.label(visit.readers.version())
    prices = visit.readers.history(coin.id, start_ms, end_ms, query.limite)
    if query.formato is OutputFormat.CSV:
        return visit.download(prices_csv(coin, prices, visit.workspace), file_name("historico", coin, visit.workspace))
    return [price_row(coin, price, visit.source) for price in prices]


@data_router.get(
    "/metricas",
    operation_id="metricas",
    summary="Acerto das previsões",
    tags=["métricas"],
    response_description="Os dados",
    responses=_ANSWERS,
)
def get_metrics(request: Request, response: Response) -> MetricsAnswer:
    """Quanto as previsões acertaram, contra "o preço fica"; ao vivo e no backtest da partida, separados."""
    visit = Visit(request, response)
    visit.label(visit.readers.publication_version())
    return metrics_answer(None, visit.readers.metrics(), visit.source)


@data_router.get(
    "/metricas/{moeda}",
    operation_id="metricas_da_moeda",
    summary="Acerto das previsões de uma moeda",
    tags=["métricas"],
    response_description="Os dados",
    responses=_COIN_ANSWERS,
)
def get_coin_metrics(request: Request, response: Response, moeda: CoinName) -> MetricsAnswer:
    """O mesmo que `/metricas`, de uma moeda só."""
    visit = Visit(request, response)
    coin = visit.readers.resolve(moeda)
    visit.label(visit.readers.publication_version())
    return metrics_answer(coin, visit.readers.metrics(coin.id), visit.source)
