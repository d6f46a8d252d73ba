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
from core.reading.readers import Readers
from core.reading.values import ForecastView, LoggedForecast, Quote
from core.times import HOUR_MS, now_ms
from core.workspace import Workspace
from dashboard.charts.figure import Chart, chart_json
from dashboard.charts.price import price_chart
from dashboard.charts.style import ChartStyle
from dashboard.charts.tables import steps_rows, text_table
from dashboard.charts.time_axis import WINDOWS
from dashboard.i18n.numbers import Formats
from dashboard.shell.chart import show_chart
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.query_choices import choose_coin, choose_window

__all__ = ["VIEW", "price_figure", "show"]


class _Delta(TypedDict):
    delta: str | None
    delta_color: DeltaColor
    delta_arrow: DeltaArrow


_LIVE_EVERY: Final = "2s"
_PAST_LIMIT: Final = 2100
"""More than the logged forecasts of a week, one every 5 minutes."""

_VISIBLE: Final = 0.005
"""Smaller changes, in percent, round to 0,00 % and have neither colour nor arrow."""


def show(view: ViewContext) -> None:
    """Draw the view; cards and chart are fragments that refresh without redrawing the rest."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="controls"):
        coin = choose_coin(view)
        window = choose_window(view)
        with_past = st.toggle(
            view.texts("overview.past"),
            key="anteriores",
            persist_state="session",
            help=view.texts("overview.past_help"),
        )
    st.fragment(_cards, run_every=_LIVE_EVERY)(view, coin)
    st.fragment(_chart, run_every=_LIVE_EVERY)(view, coin, window, with_past)


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
    past = _past(readers, coin, start_ms, newest_ms, window) if with_past else []
    first_ms = history[0][0] if history[0] else newest_ms
    since_ms = first_ms if first_ms - start_ms > HOUR_MS // 4 and start_ms else None
    figure = price_chart(history, _forecast(readers, coin), past, window, style)
    name = f"{quotes[coin].name} ({quotes[coin].symbol.upper()})" if coin in quotes else coin
    return chart_json(figure, _around(name, coin, window, readers.workspace(), style), style.formats), since_ms


def _around(name: str, coin: str, window: str, workspace: Workspace, style: ChartStyle) -> Chart:
    """Title, file name and text alternative of the price chart."""
    title = style.texts("overview.chart_title", coin=name, currency=style.formats.symbol, window=window)
    return Chart(
        title=title if style.watermark is None else f"{title} · {style.watermark}",
        file=f"{coin}-{window}-{workspace.currency}-{workspace.source.value}",
        alt=style.texts("overview.chart_alt", coin=name, window=window),
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
            if since_ms is not None:
                st.caption(escape_markdown(view.texts("overview.since", moment=view.formats.date_time(since_ms))))
        forecast = _forecast(view.readers, coin)
        if forecast is None:
            st.info(view.texts("waiting.forecast"), icon=":material/hourglass_top:")
        else:
            with st.expander(view.texts("overview.steps"), icon=":material/table_rows:"):
                rows = steps_rows(forecast, view.formats, view.texts)
                st.dataframe(text_table(rows), hide_index=True, key="steps_table")


def _cards(view: ViewContext, coin: str) -> None:
    with showing_errors(view):
        quote = next((quote for quote in view.readers.quotes() if quote.id == coin), None)
        if quote is None or quote.price is None:
            raise NotReady(view.texts("waiting.price", coin=view.names.get(coin, coin)))
        forecast = _forecast(view.readers, coin)
        with st.grid(6, min_column_width=150, gap="small", key="cards") as grid:
            _price_card(view, quote)
            if forecast is not None:
                _forecast_cards(view, grid, forecast, price_decimals(quote.price))
        st.caption(escape_markdown(_ages(view, quote, forecast)))


def _price_card(view: ViewContext, quote: Quote) -> None:
    change = quote.change_24h_percent
    st.metric(
        view.texts("overview.price_now"),
        escape_markdown(view.formats.price(quote.price)),
        delta_description=view.texts("overview.in_24h"),
        border=True,
        height="stretch",
        **_delta(view.formats, change),
    )


def _forecast_cards(view: ViewContext, grid: GridContainer, forecast: ForecastView, decimals: int) -> None:
    texts, formats = view.texts, view.formats
    step = forecast.steps[-1]
    change = 100.0 * (step.mean / forecast.price_origin - 1.0)
    st.metric(
        texts("overview.forecast_at", clock=escape_markdown(formats.clock(step.target_ms))),
        escape_markdown(formats.price(step.mean, decimals)),
        help=texts("overview.forecast_help"),
        border=True,
        height="stretch",
        **_delta(formats, change),
    )
    with grid.cell(column_span=2):
        _range_card(view, forecast)
    st.metric(
        texts("overview.p_up"),
        formats.percent(100 * step.p_up, 0),
        help=texts("overview.p_up_help"),
        border=True,
        height="stretch",
    )
    _model_card(view, forecast)


def _range_card(view: ViewContext, forecast: ForecastView) -> None:
    texts, formats = view.texts, view.formats
    quantiles = forecast.steps[-1].quantiles
    low, high = quantiles["q10"], quantiles["q90"]
    st.metric(
        texts("overview.range"),
        escape_markdown(f"{formats.symbol}\u00a0{formats.price_range(low, high)}"),
        f"± {formats.percent(50.0 * (high - low) / forecast.price_origin)}",
        delta_color="off",
        delta_arrow="off",
        delta_description=texts("overview.range_chance"),
        help=texts("overview.range_help"),
        border=True,
        height="stretch",
    )


def _model_card(view: ViewContext, forecast: ForecastView) -> None:
    trained = forecast.trained_ms if forecast.kind == KIND_MODEL else None
    st.metric(
        view.texts("overview.model"),
        view.texts(f"model.{forecast.kind}"),
        None if trained is None else view.texts("overview.trained", age=_age(view.formats, trained)),
        delta_color="off",
        delta_arrow="off",
        help=view.texts(f"model.{forecast.kind}_help"),
        border=True,
        height="stretch",
    )


def _ages(view: ViewContext, quote: Quote, forecast: ForecastView | None) -> str:
    """One line on the age of price and forecast."""
    formats = view.formats
    if quote.updated_ms is None:
        return ""
    price = {"price_clock": formats.seconds(quote.updated_ms), "price_age": _age(formats, quote.updated_ms)}
    if forecast is None:
        return view.texts("overview.age_only", **price)
    made = {"forecast_clock": formats.seconds(forecast.created_ms), "forecast_age": _age(formats, forecast.created_ms)}
    return view.texts("overview.ages", **price, **made)


def _forecast(readers: Readers, coin: str) -> ForecastView | None:
    try:
        return readers.forecast(coin)
    except NotReady:
        return None


def _past(readers: Readers, coin: str, start_ms: int, newest_ms: int, window: str) -> list[LoggedForecast]:
    """One-hour forecasts whose target lies in the window; every fourth of them for a week."""
    try:
        logged = readers.logged(coin, start_ms - HOUR_MS, newest_ms - HOUR_MS, _PAST_LIMIT)
    except NotReady:
        return []
    return logged[::4] if window == "7d" else logged


def _age(formats: Formats, ts_ms: int) -> str:
    return formats.duration((now_ms() - ts_ms) / 1000)


def _delta(formats: Formats, change: float | None) -> _Delta:
    """A change for `st.metric`: green and up, red and down, or grey if it rounds to zero."""
    text = None if change is None else formats.percent(change, signed=True)
    if change is None or abs(change) < _VISIBLE:
        return {"delta": text, "delta_color": "off", "delta_arrow": "off"}
    return {"delta": text, "delta_color": "normal", "delta_arrow": "up" if change > 0 else "down"}


VIEW: Final = View("moeda", ":material/show_chart:", position=1, show=show)
