"""Choices of a visitor that live in the page's address, such as `?moeda=bitcoin&janela=6h`.

The module remembers names that are not among the options, or no longer are, and the page says so: nothing replaces
them in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

import streamlit as st

from core.reading.coins import nearest_coins, unknown_coin
from core.wording import LANGUAGES
from dashboard.charts.time_axis import WINDOWS
from dashboard.shell.context import ViewContext

__all__ = [
    "choose_coin",
    "choose_window",
    "is_emptied",
    "keep_value",
    "kept_value",
    "nearest_option",
    "query_choice",
    "query_choices",
    "segmented",
    "session_choices",
    "take_other_language",
    "unknown_names",
    "unseen",
]

_UNKNOWN: Final = "unknown_names"
_MAX_NAME: Final = 60


def query_choice(
    name: str,
    options: Sequence[str],
    default: str,
    widget: Callable[..., Any],
    label: Callable[[str], str] | None = None,
) -> str:
    """One choice, kept in the address as `?name=`, so that it survives refreshes, new sessions and links.

    The address is read when a session begins and written afterwards: the address of a slow browser must not undo a
    choice made in the meantime.

    Args:
        name: Name of the choice in the address and in the session.
        options: What can be chosen.
        default: The choice where the address has none; where it names no option, the nearest one, if one is near.
        widget: Streamlit's widget, with everything but options, key and format bound.
        label: The text shown for an option; the option itself by default.

    Returns:
        The option chosen.
    """
    if name not in st.session_state:
        given = st.query_params.get(name)
        if given is not None and given not in options:
            _remember(name, given)
            given = nearest_option(given, options)
        st.session_state[name] = given
    if st.session_state[name] not in options:
        st.session_state[name] = default
    choice = str(_shown(widget, name, options, label) or default)
    _write_address(name, choice)
    return choice


def query_choices(
    name: str,
    options: Sequence[str],
    default: Sequence[str],
    widget: Callable[..., list[str]],
    label: Callable[[str], str] | None = None,
    *,
    most: int | None = None,
) -> list[str]:
    """Several choices, kept in the address as `?name=one,two`; no choice at all is kept too.

    Args:
        name: Name of the choices in the address and in the session.
        options: What can be chosen.
        default: The choices where the address does not have `name`.
        widget: Streamlit's widget, with everything but options, key and format bound.
        label: The text shown for an option; the option itself by default.
        most: How many can be chosen; of more in the address the first ones count.

    Returns:
        The options chosen, each once; names in the address that are no options are dropped, see `unknown_names`.
    """
    if most is not None:
        widget = partial(widget, max_selections=most)
    given = st.query_params.get(name, ",".join(default)).split(",")
    choices = session_choices(name, options, given, widget, label, most=most)
    _write_address(name, ",".join(choices))
    return choices


def session_choices(
    name: str,
    options: Sequence[str],
    default: Sequence[str],
    widget: Callable[..., list[str]],
    label: Callable[[str], str] | None = None,
    *,
    most: int | None = None,
) -> list[str]:
    """Several choices as `query_choices` keeps them, but in the session alone.

    It drops names that are not among the options, or no longer are; `unknown_names` tells them, and `is_emptied`
    whether any are left.
    """
    given = dict.fromkeys(st.session_state.get(name, default))
    if unknown := [one for one in given if one and one not in options]:
        _remember(name, ", ".join(unknown))
    known = [one for one in given if one in options][:most]
    if known != st.session_state.get(name):
        st.session_state[name] = known
    choices: list[str] = _shown(widget, name, options, label)
    return choices


def is_emptied(name: str) -> bool:
    """Whether all choices of `name` were dropped and the visitor has not chosen since: that means none, not all."""
    return name in unknown_names() and not st.session_state.get(name)


def kept_value(name: str, default: str = "") -> str:
    """What the visitor did outside of widgets, such as the order of a table, as `keep_value` kept it."""
    if name not in st.session_state:
        st.session_state[name] = st.query_params.get(name, default)
    return str(st.session_state[name])


def keep_value(name: str, value: str) -> None:
    """Keep a value in the session and in the address; an empty one leaves the address."""
    st.session_state[name] = value
    if value:
        st.query_params[name] = value
    elif name in st.query_params:
        del st.query_params[name]


def take_other_language(name: str, language: str) -> tuple[str, str] | None:
    """Take the text of a field that the session keeps for the page in another language: that language and the text.

    A field for typing has a key for each language, `name_pt` and `name_en`; what an older one holds must not come back.
    """
    for other in LANGUAGES:
        if other != language and f"{name}_{other}" in st.session_state:
            return other, str(st.session_state.pop(f"{name}_{other}"))
    return None


def segmented(label: str, **options: Any) -> Any:
    """A row of buttons of which exactly one is pressed."""
    return partial(st.segmented_control, label, required=True, **{"width": "content", **options})


def unseen(*, key: str, **_: object) -> Any:
    """In place of a widget, where the address alone chooses: draws nothing."""
    return st.session_state[key]


def unknown_names() -> Mapping[str, str]:
    """What was asked for or chosen although it is no option, by the name of the choice, until the visitor chooses."""
    names: Mapping[str, str] = st.session_state.get(_UNKNOWN, {})
    return names


def nearest_option(given: str, options: Sequence[str]) -> str | None:
    """The option spelt most like `given`; None if none is near."""
    return next(iter(get_close_matches(given.lower(), options, n=1)), None)


def choose_coin(view: ViewContext) -> str:
    """Let the visitor choose a coin from a list that can be searched by name or symbol; its id.

    Raises:
        UnknownCoin: The address names a coin that is not here; the nearest ones are offered as buttons, none is shown.
    """
    names = view.names
    box = partial(st.selectbox, view.texts("choices.coin"), width=260)
    given = st.session_state.get("moeda") or st.query_params.get("moeda")
    if not given or given in names:
        return query_choice("moeda", tuple(names), next(iter(names)), box, lambda coin: names.get(coin, coin))
    box(
        options=tuple(names), index=None, format_func=names.get, key="outra_moeda", on_change=_take_coin,
        placeholder=view.texts("choices.choose_coin"),
    )  # fmt: skip
    for coin in nearest_coins(given, view.quotes):
        st.button(names[coin], key=f"parecida_{coin}", on_click=_take_coin, args=(coin,))
    raise unknown_coin(given, view.quotes)


def choose_window(view: ViewContext, default: str = "6h") -> str:
    """Let the visitor choose how far back charts look; a key of `WINDOWS`."""
    texts = view.texts
    switch = segmented(texts("choices.window"))
    return query_choice("janela", tuple(WINDOWS), default, switch, lambda name: texts(f"window.{name}"))


def _shown(widget: Callable[..., Any], name: str, options: Sequence[str], label: Callable[[str], str] | None) -> Any:
    return widget(
        options=options, key=name, format_func=label or str, persist_state="session", on_change=_forget, args=(name,)
    )


def _remember(name: str, given: str) -> None:
    st.session_state[_UNKNOWN] = {**unknown_names(), name: given[:_MAX_NAME]}


def _forget(name: str) -> None:
    st.session_state[_UNKNOWN] = {known: given for known, given in unknown_names().items() if known != name}


def _take_coin(coin: str | None = None) -> None:
    """Take a coin that was offered or found in the list in place of the unknown one."""
    st.session_state["moeda"] = coin or st.session_state["outra_moeda"]


def _write_address(name: str, choice: str) -> None:
    """Write a choice into the address, except in place of an unknown name that the page still speaks of."""
    if name not in unknown_names() and st.query_params.get(name) != choice:
        st.query_params[name] = choice
