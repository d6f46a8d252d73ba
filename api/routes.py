"""Routes of the API; each reads published data and changes nothing."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from api.conversions import (
    level_answer,
    metrics_answer,
    risk_answer,
)
from api.declared_parameters import only_declared_parameters
from api.described_answers import ANSWERS, COIN_ANSWERS
from api.errors import RETRY_AFTER
from api.events import events_router
from api.forecast_routes import forecast_router
from api.forecast_schemas import LevelAnswer, RiskAnswer
from api.parameters import CoinName, LevelQueryDep, PortfolioQueryDep
from api.problems import Problem, ProblemCode
from api.request_context import ContextDep
from api.schemas import (
    Alive,
    MetricsAnswer,
    Status,
)
from api.state import suite_state
from api.table_routes import table_router
from api.versions import Basis
from core.price_store import Coin
from core.reading.answers import level_chance, portfolio_outlook
from core.reading.status import assess_suite

__all__ = ["data_router", "open_router"]

SpokenLanguage = Annotated[Literal["pt", "en"], Query(description="Em que língua vêm as frases")]

_DECLARED_ONLY: Final = [Depends(only_declared_parameters)]

open_router = APIRouter(tags=["sistema"], dependencies=_DECLARED_ONLY)
data_router = APIRouter(dependencies=_DECLARED_ONLY)
data_router.include_router(forecast_router)
data_router.include_router(events_router)
data_router.include_router(table_router)


@open_router.get("/saude", operation_id="saude", summary="A API responde?", response_description="Responde")
@open_router.get("/saude/vivo", operation_id="saude_vivo", summary="O processo vive?", response_description="Responde")
async def alive(request: Request) -> Alive:
    """Diz apenas que o processo da API responde; o estado do sistema está em `/status`."""
    return Alive(status="ok", versao=request.app.version)


@open_router.get(
    "/saude/pronto",
    operation_id="saude_pronto",
    summary="Há dados atuais?",
    response_description="Há preços e previsões de agora",
    responses={503: {"description": "Ainda não há dados, ou estão parados há alguns ciclos; `detail` diz quais"}},
)
def ready(request: Request) -> Alive:
    """Diz se há preços e previsões, e se são de agora: 503 antes dos primeiros e depois de alguns ciclos sem novos."""
    reasons = assess_suite(request.app.state.settings, request.app.state.readers).unready
    if reasons:
        raise Problem(ProblemCode.NOT_READY, *reasons, headers=RETRY_AFTER)
    return Alive(status="ok", versao=request.app.version)


@data_router.get(
    "/status",
    operation_id="status",
    summary="Estado do sistema",
    tags=["sistema"],
    response_description="O estado de agora",
    responses={422: COIN_ANSWERS[422]},
    response_model=Status,
)
def get_status(request: Request, context: ContextDep, idioma: SpokenLanguage = "pt") -> Response:
    """Coletor, pipeline, modelo e painel: quem está vivo, de quando são os dados, o que há de errado.

    Responde sempre 200, também antes dos primeiros dados; `status` é `ok`, `degradado` ou `aguardando_dados`.
    """
    context.depends_on(Basis.MOMENT)
    return context.json(suite_state(request.app.state.settings, context.readers, request.app.version, idioma))


@data_router.get(
    "/probabilidade/{moeda}",
    operation_id="probabilidade",
    summary="Probabilidade de um nível de preço",
    tags=["previsoes"],
    response_description="Os dados",
    responses=COIN_ANSWERS,
    response_model=LevelAnswer,
)
def get_level_chance(context: ContextDep, moeda: CoinName, query: LevelQueryDep) -> Response:
    """Com que probabilidade o preço termina acima ou abaixo de um nível, e com qual o toca até lá."""
    coin = context.readers.resolve(moeda)
    context.depends_on(Basis.PUBLICATION)
    chance = level_chance(context.readers.forecast(coin.id), query.nivel, query.horizonte)
    return context.json(level_answer(coin, chance, context.workspace))


@data_router.get(
    "/risco",
    operation_id="risco",
    summary="Risco de uma carteira",
    tags=["previsoes"],
    response_description="Os dados",
    responses=COIN_ANSWERS,
    response_model=RiskAnswer,
)
def get_risk(context: ContextDep, query: PortfolioQueryDep) -> Response:
    """O que uma carteira pode ganhar ou perder em uma hora.

    Os cenários juntam as previsões de agora ao modo como as moedas se moveram juntas nas últimas duas semanas.
    """
    units: dict[Coin, float] = {}
    for name, held in query.positions():
        coin = context.readers.resolve(name)
        units[coin] = units.get(coin, 0.0) + held
    context.depends_on(Basis.PUBLICATION)
    portfolio = portfolio_outlook(context.readers, {coin.id: held for coin, held in units.items()})
    return context.json(risk_answer(units, portfolio, context.workspace))


@data_router.get(
    "/metricas",
    operation_id="metricas",
    summary="Acerto das previsões",
    tags=["metricas"],
    response_description="Os dados",
    responses=ANSWERS,
    response_model=MetricsAnswer,
)
def get_metrics(context: ContextDep) -> Response:
    """Quanto as previsões acertaram, contra "o preço não muda"; ao vivo e no backtest da partida, separados."""
    context.depends_on(Basis.PUBLICATION)
    return context.json(metrics_answer(None, context.readers.metrics(), context.workspace))


@data_router.get(
    "/metricas/{moeda}",
    operation_id="metricas_da_moeda",
    summary="Acerto das previsões de uma moeda",
    tags=["metricas"],
    response_description="Os dados",
    responses=COIN_ANSWERS,
    response_model=MetricsAnswer,
)
def get_coin_metrics(context: ContextDep, moeda: CoinName) -> Response:
    """O mesmo que `/metricas`, de uma moeda só."""
    coin = context.readers.resolve(moeda)
    context.depends_on(Basis.PUBLICATION)
    return context.json(metrics_answer(coin, context.readers.metrics(coin.id), context.workspace))
