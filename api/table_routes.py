"""Routes of the lists: coins; logged forecasts and stored prices, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

import pyarrow as pa
from fastapi import APIRouter, Request, Response

from api.described_answers import LIST_ANSWERS, TABLE_ANSWERS
from api.parameters import (
    DETAILS,
    FIRST,
    CoinName,
    HistoryQuery,
    HistoryQueryDep,
    ListQueryDep,
    LogQueryDep,
    TableQuery,
    TimeForm,
)
from api.request_context import ContextDep
from api.table_formats import unix_times
from api.table_rows import candle_rows, logged_rows, price_rows, quote_rows
from api.table_schemas import CandleRow, ChosenPriceRow, CoinQuote, LoggedForecastRow
from api.versions import Basis
from core.price_store import Coin
from core.reading.csv_export import file_name
from core.reading.tables import Page
from core.times import HOUR_MS

__all__ = ["table_router"]

_PRICE_EVERY_MS: Final = 30_000
"""About; tells how many prices are read for the intervals that are asked for."""

table_router = APIRouter()


@table_router.get(
    "/moedas",
    operation_id="moedas",
    summary="Lista de moedas",
    tags=["moedas"],
    response_description="As moedas, da maior para a menor",
    responses=LIST_ANSWERS,
    response_model=list[CoinQuote],
)
def get_coins(context: ContextDep, query: ListQueryDep) -> Response:
    """As moedas coletadas, da maior para a menor, com o preço mais novo; também antes da primeira previsão."""
    context.depends_on(Basis.PRICES)
    rows = quote_rows(context.readers.quotes(), context.workspace)
    return context.table(_shown(rows, query.tempo), query.formato, file_name("moedas", None, context.workspace))


@table_router.get(
    "/previsoes/{moeda}",
    operation_id="previsoes",
    summary="Histórico de previsões",
    tags=["previsoes"],
    response_description="Uma página; `Link` leva à próxima",
    responses=TABLE_ANSWERS,
    response_model=list[LoggedForecastRow],
)
def get_logged_forecasts(request: Request, context: ContextDep, moeda: CoinName, query: LogQueryDep) -> Response:
    """As previsões registradas (a primeira de cada 5 minutos) de um horizonte, com todos os quantis.

    `inicio` e `fim` limitam o horário de origem. `preco_real` e `erro_percentual` são nulos até se conhecer o preço.
    """
    page = query.page()
    coin = context.readers.resolve(moeda)
    context.depends_on_range(Basis.BOTH, moeda, coin.id, page.start_ms, page.end_ms + HOUR_MS)
    name = file_name("previsoes", coin, context.workspace)

    def make() -> Response:
        logged = context.readers.log_table(coin.id, _one_more(page), query.horizonte)
        rows = logged_rows(coin, logged, query.horizonte, context.workspace)
        return _page_answer(request, context, query, rows, name)

    return context.made(make, query.limite)


@table_router.get(
    "/historico/{moeda}",
    operation_id="historico",
    summary="Histórico de preços",
    tags=["moedas"],
    response_description="Uma página; `Link` leva à próxima",
    responses=TABLE_ANSWERS,
    response_model=list[ChosenPriceRow] | list[CandleRow],
)
def get_history(request: Request, context: ContextDep, moeda: CoinName, query: HistoryQueryDep) -> Response:
    """Os preços guardados, cada um no horário em que o CoinGecko o atualizou, ou juntos por `intervalo`.

    Valor de mercado, volume e horário da coleta vêm com `campos`.
    """
    page = query.page()
    coin = context.readers.resolve(moeda)
    step_ms = 0 if query.intervalo is None else query.intervalo.step_ms
    context.depends_on_range(Basis.PRICES, moeda, coin.id, page.start_ms, page.end_ms + step_ms)
    name = file_name("historico", coin, context.workspace)

    def make() -> Response:
        rows = _history_rows(context, coin, query)
        return _page_answer(request, context, query, rows, name, fields=query.fields())

    return context.made(make, query.limite * max(1, step_ms // _PRICE_EVERY_MS))


def _history_rows(context: ContextDep, coin: Coin, query: HistoryQuery) -> pa.Table:
    """The page and one row more, with all fields that are asked for."""
    page = _one_more(query.page())
    if query.intervalo is not None:
        return candle_rows(
            coin, context.readers.candle_table(coin.id, query.intervalo.step_ms, page), context.workspace
        )
    bare = not set(query.fields()) & set(DETAILS)
    return price_rows(coin, context.readers.price_table(coin.id, page, bare=bare), context.workspace)


def _one_more(page: Page) -> Page:
    """The page with one row of the next one, which tells whether there is a next one."""
    return Page(page.start_ms, page.end_ms, page.limit + 1, page.ascending)


def _page_answer(
    request: Request,
    context: ContextDep,
    query: TableQuery,
    rows: pa.Table,
    name: str,
    *,
    fields: Sequence[str] | None = None,
) -> Response:
    """The page in the format asked for, with links to the first page and, where there is one, the next.

    Ascending there always is a next one: it begins where new rows will come.
    """
    times_ms = rows[FIRST].cast(pa.int64())
    has_more = rows.num_rows > query.limite
    rows = rows.slice(0, query.limite)
    last = str(times_ms[rows.num_rows - 1].as_py()) if rows.num_rows else query.apos
    links = [_link(request, None, "first")]
    if last is not None and (has_more or query.page().ascending):
        links.append(_link(request, last, "next"))
    rows = rows if fields is None else rows.select(fields)
    answer = context.table(_shown(rows, query.tempo), query.formato, name)
    answer.headers["Link"] = ", ".join(links)
    return answer


def _shown(rows: pa.Table, form: TimeForm) -> pa.Table:
    return unix_times(rows) if form is TimeForm.UNIX else rows


def _link(request: Request, after: str | None, relation: str) -> str:
    """A link (RFC 8288) to the same path and query, relative to its address, that begins after a position."""
    items = [(name, value) for name, value in request.query_params.multi_items() if name != "apos"]
    query = urlencode(items if after is None else [*items, ("apos", after)])
    return f'<?{query}>; rel="{relation}"'
