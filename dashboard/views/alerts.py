"""View of alerts: a form for new rules, the rules with what holds now, what was told, and what could not be delivered.

Rules made here lie in alerts.db; channels and their secrets stand in alerts.toml alone.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from alerts.rules.settings import AlertSettings
from core.errors import StorageProblem
from core.processes.health_schema import ALERTS
from core.processes.heartbeat import read_health
from dashboard.alert_reading import alert_file, alerts_of
from dashboard.panels.alert_form import draw_form
from dashboard.panels.alert_lists import draw_dead_letters, draw_rules, draw_told
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.live import live
from dashboard.shell.notices import draw_switch

__all__ = ["VIEW", "show"]


def show(view: ViewContext) -> None:
    """Draw the page."""
    settings, problem = alert_file(view.settings)
    if problem is not None:
        sentence = f"{view.texts.translate(problem)}\n\n{view.texts('alerts.rules_before')}"
        st.error(escape_markdown(sentence), icon=":material/error:")
    draw_switch(view)
    draw_form(view, settings)
    live(_lists, "alert_lists")(view)


def _lists(view: ViewContext) -> None:
    settings, problem = alert_file(view.settings)
    with showing_errors(view):
        try:
            alerts = alerts_of(view.readers)
        except StorageProblem as error:
            st.warning(escape_markdown(view.texts.translate(error.message)), icon=":material/database_off:")
            return
        has_rules = any(stored.is_on for stored in alerts.rules) or bool(settings.rules)
        _remark(view, settings, has_rules=has_rules, is_file_right=problem is None)
        draw_rules(view, alerts, settings)
        draw_told(view, alerts.told)
        draw_dead_letters(view, alerts.dead)


def _remark(view: ViewContext, settings: AlertSettings, *, has_rules: bool, is_file_right: bool) -> None:
    """Say if nobody watches the rules, and how channels are set up where there are none."""
    is_watched = read_health(view.settings.run_dir, ALERTS).alive
    if has_rules and not is_watched:
        st.warning(view.texts("alerts.not_watched"), icon=":material/notifications_off:")
    if not settings.channels and is_file_right:
        st.caption(view.texts("alerts.no_channels"))


VIEW: Final = View(
    "alertas", ":material/notifications:", position=5, show=show, also=("alerta", "avisos", "alerts", "notificacoes")
)
