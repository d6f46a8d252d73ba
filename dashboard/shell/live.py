"""Parts of the page that redraw themselves when the data change, and only then."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from html import escape
from typing import Final, ParamSpec

import streamlit as st

from core.reading.status import assess_suite
from core.settings import Settings
from core.times import iso, now_ms
from dashboard.alert_reading import alert_stamp
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.shell.assets import loader
from dashboard.shell.context import ViewContext, readers_for

__all__ = ["age", "ages", "keep_current", "live", "start_page", "state_stamp"]

_KEYS: Final = "live_parts"
_LABELS: Final = {
    "Help for ": "help",
    "Download as CSV": "download",
    "Search": "search",
    "Fullscreen": "fullscreen",
    "Show/hide columns": "columns",
}
"""How labels of Streamlit's own buttons begin, and their texts in the catalogues."""

_Arguments = ParamSpec("_Arguments")

_page = st.components.v2.component(
    "page",
    js=loader("page.js", 'it.keepCurrent(component.data, (stamp) => component.setTriggerValue("changed", stamp))'),
    isolate_styles=False,
)


def state_stamp(settings: Settings) -> str:
    """Name the state of everything that pages show: prices, publications, problems of the suite."""
    readers = readers_for(settings)
    status = assess_suite(settings, readers)
    state = (readers.version(), status.source, status.notice, status.problems, alert_stamp(readers))
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]


def start_page() -> None:
    """Forget the live parts of the last run; each run of the whole page begins with this."""
    st.session_state[_KEYS] = []


def live(part: Callable[_Arguments, None], key: str) -> Callable[_Arguments, None]:
    """A part of the page that runs again, alone, whenever the data change; `key` tells it from the others."""
    st.session_state[_KEYS].append(key)
    return st.fragment(part, key=key)


def keep_current(view: ViewContext) -> None:
    """Let the browser count ages, name the page's language, and ask for the live parts when the data change."""
    _page(
        key="page",
        data={
            "language": view.texts.language,
            "stamp": state_stamp(view.settings),
            "labels": {english: view.texts(f"label.{name}") for english, name in _LABELS.items()},
        },
        on_changed_change=_draw_live_parts,
    )


def ages(price_ms: int | None, forecast_ms: int | None, formats: Formats, texts: Texts) -> str:
    """One line of HTML on the ages of price and forecast, which the browser keeps right; empty without a price."""
    if price_ms is None:
        return ""
    price = {"price_clock": formats.seconds(price_ms), "price_age": age(price_ms, formats)}
    if forecast_ms is None:
        line = texts("coin.age_only", **price)
    else:
        forecast = {"forecast_clock": formats.seconds(forecast_ms), "forecast_age": age(forecast_ms, formats)}
        line = texts("coin.ages", **price, **forecast)
    return f'<div class="quiet">{line}</div>'


def age(ts_ms: int, formats: Formats) -> str:
    """The age of a moment as HTML, which the browser keeps right."""
    text = escape(formats.duration((now_ms() - ts_ms) / 1000))
    return f'<time data-since="{ts_ms}" datetime="{iso(ts_ms)}">{text}</time>'


def _draw_live_parts() -> None:
    st.rerun(scope=st.session_state[_KEYS])
