"""Routes of the newest forecasts: of one coin, and of all."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.conversions import forecast
from api.described_answers import COIN_ANSWERS, TABLE_ANSWERS
from api.forecast_parameters import ForecastQueryDep, ForecastsQueryDep
from api.forecast_rows import Wanted, forecast_rows
from api.forecast_schemas import ChosenForecast, Forecast
from api.parameters import CoinName
from api.request_context import ContextDep
from api.shown_numbers import shown_body
from api.versions import Basis
from core.reading.answers import outlook
from core.reading.csv_export import file_name
from core.reading.forecast_columns import forecast_columns, last_hours
from core.reading.trust import Trust, trust_by_coin

__all__ = ["forecast_router"]

forecast_router = APIRouter(tags=["previsoes"])


@forecast_router.get(
    "/prever",
    operation_id="prever_todas",
    summary="Previsões de todas as moedas",
    response_description="Uma previsão por moeda, da maior moeda para a menor",
    responses=TABLE_ANSWERS,
    response_model=list[ChosenForecast],
)
def get_forecasts(request: Request, context: ContextDep, query: ForecastsQueryDep) -> Response:
    """As previsões mais novas, cada uma como em `/prever/{moeda}`: uma resposta basta para seguir todas as moedas.

    `campos` escolhe campos; a trajetória só vem se for pedida. Moedas que ainda não têm previsão ficam de fora.
    """
    readers = context.readers
    names = query.names()
    coins = readers.coins() if names is None else list(dict.fromkeys(readers.resolve(name) for name in names))
    context.depends_on(Basis.PUBLICATION)
    forecasts = forecast_columns(readers)
    table = forecast_rows(
        coins,
        Wanted(query.horizonte, query.levels(), query.fields()),
        forecasts=forecasts,
        hours=last_hours(readers, forecasts),
        trust=trust_by_coin(readers, query.horizonte),
        workspace=context.workspace,
        interval_s=request.app.state.settings.interval,
    )
    return context.table(table, query.formato, file_name("prever", None, context.workspace), whole=True)


@forecast_router.get(
    "/prever/{moeda}",
    operation_id="prever",
    summary="Previsão da próxima hora",
    response_description="Os dados",
    responses=COIN_ANSWERS,
    response_model=Forecast,
)
def get_forecast(request: Request, context: ContextDep, moeda: CoinName, query: ForecastQueryDep) -> Response:
    """A previsão mais nova: preço esperado, intervalos, tamanho esperado do movimento e a trajetória de 5 em 5 minutos.

    Diz também se se espera uma hora calma ou agitada, quão incomum foi a última, e quanto as previsões desta moeda têm
    acertado.
    """
    readers = context.readers
    coin = readers.resolve(moeda)
    context.depends_on(Basis.PUBLICATION)
    trust = trust_by_coin(readers, query.horizonte).get(coin.id, Trust())
    body = forecast(
        coin,
        outlook(readers, coin.id, query.horizonte),
        context.workspace,
        trust=trust,
        interval_s=request.app.state.settings.interval,
        quantiles=query.levels(),
    )
    return context.json(shown_body(body.model_dump()))
