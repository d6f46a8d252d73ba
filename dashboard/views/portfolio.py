"""View of the visitor's own amounts: value now, and what they may gain or lose within the next hour.

The amounts live in the address and in the session's memory; nothing writes them to the server's disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final

import streamlit as st

from core.accuracy.scores import Score
from core.errors import DamagedFile, NotReady
from core.reading.answers import PortfolioOutlook, portfolio_outlook
from core.reading.readers import Readers
from core.reading.values import Quote
from dashboard.charts.figure import Chart, chart_json
from dashboard.charts.portfolio import contribution_chart
from dashboard.charts.tables import text_table
from dashboard.holdings import Holdings, from_address, parse_holdings, to_address, typed_text
from dashboard.portfolio_rows import CONFIDENCE, contribution_shares, money, position_rows, range_rows, worth
from dashboard.shell.chart import show_chart
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.live import live
from dashboard.shell.query_choices import take_other_language

__all__ = ["VIEW", "show"]

_HOUR_MIN: Final = 60
_ADDRESS: Final = "carteira"


def show(view: ViewContext) -> None:
    """Draw the field for the amounts, and below it what follows from them."""
    texts = view.texts
    key = f"{_ADDRESS}_{texts.language}"
    if key not in st.session_state:
        take_other_language(_ADDRESS, texts.language)
        st.session_state[key] = _typed(view)
    text = st.text_input(
        texts("portfolio.typed"), key=key, placeholder=texts("portfolio.example"), persist_state="session"
    )
    holdings = parse_holdings(text, view.quotes, texts.language)
    _write_address(holdings)
    _remarks(view, holdings)
    if holdings.units:
        live(_outlook, "outlook")(view, dict(holdings.units))
    else:
        st.info(texts("portfolio.none"), icon=":material/account_balance_wallet:")
    st.caption(texts("portfolio.private"))


@lru_cache(maxsize=64)
def risk_of(readers: Readers, _publication: str, units: tuple[tuple[str, float], ...]) -> PortfolioOutlook:
    """Risk of a portfolio for one publication of forecasts."""
    return portfolio_outlook(readers, dict(units))


def _typed(view: ViewContext) -> str:
    """The portfolio of the address as a person of the page's language would type it."""
    given = st.query_params.get(_ADDRESS, "")
    kept = from_address(given)
    return given if kept is None else typed_text(kept, view.quotes, view.texts.language)


def _write_address(holdings: Holdings) -> None:
    """Keep what was understood in the address; a piece that was not understood leaves the address as it is."""
    if holdings.unknown or holdings.unread:
        return
    address = to_address(holdings.units)
    if address != st.query_params.get(_ADDRESS, ""):
        if address:
            st.query_params[_ADDRESS] = address
        else:
            del st.query_params[_ADDRESS]


def _remarks(view: ViewContext, holdings: Holdings) -> None:
    """Name what was not understood, with the nearest coin for an unknown one."""
    for name, nearest in holdings.unknown.items():
        sentence = view.texts("portfolio.unknown", coin=name, near=view.names.get(nearest or "", "—"))
        st.warning(escape_markdown(sentence), icon=":material/search_off:")
    for piece in holdings.unread:
        st.warning(escape_markdown(view.texts("portfolio.unread", piece=piece)), icon=":material/help:")


def _outlook(view: ViewContext, units: Mapping[str, float]) -> None:
    """Value and risk as cards, the ranges, what weighs in a loss, and the positions; what is not known is left out."""
    with showing_errors(view):
        quotes = {quote.id: quote for quote in view.readers.quotes() if quote.price is not None}
        held = {coin: amount for coin, amount in units.items() if coin in quotes}
        with st.grid(4, min_column_width=200, gap="small", key="portfolio_cards"):
            _value_card(view, held, quotes)
            with showing_errors(view):
                _risk_cards(view, _risk(view, held))
        with suppress(NotReady):  # the cards have said it
            _ranges(view, _risk(view, held))
        scores = {coin: _measured(view.readers, coin) for coin in held}
        rows = position_rows(held, quotes, scores, view.formats, view.texts)
        st.markdown(f"**{view.texts('portfolio.positions')}**", help=view.texts("portfolio.coverage_help"))
        st.dataframe(text_table(rows), hide_index=True, key="position_table")


def _risk(view: ViewContext, units: Mapping[str, float]) -> PortfolioOutlook:
    return risk_of(view.readers, view.readers.publication_version(), tuple(units.items()))


def _value_card(view: ViewContext, units: Mapping[str, float], quotes: Mapping[str, Quote]) -> None:
    now = worth(units, quotes)
    st.metric(
        view.texts("portfolio.value_now"),
        escape_markdown(money(now.value, view.formats)),
        view.formats.percent(now.change_24h_percent, signed=True) if now.change_24h_percent is not None else None,
        delta_description=view.texts("coin.in_24h"),
        border=True,
        height="stretch",
    )


def _risk_cards(view: ViewContext, outlook: PortfolioOutlook) -> None:
    texts, formats, risk = view.texts, view.formats, outlook.risk
    low, high = risk.ranges[80]
    st.metric(
        texts("portfolio.range_80"),
        escape_markdown(f"{money(risk.value + low, formats)} – {money(risk.value + high, formats)}"),
        help=texts("portfolio.range_help", scenarios=formats.number(risk.scenarios)),
        border=True,
        height="stretch",
    )
    for name, losses in (("value_at_risk", risk.value_at_risk), ("shortfall", risk.expected_shortfall)):
        st.metric(
            texts(f"portfolio.{name}"),
            escape_markdown(money(losses[CONFIDENCE], formats)),
            help=texts(f"portfolio.{name}_help"),
            border=True,
            height="stretch",
        )


def _ranges(view: ViewContext, outlook: PortfolioOutlook) -> None:
    texts, formats = view.texts, view.formats
    st.dataframe(text_table(range_rows(outlook, formats, texts)), hide_index=True, key="range_table")
    shares = contribution_shares(outlook, [view.names[one.coin_id] for one in outlook.views])
    if len(shares) > 1:
        title = texts("portfolio.contributions")
        with st.container(border=True):
            st.markdown(f"**{title}**", help=texts("portfolio.contributions_help"))
            around = Chart(title=title, file="carteira", alt=title)
            show_chart(chart_json(contribution_chart(shares, formats), around, formats), key="contributions")


def _measured(readers: Readers, coin: str) -> Score | None:
    """How the coin's forecasts of one hour fared live; None while none was scored."""
    try:
        live = readers.metrics(coin).live
    except (NotReady, DamagedFile):
        return None
    return None if live is None else live.by_horizon.get(_HOUR_MIN)


VIEW: Final = View("carteira", ":material/account_balance_wallet:", position=4, show=show, also=("portfolio", "wallet"))
