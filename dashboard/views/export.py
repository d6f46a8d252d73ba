"""View for downloading prices and forecasts as CSV files, each made when its button is clicked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

import streamlit as st

from core.forecast_schema import QUANTILE_COLUMNS
from core.price_store import Coin
from core.reading.csv_export import Cell, attribution, csv_file, file_name, forecasts_csv, prices_csv
from core.reading.readers import Readers
from core.times import DAY_MS, FOREVER_MS, iso, now_ms
from core.workspace import Workspace
from dashboard.shell.context import View, ViewContext, showing_errors
from dashboard.shell.query_choices import choose_coin, query_choice, segmented

__all__ = ["VIEW", "forecasts_file", "latest_file", "prices_file", "show"]

_PERIODS: Final = {"24h": DAY_MS, "7d": 7 * DAY_MS, "30d": 30 * DAY_MS, "tudo": FOREVER_MS}
_MAX_ROWS: Final = 1_000_000
_LATEST_COLUMNS: Final = (
    "horario",
    "horario_previsto",
    "minutos",
    "moeda",
    "id",
    "preco_atual",
    "previsao",
    *QUANTILE_COLUMNS,
    "probabilidade_alta",
    "modelo",
    "versao",
)


def show(view: ViewContext) -> None:
    """Draw the choices of coin and period, and a card per file."""
    texts = view.texts
    st.markdown(texts("export.intro"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        coin_id = choose_coin(view)
        switch = segmented(texts("export.period"))
        period = query_choice("periodo", tuple(_PERIODS), "7d", switch, lambda name: texts(f"period.{name}"))
    with showing_errors(view):
        _cards(view, view.readers.resolve(coin_id), view.readers.workspace(), _PERIODS[period])


def _cards(view: ViewContext, coin: Coin, workspace: Workspace, span_ms: int) -> None:
    prices = partial(prices_file, view.readers, coin, span_ms)
    log = partial(forecasts_file, view.readers, coin, span_ms)
    with st.grid(3, min_column_width=260):
        _card(view, "prices", file_name("historico", coin, workspace), prices)
        _card(view, "log", file_name("previsoes", coin, workspace), log)
        _card(view, "latest", file_name("previsoes-atuais", None, workspace), partial(latest_file, view.readers))
    st.caption(view.texts("export.attribution", text=attribution(workspace.source, view.texts.language)))


def prices_file(readers: Readers, coin: Coin, span_ms: int) -> str:
    """CSV of the prices stored in the last `span_ms`, newest first."""
    end_ms = now_ms() + DAY_MS
    prices = readers.history(coin.id, max(0, now_ms() - span_ms), end_ms, _MAX_ROWS)
    return prices_csv(coin, prices, readers.workspace())


def forecasts_file(readers: Readers, coin: Coin, span_ms: int) -> str:
    """CSV of the one-hour forecasts logged in the last `span_ms`, with outcomes, newest first."""
    logged = readers.logged(coin.id, max(0, now_ms() - span_ms), now_ms() + DAY_MS, _MAX_ROWS)
    return forecasts_csv(coin, logged, readers.workspace())


def latest_file(readers: Readers) -> str:
    """CSV of the newest forecast of every coin, with all horizons and quantiles."""
    symbols = {quote.id: quote.symbol for quote in readers.quotes()}
    rows: Iterable[tuple[Cell, ...]] = (
        (
            iso(view.origin_ms),
            iso(step.target_ms),
            step.horizon_min,
            symbols.get(view.coin_id, ""),
            view.coin_id,
            view.price_origin,
            step.mean,
            *(step.quantiles[name] for name in QUANTILE_COLUMNS),
            step.p_up,
            view.kind,
            view.model_version,
        )
        for view in readers.forecasts().values()
        for step in view.steps
    )
    return csv_file(_LATEST_COLUMNS, rows, readers.workspace())


def _card(view: ViewContext, name: str, file: str, make: Callable[[], str]) -> None:
    with st.container(border=True, height="stretch"):
        st.markdown(f"**{view.texts(f'export.{name}')}**")
        st.caption(view.texts(f"export.{name}_about"))
        st.space("stretch")
        st.download_button(
            view.texts("export.download"),
            make,
            file_name=file,
            mime="text/csv",
            key=f"download_{name}",
            on_click="ignore",
            icon=":material/download:",
            width="stretch",
        )


VIEW: Final = View("exportar", ":material/download:", position=4, show=show)
