"""Notices of the browser: what is told while a page is open also appears outside of it, if the visitor wants so."""

from __future__ import annotations

from typing import Final

import streamlit as st

from alerts.messages import Wording, alert_text
from core.errors import DamagedFile, StorageProblem
from dashboard.alert_reading import alerts_of
from dashboard.shell.assets import loader
from dashboard.shell.context import ViewContext

__all__ = ["draw_switch", "tell_browser"]

_MOST: Final = 10

_notices = st.components.v2.component(
    "notices", js=loader("notices.js", "it.receive(component.data)"), isolate_styles=False
)
_switch = st.components.v2.component(
    "notice_switch",
    js=loader("notices.js", "it.drawSwitch(component.parentElement, component.data)"),
    isolate_styles=False,
)


def tell_browser(view: ViewContext) -> None:
    """Hand the browser what was told last; it shows what is new to it. Trouble with alerts.db has its page."""
    try:
        told = alerts_of(view.readers).told[:_MOST]
    except (DamagedFile, StorageProblem):
        return
    wording = Wording(view.texts.language, view.formats.zone, None, view.formats.currency, view.names)
    news = [
        {"key": one.alert.key, "title": one.alert.name, "text": alert_text(one.alert, wording), "at": one.recorded_ms}
        for one in told
        if one.held_until_ms is None
    ]
    if news:
        _notices(key="notices", data={"news": news})


def draw_switch(view: ViewContext) -> None:
    """Draw the button by which a visitor lets this browser show notices."""
    words = ("on", "off", "denied", "impossible")
    _switch(key="notice_switch", data={word: view.texts(f"notices.{word}") for word in words})
