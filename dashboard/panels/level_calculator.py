"""Calculator: the chance that a coin ends above or below a level, and that it touches it before."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import streamlit as st

from core.errors import NotReady
from core.forecast_schema import HORIZONS_MIN
from core.number_format import price_decimals
from core.reading.answers import level_chance
from core.reading.values import ForecastView
from dashboard.i18n.numbers import Formats
from dashboard.i18n.typed_numbers import typed_number
from dashboard.shell.assets import loader
from dashboard.shell.context import ViewContext, escape_markdown
from dashboard.shell.query_choices import keep_value, kept_value, query_choice, take_other_language

__all__ = ["draw_calculator", "first_level"]

_HORIZONS: Final = tuple(str(horizon) for horizon in HORIZONS_MIN)
_LINE: Final = "level_line"
_LOCALES: Final = {"pt": "pt-BR", "en": "en-US"}

_line = st.components.v2.component(
    "level",
    js=loader(
        "level.js",
        'it.draw(component.parentElement, component.data, (moved) => component.setTriggerValue("moved", moved))',
    ),
    isolate_styles=False,
)


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
        if level is None:
            example = view.formats.number(first_level(forecast), price_decimals(forecast.price_origin))
            st.warning(escape_markdown(texts("coin.level_unread", example=example)), icon=":material/edit:")
            return
        _draw_line(view, coin, level, forecast)
        _chances(view, forecast, level, int(horizon))


def first_level(forecast: ForecastView) -> float:
    """The level offered first: the upper end of the 80 % range in an hour, as prices are written."""
    return round(forecast.steps[-1].quantiles["q90"], price_decimals(forecast.price_origin))


def _level(view: ViewContext, coin: str, forecast: ForecastView) -> float | None:
    """The level that the visitor typed for this coin, kept in the address as `?nivel=bitcoin:67500`; None if unread."""
    decimals, language = price_decimals(forecast.price_origin), view.texts.language
    key = _field(coin, language)
    if key not in st.session_state:
        take_other_language(f"nivel_{coin}", language)
        of_coin, _, kept = kept_value("nivel").partition(":")
        level = (_positive(typed_number(kept, "en")) if of_coin == coin else None) or first_level(forecast)
        st.session_state[key] = view.formats.number(level, decimals)
    label = view.texts("coin.level", symbol=view.formats.symbol)
    typed = st.text_input(
        label,
        key=key,
        width=190,
        max_chars=30,
        persist_state="session",
        on_change=_keep_typed,
        args=(coin, language, decimals),
    )
    return _positive(typed_number(typed.strip(), language))


def _draw_line(view: ViewContext, coin: str, level: float, forecast: ForecastView) -> None:
    """Draw the level over the chart of prices, where it can be dragged."""
    decimals = price_decimals(forecast.price_origin)
    data: dict[str, Any] = {
        "coin": coin,
        "level": level,
        "decimals": decimals,
        "locale": _LOCALES[view.texts.language],
        "label": view.texts("coin.level_line", symbol=view.formats.symbol),
    }
    _line(key=_LINE, data=data, on_moved_change=partial(_take_moved, coin, view.formats, decimals))


def _field(coin: str, language: str) -> str:
    return f"nivel_{coin}_{language}"


def _chances(view: ViewContext, forecast: ForecastView, level: float, horizon_min: int) -> None:
    chance = level_chance(forecast, level, horizon_min)
    shares = {"above": chance.above, "below": chance.below, "touch": chance.touch}
    with st.grid(3, min_column_width=90, gap="small"):
        for name, share in shares.items():
            text = view.formats.percent(None if share is None else 100 * share, 1)
            st.metric(view.texts(f"coin.{name}"), escape_markdown(text), border=True, height="stretch")


def _keep_typed(coin: str, language: str, decimals: int) -> None:
    level = _positive(typed_number(str(st.session_state[_field(coin, language)]).strip(), language))
    if level is not None:
        keep_value("nivel", f"{coin}:{level:.{decimals}f}")


def _take_moved(coin: str, formats: Formats, decimals: int) -> None:
    """Take the level to which the line was dragged, if it still belongs to this coin."""
    match st.session_state[_LINE].moved:
        case {"coin": str(of_coin), "level": float() | int() as level} if of_coin == coin and _positive(level):
            st.session_state[_field(coin, formats.language)] = formats.number(level, decimals)
            _keep_typed(coin, formats.language, decimals)


def _positive(value: float | None) -> float | None:
    return value if value is not None and 0 < value < float("inf") else None
