"""View of one coin: its price, the forecast of the next hour, and a live chart of both."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypedDict

import streamlit as st
from streamlit.elements.lib.grid_container import GridContainer
from streamlit.elements.metric import DeltaArrow, DeltaColor

from core.errors import NotReady
from core.forecast_schema import KIND_MODEL
from core.number_format import price_decimals
from core.reading.answers import outlook
from core.reading.readers import Readers
from core.reading.track_record import PastForecasts, RangeCount, count_inside, past_forecasts
from core.reading.values import ForecastView, Quote
from core.times import HOUR_MS, now_ms
from core.workspace import Workspace
from dashboard.charts.coin_words import window_sentence
from dashboard.charts.figure import Chart, chart_json
from dashboard.charts.price import price_chart
from dashboard.charts.style import ChartStyle
from dashboard.charts.tables import steps_rows, text_table
from dashboard.charts.time_axis import WINDOWS
from dashboard.i18n.numbers import Formats
from dashboard.panels.coin_outlook import draw_outlook, draw_reasons
from dashboard.panels.level_calculator import draw_calculator
from dashboard.shell.chart import show_chart
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.live import age, live
from dashboard.shell.query_choices import choose_coin, choose_window, keep_value, kept_value

__all__ = ["VIEW", "price_figure", "show", "show_coin"]


class _Delta(TypedDict):
    delta: str | None
    delta_color: DeltaColor
    delta_arrow: DeltaArrow


_VISIBLE: Final = 0.005
"""Smaller changes, in percent, round to 0,00 % and have neither colour nor arrow."""


def show(view: ViewContext) -> None:
    """Draw the view; cards and chart are fragments that refresh without redrawing the rest."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        coin = choose_coin(view)
        window = choose_window(view)
        with_past = _choose_past(view)
    show_coin(view, coin, window, with_past=with_past)
    live(_answers, "answers")(view, coin)


def show_coin(view: ViewContext, coin: str, window: str, *, with_past: bool = False) -> None:
    """Draw sentence, cards and chart of a coin, which stay current."""
    live(_outlook, "outlook")(view, coin)
    live(_cards, "cards")(view, coin)
    live(_chart, "chart")(view, coin, window, with_past)


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


def _answers(view: ViewContext, coin: str) -> None:
    with showing_errors(view):
        draw_calculator(view, coin)
        draw_reasons(view, coin)


@lru_cache(maxsize=8)
def price_figure(
    readers: Readers, _version: str, coin: str, window: str, *, with_past: bool, style: ChartStyle
) -> tuple[bytes, int | None]:
    """The price chart of one version of the data, as JSON for every visitor's browser.

    Returns:
        The chart, and the time of the first price if the history does not fill the window yet, else None.
    """
    quotes = {quote.id: quote for quote in readers.quotes()}
    newest_ms = (quotes[coin].updated_ms if coin in quotes else None) or now_ms()
    start_ms = max(0, newest_ms - WINDOWS[window])
    history = readers.series(coin, start_ms)
    past = past_forecasts(readers, coin, start_ms, newest_ms) if with_past else PastForecasts((), ())
    first_ms = history[0][0] if history[0] else newest_ms
    since_ms = first_ms if first_ms - start_ms > HOUR_MS // 4 and start_ms else None
    figure = price_chart(history, _forecast(readers, coin), past, window, style)
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


def _chart(view: ViewContext, coin: str, window: str, with_past: bool) -> None:
    with showing_errors(view):
        chart, since_ms = price_figure(
            view.readers, view.readers.version(), coin, window, with_past=with_past, style=view.chart_style
        )
        with st.container(border=True, key="price_chart"):
            show_chart(chart, key="price")
            if with_past:
                st.caption(escape_markdown(_counted(view, coin, window)))
            if since_ms is not None:
                st.caption(escape_markdown(view.texts("coin.since", moment=view.formats.date_time(since_ms))))
        forecast = _forecast(view.readers, coin)
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


def _cards(view: ViewContext, coin: str) -> None:
    with showing_errors(view):
        quote = next((quote for quote in view.readers.quotes() if quote.id == coin), None)
        if quote is None or quote.price is None:
            raise NotReady(view.texts("waiting.price", coin=view.names.get(coin, coin)))
        forecast = _forecast(view.readers, coin)
        with st.grid(6, min_column_width=140, gap="small", key="cards") as grid:
            _price_card(view, quote)
            if forecast is not None:
                _forecast_cards(view, grid, forecast, price_decimals(quote.price))
        st.html(f'<div class="quiet">{_ages(view, quote, forecast)}</div>')


def _price_card(view: ViewContext, quote: Quote) -> None:
    change = quote.change_24h_percent
    st.metric(
        view.texts("coin.price_now"),
        escape_markdown(view.formats.price(quote.price)),
        delta_description=view.texts("coin.in_24h"),
        border=True,
        height="stretch",
        **_delta(view.formats, change),
    )


def _forecast_cards(view: ViewContext, grid: GridContainer, forecast: ForecastView, decimals: int) -> None:
    """The cards of the next hour; forecast and chance of a rise only where they differ from price and one half."""
    texts, formats = view.texts, view.formats
    step = forecast.steps[-1]
    with grid.cell(column_span=2):
        _range_card(view, forecast)
    _activity_cards(view, forecast)
    if formats.price(step.mean, decimals) != formats.price(forecast.price_origin, decimals):
        st.metric(
            texts("coin.forecast_at", clock=formats.clock(step.target_ms)),
            escape_markdown(formats.price(step.mean, decimals)),
            help=texts("coin.forecast_help"),
            border=True,
            height="stretch",
            **_delta(formats, 100.0 * (step.mean / forecast.price_origin - 1.0)),
        )
    if formats.percent(100 * step.p_up, 0) != formats.percent(50.0, 0):
        chance = formats.percent(100 * step.p_up, 0)
        st.metric(texts("coin.p_up"), chance, help=texts("coin.p_up_help"), border=True, height="stretch")
    _model_card(view, forecast)


def _activity_cards(view: ViewContext, forecast: ForecastView) -> None:
    texts, formats = view.texts, view.formats
    known = outlook(view.readers, forecast.coin_id)
    move = f"±\u00a0{formats.percent(100 * known.expected_move)}"
    st.metric(texts("coin.move"), move, help=texts("market.movimento_help"), border=True, height="stretch")
    if known.regime is not None and known.activity_percentile is not None:
        st.metric(
            texts("coin.activity"),
            texts(f"regime.{known.regime}"),
            texts("coin.busier_than", percentile=formats.percent(known.activity_percentile, 0)),
            delta_color="off",
            delta_arrow="off",
            help=texts("market.regime_help"),
            border=True,
            height="stretch",
        )


def _range_card(view: ViewContext, forecast: ForecastView) -> None:
    texts, formats = view.texts, view.formats
    quantiles = forecast.steps[-1].quantiles
    low, high = quantiles["q10"], quantiles["q90"]
    st.metric(
        texts("coin.range"),
        escape_markdown(formats.amount(formats.price_range(low, high))),
        f"± {formats.percent(50.0 * (high - low) / forecast.price_origin)}",
        delta_color="off",
        delta_arrow="off",
        delta_description=texts("coin.range_chance"),
        help=texts("coin.range_help"),
        border=True,
        height="stretch",
    )


def _model_card(view: ViewContext, forecast: ForecastView) -> None:
    trained = forecast.trained_ms if forecast.kind == KIND_MODEL else None
    st.metric(
        view.texts("coin.model"),
        view.texts(f"model.{forecast.kind}"),
        None if trained is None else escape_markdown(view.texts("coin.trained", clock=view.formats.clock(trained))),
        delta_color="off",
        delta_arrow="off",
        help=view.texts(f"model.{forecast.kind}_help"),
        border=True,
        height="stretch",
    )


def _ages(view: ViewContext, quote: Quote, forecast: ForecastView | None) -> str:
    """One line of HTML on the age of price and forecast."""
    formats = view.formats
    if quote.updated_ms is None:
        return ""
    price = {"price_clock": formats.seconds(quote.updated_ms), "price_age": age(quote.updated_ms, formats)}
    if forecast is None:
        return view.texts("coin.age_only", **price)
    made = {"forecast_clock": formats.seconds(forecast.created_ms), "forecast_age": age(forecast.created_ms, formats)}
    return view.texts("coin.ages", **price, **made)


def _forecast(readers: Readers, coin: str) -> ForecastView | None:
    try:
        return readers.forecast(coin)
    except NotReady:
        return None


def _delta(formats: Formats, change: float | None) -> _Delta:
    """A change for `st.metric`: green and up, red and down, or grey if it rounds to zero."""
    text = None if change is None else formats.percent(change, signed=True)
    if change is None or abs(change) < _VISIBLE:
        return {"delta": text, "delta_color": "off", "delta_arrow": "off"}
    return {"delta": text, "delta_color": "normal", "delta_arrow": "up" if change > 0 else "down"}


VIEW: Final = View("moeda", ":material/show_chart:", position=1, show=show)
