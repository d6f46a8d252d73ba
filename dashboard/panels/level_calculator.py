"""Calculator: the chance that a coin ends above or below a level, and that it touches it before."""

from __future__ import annotations

from functools import partial
from typing import Final

import streamlit as st

from core.errors import NotReady
from core.forecast_schema import HORIZONS_MIN
from core.number_format import price_decimals
from core.reading.answers import level_chance
from core.reading.values import ForecastView
from dashboard.shell.context import ViewContext, escape_markdown
from dashboard.shell.query_choices import keep_value, kept_value, query_choice

__all__ = ["draw_calculator", "first_level"]

_HORIZONS: Final = tuple(str(horizon) for horizon in HORIZONS_MIN)


def draw_calculator(view: ViewContext, coin: str) -> None:
    """Draw the fields for level and horizon, and the chances; without a forecast there is nothing to draw."""
    try:
        forecast = view.readers.forecast(coin)
    except NotReady:
        return
    texts = view.texts
    with st.container(border=True, key="calculator"):
        st.markdown(f"**{texts('coin.calculator')}**", help=texts("coin.calculator_help"))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            level = _level(view, coin, forecast)
            box = partial(st.selectbox, texts("coin.horizon"), width=110)
            horizon = query_choice("minutos", _HORIZONS, _HORIZONS[-1], box, lambda name: f"{name}\u00a0min")
        _chances(view, forecast, level, int(horizon))


def first_level(forecast: ForecastView) -> float:
    """The level offered first: the upper end of the 80 % range in an hour, as prices are written."""
    return round(forecast.steps[-1].quantiles["q90"], price_decimals(forecast.price_origin))


def _level(view: ViewContext, coin: str, forecast: ForecastView) -> float:
    """The level that the visitor typed for this coin, kept in the address as `?nivel=bitcoin:67500`."""
    decimals = price_decimals(forecast.price_origin)
    key = f"nivel_{coin}"
    if key not in st.session_state:
        of_coin, _, kept = kept_value("nivel").partition(":")
        st.session_state[key] = (_positive(kept) if of_coin == coin else None) or first_level(forecast)
    return st.number_input(
        view.texts("coin.level", symbol=view.formats.symbol), key=key, min_value=10.0**-decimals,
        step=10.0**-decimals, format=f"%.{decimals}f", width=190, persist_state="session",
        on_change=_keep_level, args=(coin, decimals),
    )  # fmt: skip


def _chances(view: ViewContext, forecast: ForecastView, level: float, horizon_min: int) -> None:
    chance = level_chance(forecast, level, horizon_min)
    shares = {"above": chance.above, "below": chance.below, "touch": chance.touch}
    with st.grid(3, min_column_width=90, gap="small"):
        for name, share in shares.items():
            text = view.formats.percent(None if share is None else 100 * share, 1)
            st.metric(view.texts(f"coin.{name}"), escape_markdown(text), border=True, height="stretch")


def _keep_level(coin: str, decimals: int) -> None:
    keep_value("nivel", f"{coin}:{st.session_state[f'nivel_{coin}']:.{decimals}f}")


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None
