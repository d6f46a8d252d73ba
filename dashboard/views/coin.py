"""View of one coin: its price, the forecast of the next hour, and a live chart of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import streamlit as st

from core.errors import NotReady
from core.reading.readers import Readers
from core.reading.track_record import PastForecasts, RangeCount, count_inside, past_forecasts
from core.reading.values import ForecastView
from core.times import HOUR_MS, now_ms
from core.workspace import Workspace
from dashboard.charts.coin_words import window_sentence
from dashboard.charts.figure import Chart, chart_json
from dashboard.charts.price import price_chart
from dashboard.charts.style import ChartStyle
from dashboard.charts.tables import steps_rows, text_table
from dashboard.charts.time_axis import WINDOWS
from dashboard.panels.coin_cards import draw_cards
from dashboard.panels.coin_outlook import draw_outlook, draw_reasons
from dashboard.panels.level_calculator import draw_calculator
from dashboard.shell.chart import show_chart
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.live import live
from dashboard.shell.query_choices import choose_coin, choose_window, keep_value, kept_value, query_choice, segmented

__all__ = ["VIEW", "CoinChart", "price_figure", "show", "show_coin"]

_FORMS: Final = {"linha": ":material/show_chart:", "velas": ":material/candlestick_chart:"}


@dataclass(frozen=True)
class CoinChart:
    """What the chart of a coin shows: coin, window, whether past forecasts are laid over, and candles or a line."""

    coin: str
    window: str
    with_past: bool = False
    as_candles: bool = False


def show(view: ViewContext) -> None:
    """Draw the view; cards and chart are fragments that refresh without redrawing the rest."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        coin = choose_coin(view)
        window = choose_window(view)
        form = query_choice("forma", tuple(_FORMS), "linha", segmented(view.texts("coin.form")), _FORMS.__getitem__)
        with_past = _choose_past(view)
    show_coin(view, CoinChart(coin, window, with_past, form == "velas"))
    live(_answers, "answers")(view, coin)


def show_coin(view: ViewContext, shown: CoinChart) -> None:
    """Draw sentence, cards and chart of a coin, which stay current."""
    live(_outlook, "outlook")(view, shown.coin)
    live(_cards, "cards")(view, shown.coin)
    live(_chart, "chart")(view, shown)


def _choose_past(view: ViewContext) -> bool:
    """Whether past forecasts are laid over the prices; kept in the address as `?anteriores=`."""
    shown = st.toggle(
        view.texts("coin.past"),
        value=kept_value("anteriores", "sim") == "sim",
        key="ver_anteriores",
        persist_state="session",
        help=view.texts("coin.past_help"),
    )
    keep_value("anteriores", "sim" if shown else "nao")
    return shown


def _outlook(view: ViewContext, coin: str) -> None:
    with showing_errors(view):
        draw_outlook(view, coin)


def _cards(view: ViewContext, coin: str) -> None:
    with showing_errors(view):
        draw_cards(view, coin, _forecast(view.readers, coin))


def _answers(view: ViewContext, coin: str) -> None:
    with showing_errors(view):
        draw_calculator(view, coin)
        draw_reasons(view, coin)


@lru_cache(maxsize=8)
def price_figure(readers: Readers, _version: str, shown: CoinChart, style: ChartStyle) -> tuple[bytes, int | None]:
    """The price chart of one version of the data, as JSON for every visitor's browser.

    Returns:
        The chart, and the time of the first price if the history does not fill the window yet, else None.
    """
    coin, window = shown.coin, shown.window
    quotes = {quote.id: quote for quote in readers.quotes()}
    newest_ms = (quotes[coin].updated_ms if coin in quotes else None) or now_ms()
    start_ms = max(0, newest_ms - WINDOWS[window])
    history = readers.series(coin, start_ms)
    past = past_forecasts(readers, coin, start_ms, newest_ms) if shown.with_past else PastForecasts((), ())
    first_ms = history[0][0] if history[0] else newest_ms
    since_ms = first_ms if first_ms - start_ms > HOUR_MS // 4 and start_ms else None
    figure = price_chart(history, _forecast(readers, coin), past, window, style, as_candles=shown.as_candles)
    name = f"{quotes[coin].name} ({quotes[coin].symbol.upper()})" if coin in quotes else coin
    return chart_json(figure, _around(name, coin, window, readers.workspace(), style), style.formats), since_ms


def _around(name: str, coin: str, window: str, workspace: Workspace, style: ChartStyle) -> Chart:
    """Title, file name and text alternative of the price chart."""
    title = style.texts(
        "coin.chart_title", coin=name, currency=style.formats.symbol, window=style.texts(f"window.{window}")
    )
    return Chart(
        title=title if style.watermark is None else f"{title} · {style.watermark}",
        file=f"{coin}-{window}-{workspace.currency}-{workspace.source.value}",
        alt=style.texts("coin.chart_alt", coin=name, window=style.texts(f"window.{window}")),
        view=f"{coin} {window}",
        live=True,
        clock=True,
    )


def _chart(view: ViewContext, shown: CoinChart) -> None:
    with showing_errors(view):
        chart, since_ms = price_figure(view.readers, view.readers.version(), shown, view.chart_style)
        with st.container(border=True, key="price_chart"):
            show_chart(chart, key="price")
            if shown.with_past:
                st.caption(escape_markdown(_counted(view, shown.coin, shown.window)))
            if since_ms is not None:
                st.caption(escape_markdown(view.texts("coin.since", moment=view.formats.date_time(since_ms))))
        forecast = _forecast(view.readers, shown.coin)
        if forecast is None:
            st.info(view.texts("waiting.forecast"), icon=":material/hourglass_top:")
        else:
            _steps(view, forecast)


def _steps(view: ViewContext, forecast: ForecastView) -> None:
    """The next hour as a table, which is sent only while it is open."""
    label = view.texts("coin.steps")
    with st.expander(label, icon=":material/table_rows:", key="steps", on_change="rerun") as steps:
        if steps.open:
            rows = steps_rows(forecast, view.formats, view.texts)
            st.dataframe(text_table(rows), hide_index=True, height="content", key="steps_table")


def _counted(view: ViewContext, coin: str, window: str) -> str:
    """How many of the past forecasts in the chart were right."""
    newest_ms = next((quote.updated_ms for quote in view.readers.quotes() if quote.id == coin), None) or now_ms()

    def count() -> tuple[RangeCount, RangeCount]:
        past = past_forecasts(view.readers, coin, max(0, newest_ms - WINDOWS[window]), newest_ms)
        return count_inside(past.live), count_inside(past.backtest)

    live, backtest = view.readers.cached(f"counted {coin} {window}", view.readers.version(), count)
    return window_sentence(live, backtest, view.formats, view.texts)


def _forecast(readers: Readers, coin: str) -> ForecastView | None:
    try:
        return readers.forecast(coin)
    except NotReady:
        return None


VIEW: Final = View("moeda", ":material/show_chart:", position=1, show=show, also=("previsao", "coin", "forecast"))
