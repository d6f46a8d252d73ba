"""View of the whole market: what it does, in a sentence, and a table of all coins that leads to each of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import streamlit as st

from core.errors import NotReady
from core.reading.answers import hours_ahead
from core.reading.readers import Readers
from core.times import DAY_MS, MINUTE_MS, now_ms
from dashboard.charts.market_table import (
    COLUMNS,
    PAGE_ROWS,
    MarketRow,
    market_sentence,
    matching,
    page_rows,
    sorted_rows,
    table_data,
)
from dashboard.shell.assets import loader
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.live import live
from dashboard.shell.query_choices import keep_value, kept_value, query_choice, segmented

__all__ = ["VIEW", "market_rows", "show", "sparkline"]

_SHOWN: Final = ("todas", "favoritas")
_LINE_STEP_MS: Final = 30 * MINUTE_MS
_LINE_RENEWED_MS: Final = 5 * MINUTE_MS
_KEY: Final = "market"
_LABELS: Final = (*COLUMNS, "dia", "star", "unknown", "ago", "faixa_help", "movimento_help", "regime_help")

_table = st.components.v2.component("market", js=loader("market.js", "it.draw(component)"), isolate_styles=False)


def show(view: ViewContext) -> None:
    """Draw the choices; sentence and table below them refresh without redrawing the rest."""
    texts = view.texts
    if "moeda" in st.query_params:  # an address with a coin means the page of that coin
        del st.query_params["moeda"]
    with st.container(horizontal=True, vertical_alignment="top"):
        switch = segmented(texts("market.shown"))
        shown = query_choice("mostrar", _SHOWN, _SHOWN[0], switch, lambda name: texts(f"market.shown_{name}"))
        wanted = st.text_input(texts("market.search"), key="busca", width=260, persist_state="session", max_chars=60)
    live(_market, "market")(view, shown, wanted)


@lru_cache(maxsize=2)
def market_rows(readers: Readers, _version: str) -> tuple[MarketRow, ...]:
    """Every coin that has a price, by rank, for one version of the data."""
    try:
        hours = hours_ahead(readers)
    except NotReady:
        hours = {}
    return tuple(MarketRow(quote, hours.get(quote.id)) for quote in readers.quotes() if quote.price is not None)


@lru_cache(maxsize=512)
def sparkline(readers: Readers, coin: str, until_ms: int) -> tuple[float, ...]:
    """Half-hourly prices of a coin's last day; callers round `until_ms` to save work."""
    return tuple(readers.series(coin, until_ms - DAY_MS, _LINE_STEP_MS)[1])


def _market(view: ViewContext, shown: str, wanted: str) -> None:
    if st.session_state["pagina"] != VIEW.name:  # a row was opened: the whole page changes
        st.rerun()
    with showing_errors(view):
        rows = market_rows(view.readers, view.readers.version())
        st.markdown(f"## {escape_markdown(market_sentence(rows, view.formats, view.texts))}")
        starred = _starred()
        chosen = [row for row in matching(rows, wanted) if shown == "todas" or row.quote.id in starred]
        if not chosen:
            st.info(view.texts("market.no_star" if shown == "favoritas" and not wanted else "market.none"))
        _page(view, chosen, starred)


def _page(view: ViewContext, rows: list[MarketRow], starred: list[str]) -> None:
    column, descending = _order()
    pages = max(1, -(-len(rows) // PAGE_ROWS))
    if st.session_state.get("folha", 1) > pages:
        st.session_state["folha"] = 1
    seen = page_rows(sorted_rows(rows, column, descending=descending), st.session_state.get("folha", 1))
    until_ms = now_ms() // _LINE_RENEWED_MS * _LINE_RENEWED_MS
    lines = {row.quote.id: sparkline(view.readers, row.quote.id, until_ms) for row in seen}
    _table(
        key=_KEY,
        data={
            "rows": table_data(seen, lines, starred, view.formats),
            "sort": column,
            "descending": descending,
            "starred": starred,
            "listed": "favoritas" in st.query_params,
            "caption": view.texts("market.caption"),
            "texts": {name: view.texts(f"market.{name}") for name in _LABELS},
        },
        on_asked_change=_answer,
    )
    if pages > 1:
        st.pagination(pages, key="folha")


def _answer() -> None:
    """Do what the visitor asked for in the table: open a coin, sort, or change the list."""
    asked = st.session_state[_KEY].asked
    match asked:
        case {"open": str(coin)}:
            st.session_state["moeda"] = coin
            st.session_state["pagina"] = "moeda"
        case {"sort": str(column), "descending": bool(descending)} if column in COLUMNS:
            keep_value("ordem", f"{'-' if descending else ''}{column}")
        case {"star": str(coin)}:
            listed = _starred()
            others = [name for name in listed if name != coin]
            keep_value("favoritas", ",".join(others if coin in listed else [*listed, coin]))
        case {"list": [*coins]}:
            keep_value("favoritas", ",".join(coin for coin in coins if isinstance(coin, str)))


def _order() -> tuple[str, bool]:
    """Column and direction in which the address asks to sort; by rank if it asks for none that exists."""
    order = kept_value("ordem", "posicao")
    column = order.removeprefix("-")
    return (column, order.startswith("-")) if column in COLUMNS else ("posicao", False)


def _starred() -> list[str]:
    """The visitor's list, as the browser keeps it: coins that are not followed here now belong to it too."""
    return [coin for coin in kept_value("favoritas").split(",") if coin]


VIEW: Final = View(
    "visao", ":material/table_chart:", position=0, show=show, also=("mercado", "inicio", "market", "overview")
)
