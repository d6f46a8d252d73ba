"""Cards of a coin: its price now, and the forecast of the next hour in numbers."""

from __future__ import annotations

from typing import Final, TypedDict

import streamlit as st
from streamlit.elements.lib.grid_container import GridContainer
from streamlit.elements.metric import DeltaArrow, DeltaColor

from core.errors import NotReady
from core.forecast_schema import KIND_MODEL
from core.number_format import price_decimals
from core.reading.answers import outlook
from core.reading.values import ForecastView, Quote
from dashboard.i18n.numbers import Formats
from dashboard.shell.context import ViewContext, escape_markdown
from dashboard.shell.live import ages

__all__ = ["draw_cards"]


class _Delta(TypedDict):
    delta: str | None
    delta_color: DeltaColor
    delta_arrow: DeltaArrow


_VISIBLE: Final = 0.005
"""Smaller changes, in percent, round to 0,00 % and have neither colour nor arrow."""


def draw_cards(view: ViewContext, coin: str, forecast: ForecastView | None) -> None:
    """Draw the cards of a coin and the age of what they say.

    Raises:
        NotReady: the coin has no price yet.
    """
    quote = next((quote for quote in view.readers.quotes() if quote.id == coin), None)
    if quote is None or quote.price is None:
        raise NotReady(view.texts("waiting.price", coin=view.names.get(coin, coin)))
    with st.grid(6, min_column_width=140, gap="small", key="cards") as grid:
        _price_card(view, quote)
        if forecast is not None:
            _forecast_cards(view, grid, forecast, price_decimals(quote.price))
    st.html(ages(quote.updated_ms, forecast.created_ms if forecast else None, view.formats, view.texts))


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


def _delta(formats: Formats, change: float | None) -> _Delta:
    """A change for `st.metric`: green and up, red and down, or grey if it rounds to zero."""
    text = None if change is None else formats.percent(change, signed=True)
    if change is None or abs(change) < _VISIBLE:
        return {"delta": text, "delta_color": "off", "delta_arrow": "off"}
    return {"delta": text, "delta_color": "normal", "delta_arrow": "up" if change > 0 else "down"}
