"""Lists of alerts: the rules with what holds now, what was told, and what could not be delivered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import streamlit as st

from alerts.alert import Alert, AlertKind, Sight, alert_key
from alerts.delivery.failure import reason_text
from alerts.messages import Wording, alert_text
from alerts.rules.rule import Rule
from alerts.rules.settings import AlertSettings
from alerts.rules.text import rule_text
from alerts.store import AlertStore, DeadLetter, DeliveryState, StoredRule, Told
from core.errors import BadInput, DamagedFile, NotReady, StorageProblem, message_of
from core.times import now_ms
from dashboard.alert_reading import Alerts
from dashboard.charts.tables import text_table
from dashboard.shell.context import ViewContext, escape_markdown

__all__ = ["draw_dead_letters", "draw_rules", "draw_told"]

_MOST_NAMES: Final = 5
_FAILED: Final = "alert_failed"


@dataclass(frozen=True)
class _Listed:
    """A rule in the list; `stored` is None for one of alerts.toml."""

    rule: Rule
    stored: StoredRule | None

    @property
    def is_on(self) -> bool:
        """Whether it is watched."""
        return self.stored is None or self.stored.is_on


def draw_rules(view: ViewContext, alerts: Alerts, settings: AlertSettings) -> None:
    """Draw one box for each rule: its sentence, what holds now, and buttons."""
    texts = view.texts
    rules = [_Listed(stored.rule, stored) for stored in reversed(alerts.rules)]
    rules += [_Listed(rule, None) for rule in settings.rules]
    st.markdown(f"**{texts('alerts.rules')}**")
    if failed := st.session_state.pop(_FAILED, None):
        st.warning(escape_markdown(failed), icon=":material/error:")
    if not rules:
        st.info(texts("alerts.no_rules"), icon=":material/notifications_none:")
    for listed in rules:
        _draw_rule(view, listed, alerts)


def draw_told(view: ViewContext, told: Sequence[Told]) -> None:
    """Draw what was told, newest first, and how far it has come on each channel."""
    texts = view.texts
    st.markdown(f"**{texts('alerts.told')}**")
    if not told:
        st.caption(texts("alerts.nothing_told"))
        return
    rows = [
        {
            texts("alerts.when"): view.formats.day_time(one.recorded_ms),
            texts("alerts.what"): told_text(view, one.alert),
            texts("alerts.rule"): one.alert.name,
            texts("alerts.delivery"): _deliveries(view, one),
        }
        for one in told
    ]
    st.dataframe(text_table(rows), hide_index=True, key="alert_told")


def draw_dead_letters(view: ViewContext, dead: Sequence[DeadLetter]) -> None:
    """Draw the deliveries that were given up, each with a button that tries it again; nothing if there are none."""
    if not dead:
        return
    texts = view.texts
    st.markdown(f"**{texts('alerts.dead')}**")
    for letter in dead:
        with st.container(horizontal=True, vertical_alignment="center"):
            when = view.formats.day_time(letter.at_ms)
            reason = reason_text(letter.reason, texts.language)
            st.markdown(
                escape_markdown(f"{when} · {letter.delivery.channel} · {letter.delivery.alert.name}: {reason}"),
                width="stretch",
            )
            revive = partial(_revive, letter.delivery.id)
            _button(view, "alerts.again", "replay", f"alert_again_{letter.delivery.id}", revive)


def told_text(view: ViewContext, alert: Alert) -> str:
    """The sentences of an alert in the visitor's language and time zone."""
    return alert_text(alert, Wording(view.texts.language, view.formats.zone, None, view.formats.currency, view.names))


def _draw_rule(view: ViewContext, listed: _Listed, alerts: Alerts) -> None:
    texts, rule = view.texts, listed.rule
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"alert_rule_{rule.id}"):
        with st.container(gap=None):
            sentence = rule_text(rule, texts.language, view.names)
            st.markdown(f"**{escape_markdown(rule.name)}**")
            if sentence != rule.name:
                st.markdown(escape_markdown(sentence))
            st.caption(escape_markdown(" · ".join(_remarks(view, listed, alerts))))
        if listed.stored is not None:
            _rule_buttons(view, listed.stored)


def _remarks(view: ViewContext, listed: _Listed, alerts: Alerts) -> list[str]:
    texts, rule = view.texts, listed.rule
    holding = alerts.holding.get(rule.id, ())
    found = [", ".join(rule.channels) or texts("alerts.only_here")]
    if listed.stored is None:
        found.append("alerts.toml")
    if not listed.is_on:
        found.append(texts("alerts.off"))
    elif rule.id not in alerts.judged:
        found.append(texts("alerts.not_judged"))
    elif not rule.condition.is_switch:
        names = [view.names.get(name, name) for name in sorted(filter(None, holding))[:_MOST_NAMES]]
        more = f" + {len(holding) - _MOST_NAMES}" if len(holding) > _MOST_NAMES else ""
        holds = texts("alerts.holds", names=", ".join(names) + more) if names else texts("alerts.holds_now")
        found.append(holds if holding else texts("alerts.holds_not"))
    return found


def _rule_buttons(view: ViewContext, stored: StoredRule) -> None:
    number, rule = stored.number, stored.rule
    word, icon = ("off", "pause") if stored.is_on else ("on", "play_arrow")
    switch = lambda store: store.change_rule(number, rule, is_on=not stored.is_on)  # noqa: E731 - given to a button
    _button(view, f"alerts.switch_{word}", icon, f"alert_switch_{number}", switch)
    if rule.channels:
        _button(view, "alerts.try", "send", f"alert_try_{number}", partial(_try, view, rule))
    _button(view, "alerts.remove", "delete", f"alert_remove_{number}", lambda store: store.remove_rule(number))


def _button(view: ViewContext, text: str, icon: str, key: str, do: Callable[[AlertStore], object]) -> None:
    label = view.texts(text)
    st.button(label, icon=f":material/{icon}:", key=key, on_click=_change, args=(view, do), type="tertiary")


def _change(view: ViewContext, do: Callable[[AlertStore], object]) -> None:
    try:
        with AlertStore(view.readers.workspace().alerts) as store:
            do(store)
    except (BadInput, NotReady, DamagedFile, StorageProblem) as error:
        st.session_state[_FAILED] = view.texts.translate(message_of(error))


def _try(view: ViewContext, rule: Rule, store: AlertStore) -> None:
    """Send a test on the channels of a rule."""
    now = now_ms()
    sights = (Sight(None, now),)
    key = alert_key(rule.id, AlertKind.TEST, sights)
    source = view.readers.workspace().source.value
    test = Alert(key, rule.id, rule.name, rule.condition.KIND.value, AlertKind.TEST, sights, source, rule.channels)
    store.tell(test, now)


def _revive(delivery_id: int, store: AlertStore) -> None:
    store.revive(delivery_id, now_ms())


def _deliveries(view: ViewContext, one: Told) -> str:
    if one.held_until_ms is not None:
        return view.texts("alerts.held", until=f"{view.formats.local(one.held_until_ms):%H:%M}")
    states = {state: view.texts(f"alerts.state_{state}") for state in DeliveryState}
    return ", ".join(f"{channel}: {states[state]}" for channel, state in one.deliveries.items()) or "—"
