"""View that compares coins: on one scale, by correlation, and by how much they are expected to move."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import combinations, islice
from typing import Final

import streamlit as st

from core.errors import NotReady
from core.reading.answers import HourAhead, hours_ahead
from core.reading.readers import Readers
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, now_ms
from dashboard.charts.co_movement import Hour, Liveliness, correlations, default_coins, hourly_changes, liveliness
from dashboard.charts.comparison import comparison_chart, moves_chart
from dashboard.charts.figure import Chart, chart_json
from dashboard.charts.palette import CATEGORIES
from dashboard.charts.style import ChartStyle
from dashboard.charts.tables import correlation_table, liveliness_table
from dashboard.charts.time_axis import WINDOWS
from dashboard.shell.chart import show_chart
from dashboard.shell.context import View, ViewContext, showing_errors
from dashboard.shell.live import live
from dashboard.shell.query_choices import choose_window, query_choices

__all__ = ["VIEW", "comparison_figure", "lively_coins", "moves_figure", "show"]

_FIRST_SHOWN: Final = 5
_CORRELATED_MS: Final = 7 * DAY_MS
_USUAL_MS: Final = DAY_MS
_MAX_RANKED: Final = 250


def show(view: ViewContext) -> None:
    """Draw the choices of coins and window, and the comparisons."""
    texts, names = view.texts, view.names
    window = choose_window(view)
    box = partial(st.multiselect, texts("comparison.coins"), placeholder=texts("comparison.choose"))
    first = default_coins(view.quotes, _hours(view.readers), _FIRST_SHOWN)
    coins = tuple(query_choices("moedas", tuple(names), first, box, lambda coin: names[coin], most=len(CATEGORIES)))
    live(_chart, "chart")(view, coins, window)
    live(_correlations, "correlations")(view, coins)
    live(_moves, "moves")(view, coins)


@lru_cache(maxsize=8)
def comparison_figure(readers: Readers, _version: str, coins: tuple[str, ...], window: str, style: ChartStyle) -> bytes:
    """The comparison chart of one version of the data, as JSON."""
    quotes = {quote.id: quote for quote in readers.quotes()}
    newest_ms = max((quote.updated_ms or 0 for quote in quotes.values()), default=0)
    series = {coin: readers.series(coin, max(0, newest_ms - WINDOWS[window])) for coin in coins}
    names = {coin: f"{quotes[coin].name} ({quotes[coin].symbol.upper()})" for coin in coins if coin in quotes}
    figure = comparison_chart(series, names, _symbols(readers), window, style)
    alt = style.texts("comparison.alt", window=style.texts(f"window.{window}"))
    return chart_json(figure, _around(readers, alt, f"comparacao-{window}", window), style.formats)


@lru_cache(maxsize=256)
def changes_of(readers: Readers, coin: str, until_ms: int, span_ms: int) -> Mapping[Hour, float]:
    """Hourly changes of a coin; callers round `until_ms` to save work."""
    return hourly_changes(readers.series(coin, until_ms - span_ms, HOUR_MS), readers.first_ms(coin))


@lru_cache(maxsize=4)
def lively_coins(readers: Readers, _publication: str, until_ms: int) -> tuple[Liveliness, ...]:
    """Expected and recent moves of the largest coins that have a forecast, for one publication."""
    known = _hours(readers)
    largest = islice((coin.id for coin in readers.coins() if coin.id in known), _MAX_RANKED)
    hours = {coin: known[coin] for coin in largest}
    return tuple(liveliness(hours, {coin: changes_of(readers, coin, until_ms, _USUAL_MS) for coin in hours}))


@lru_cache(maxsize=8)
def moves_figure(readers: Readers, publication: str, until_ms: int, coins: tuple[str, ...], style: ChartStyle) -> bytes:
    """The chart of expected against recent moves, as JSON."""
    rows = [row for row in lively_coins(readers, publication, until_ms) if row.coin in coins]
    title = style.texts("comparison.moves")
    figure = moves_chart(rows, _symbols(readers), style)
    return chart_json(figure, _around(readers, title, "comparacao-movimentos", ",".join(coins)), style.formats)


def _chart(view: ViewContext, coins: tuple[str, ...], window: str) -> None:
    with showing_errors(view), st.container(border=True, key="comparison_chart"):
        if not coins:
            st.info(view.texts("comparison.none"), icon=":material/touch_app:")
            return
        figure = comparison_figure(view.readers, view.readers.version(), coins, window, view.chart_style)
        show_chart(figure, key="comparison")
        st.caption(view.texts("comparison.about"))


def _correlations(view: ViewContext, coins: tuple[str, ...]) -> None:
    """How closely the hourly changes of the chosen coins go together."""
    if len(coins) < 2:
        return
    texts = view.texts
    with showing_errors(view), st.container(border=True, key="correlation_card"):
        st.markdown(f"**{texts('comparison.correlation')}**", help=texts("comparison.correlation_help"))
        changes = {coin: changes_of(view.readers, coin, _until_ms(), _CORRELATED_MS) for coin in coins}
        symbols = _symbols(view.readers)
        labels = {coin: symbols.get(coin, coin) for coin in coins}
        st.dataframe(correlation_table(correlations(changes), _distinct(labels), view.formats), key="correlation_table")
        common = max(len(one.keys() & other.keys()) for one, other in combinations(changes.values(), 2))
        st.caption(texts("comparison.hours", count=view.formats.number(common)))


def _moves(view: ViewContext, coins: tuple[str, ...]) -> None:
    """Expected against recent moves: the chosen coins as points, all coins as a ranking."""
    texts = view.texts
    with showing_errors(view), st.container(border=True, key="moves_card"):
        st.markdown(f"**{texts('comparison.moves')}**", help=texts("comparison.moves_help"))
        publication = view.readers.publication_version()
        rows = lively_coins(view.readers, publication, _until_ms())
        if not rows:
            st.info(texts("waiting.forecast"), icon=":material/hourglass_top:")
            return
        if coins:
            show_chart(moves_figure(view.readers, publication, _until_ms(), coins, view.chart_style), key="moves")
        st.dataframe(liveliness_table(rows, view.names, view.formats, texts), hide_index=True, key="liveliness_table")


def _hours(readers: Readers) -> Mapping[str, HourAhead]:
    """The next hour of every coin; empty before the first forecast."""
    try:
        return hours_ahead(readers)
    except NotReady:
        return {}


def _until_ms() -> int:
    return now_ms() // GRID_STEP_MS * GRID_STEP_MS


def _symbols(readers: Readers) -> dict[str, str]:
    return {quote.id: quote.symbol.upper() for quote in readers.quotes()}


def _distinct(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels of which no two are the same: coins that share a symbol go by their id."""
    shown = list(labels.values())
    return {coin: label if shown.count(label) == 1 else coin for coin, label in labels.items()}


def _around(readers: Readers, title: str, file: str, shown: str) -> Chart:
    return Chart(title=title, file=f"{file}-{readers.workspace().source.value}", alt=title, view=shown, live=True)


VIEW: Final = View(
    "comparacao", ":material/stacked_line_chart:", position=3, show=show, also=("comparar", "comparison", "compare")
)
