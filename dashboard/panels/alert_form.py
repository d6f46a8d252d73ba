"""Form for a new rule of alerts: the condition, where it is watched, how it is told, and the sentence it makes."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import streamlit as st

from alerts.rule_trial import try_rule
from alerts.rules.condition import ConditionKind
from alerts.rules.rule import CONDITIONS, Rule
from alerts.rules.settings import AlertSettings
from alerts.rules.text import rule_text
from alerts.store import AlertStore
from core.errors import BadInput, DamagedFile, NotReady, StorageProblem, message_of
from core.number_format import price_decimals
from dashboard.alert_draft import COIN_SCOPES, DraftField, FieldKind, draft_fields, first_text, rule_of
from dashboard.i18n.typed_numbers import translated
from dashboard.shell.context import ViewContext, escape_markdown
from dashboard.shell.query_choices import is_emptied, query_choice, session_choices, take_other_language

__all__ = ["draw_form"]

_PAUSES: Final = ("5m", "30m", "1h", "6h", "1d")
_FIRST_PAUSE: Final = "30m"
_SAID: Final = "alert_said"
_COINS: Final = "alert_coins"
_COLUMNS: Final = 3
_MOST_NAMES: Final = 5


def draw_form(view: ViewContext, settings: AlertSettings) -> None:
    """Draw the form; its button stores the rule in alerts.db, where the alert process finds it."""
    texts = view.texts
    with st.container(border=True, key="alert_form"):
        st.markdown(f"**{texts('alerts.new')}**")
        with st.grid(_COLUMNS, min_column_width=230, gap="small"):
            kind = _condition(view)
            coins: tuple[str, ...] = _coins(view) if CONDITIONS[kind].SCOPE in COIN_SCOPES else ()
            channels = _channels(view, settings)
        typed = _fields(view, kind, coins)
        common = {"moedas": coins, "canais": channels, **_more(view, settings, kind)}
        rule: Rule | None = None
        try:
            if CONDITIONS[kind].SCOPE in COIN_SCOPES and is_emptied(_COINS):
                raise BadInput(texts("choices.choose_coin"))
            rule = rule_of(kind, typed, common, texts.language, view.names)
            st.markdown(f":material/notifications: {escape_markdown(rule_text(rule, texts.language, view.names))}")
            st.caption(escape_markdown(_trial_text(view, rule)))
        except BadInput as error:
            st.caption(f":material/edit: {escape_markdown(texts.translate(message_of(error)))}")
        add = partial(_add, view, rule)
        st.button(texts("alerts.create"), type="primary", on_click=add, disabled=rule is None, key="alert_create")
        if said := st.session_state.pop(_SAID, None):
            st.warning(escape_markdown(said), icon=":material/error:")


def _condition(view: ViewContext) -> ConditionKind:
    box = partial(st.selectbox, view.texts("alerts.condition"))
    names = tuple(kind.value for kind in ConditionKind)
    label = lambda name: view.texts(f"alert_condition.{name}")  # noqa: E731 - one expression, used once
    return ConditionKind(query_choice("condicao", names, ConditionKind.PRICE_ABOVE.value, box, label))


def _coins(view: ViewContext) -> tuple[str, ...]:
    """Ids of the coins chosen, at first the one of the other pages; none stands for all."""
    names = view.names
    here = st.session_state.get("moeda") or st.query_params.get("moeda")
    first = here if here in names else next(iter(names))
    box = partial(st.multiselect, view.texts("export.coins"), placeholder=view.texts("export.all_coins"))
    return tuple(session_choices(_COINS, tuple(names), (first,), box, lambda coin: names.get(coin, coin)))


def _fields(view: ViewContext, kind: ConditionKind, coins: tuple[str, ...]) -> dict[str, str]:
    """What is typed or chosen in the fields of a condition."""
    shown = [field for field in draft_fields(kind) if not field.one_of or field.key == _one_of(view, kind, field)]
    if not shown:
        return {}
    with st.grid(len(shown), min_column_width=150, gap="small"):
        return {field.key: _field(view, kind, field, coins) for field in shown}


def _one_of(view: ViewContext, kind: ConditionKind, field: DraftField) -> str:
    """Which of several fields is to be filled in; its switch is drawn once."""
    key = f"alert_{kind}_one_of"
    if field.key != field.one_of[0]:
        return str(st.session_state[key])
    return str(
        st.segmented_control(
            view.texts("alerts.by"),
            field.one_of,
            default=field.one_of[-1],
            required=True,
            format_func=lambda name: _label(view, kind, name),
            key=key,
            persist_state="session",
        )
    )


def _field(view: ViewContext, kind: ConditionKind, field: DraftField, coins: tuple[str, ...]) -> str:
    key, label = f"alert_{kind}_{field.key}", _label(view, kind, field.key)
    if field.kind is FieldKind.CHOICE:
        shown = lambda option: view.texts.get(f"alert_option.{option or 'any'}", option)  # noqa: E731 - used once
        first = field.options.index(field.first)
        return str(st.selectbox(label, field.options, first, shown, key=key, persist_state="session"))
    language = view.texts.language
    key_here = f"{key}_{language}"
    if key_here not in st.session_state:
        typed = take_other_language(key, language)
        st.session_state[key_here] = _first(view, kind, field, coins) if typed is None else translated(*typed, language)
    return str(st.text_input(label, key=key_here, max_chars=30, persist_state="session"))


def _first(view: ViewContext, kind: ConditionKind, field: DraftField, coins: tuple[str, ...]) -> str:
    prices = {quote.id: quote.price for quote in view.quotes}
    price = prices.get(next(iter(coins), ""))
    return first_text(kind, field.key, price, price_decimals(price or 1.0), view.texts.language)


def _label(view: ViewContext, kind: ConditionKind, key: str) -> str:
    own = f"alert_field.{key}_{kind}"
    return view.texts.get(own, view.texts(f"alert_field.{key}")).replace("{symbol}", view.formats.symbol)


def _channels(view: ViewContext, settings: AlertSettings) -> list[str]:
    return st.multiselect(
        view.texts("alerts.channels"),
        tuple(settings.channels),
        placeholder=view.texts("alerts.only_here"),
        key="alert_channels",
        persist_state="session",
    )


def _more(view: ViewContext, settings: AlertSettings, kind: ConditionKind) -> dict[str, Any]:
    """Pause, name and the two switches, folded."""
    texts = view.texts
    keep: dict[str, Any] = {"persist_state": "session"}
    with st.expander(texts("alerts.more")):
        with st.grid(2, min_column_width=190, gap="small"):
            first = _PAUSES.index(_FIRST_PAUSE)
            help_text = texts("alerts.pause_help")
            pause = st.selectbox(texts("alerts.pause"), _PAUSES, first, help=help_text, key="alert_pause", **keep)
            example = texts("alerts.name_example")
            name = st.text_input(texts("alerts.name"), max_chars=80, placeholder=example, key="alert_name", **keep)
        is_switch = kind in (ConditionKind.PRICE_CROSSES, ConditionKind.REGIME_CHANGE)
        normal = not is_switch and st.toggle(texts("alerts.tell_normal"), key="alert_normal", **keep)
        urgent = settings.quiet is not None and st.toggle(texts("alerts.urgent"), key="alert_urgent", **keep)
    return {"espera": pause, "nome": name, "avisar_normal": normal, "urgente": urgent}


def _trial_text(view: ViewContext, rule: Rule) -> str:
    """Whether the rule would fire on what is known now."""
    texts = view.texts
    if rule.condition.is_switch:
        return texts("alerts.trial_switch")
    try:
        trial = try_rule(rule, view.settings, view.readers)
    except (NotReady, DamagedFile) as error:
        return texts("errors.not_ready", reason=texts.translate(error.message))
    if not trial.sights:
        return texts("alerts.trial_not")
    named = [view.names.get(sight.subject, sight.subject) for sight in trial.sights if sight.subject]
    shown = ", ".join(named[:_MOST_NAMES]) + (" …" if len(named) > _MOST_NAMES else "")
    return texts("alerts.trial_for", names=shown) if named else texts("alerts.trial_now")


def _add(view: ViewContext, rule: Rule | None) -> None:
    """Store the rule; what stands in the way is said below the button."""
    if rule is None:
        return
    try:
        with AlertStore(view.readers.workspace().alerts) as store:
            store.add_rule(rule)
    except (BadInput, NotReady, DamagedFile, StorageProblem) as error:
        st.session_state[_SAID] = view.texts.translate(message_of(error))
    else:
        st.toast(view.texts("alerts.created"), icon=":material/notifications_active:")
