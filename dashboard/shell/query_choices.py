"""Choices of a visitor that live in the page's address, such as `?moeda=bitcoin&janela=6h`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from dashboard.charts.time_axis import WINDOWS
from dashboard.shell.context import ViewContext

__all__ = ["choose_coin", "choose_window", "query_choice", "query_choices", "segmented"]


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
        default: The choice where the address names no option.
        widget: Streamlit's widget, with everything but options, key and format bound.
        label: The text shown for an option; the option itself by default.

    Returns:
        The option chosen.
    """
    if name not in st.session_state:
        st.session_state[name] = st.query_params.get(name)
    if st.session_state[name] not in options:
        st.session_state[name] = default
    choice = str(widget(options=options, key=name, format_func=label or str, persist_state="session") or default)
    _write_address(name, choice)
    return choice


def query_choices(
    name: str,
    options: Sequence[str],
    default: Sequence[str],
    widget: Callable[..., list[str]],
    label: Callable[[str], str] | None = None,
) -> list[str]:
    """Several choices, kept in the address as `?name=one,two`; no choice at all is kept too.

    Args:
        name: Name of the choices in the address and in the session.
        options: What can be chosen.
        default: The choices where the address does not have `name`.
        widget: Streamlit's widget, with everything but options, key and format bound.
        label: The text shown for an option; the option itself by default.

    Returns:
        The options chosen; names in the address that are no options are dropped.
    """
    if name not in st.session_state:
        st.session_state[name] = st.query_params.get(name, ",".join(default)).split(",")
    known = [option for option in st.session_state[name] if option in options]
    if known != st.session_state[name]:
        st.session_state[name] = known
    choices = widget(options=options, key=name, format_func=label or str, persist_state="session")
    _write_address(name, ",".join(choices))
    return choices


def segmented(label: str, **options: Any) -> Any:
    """A row of buttons of which exactly one is pressed."""
    return partial(st.segmented_control, label, required=True, **{"width": "content", **options})


def choose_coin(view: ViewContext) -> str:
    """Let the visitor choose a coin from a list that can be searched by name or symbol; its id."""
    names = view.names
    box = partial(st.selectbox, view.texts("choices.coin"), width=260)
    return query_choice("moeda", tuple(names), next(iter(names)), box, lambda coin: names.get(coin, coin))


def choose_window(view: ViewContext, default: str = "6h") -> str:
    """Let the visitor choose how far back charts look; a key of `WINDOWS`."""
    return query_choice("janela", tuple(WINDOWS), default, segmented(view.texts("choices.window")))


def _write_address(name: str, choice: str) -> None:
    if st.query_params.get(name) != choice:
        st.query_params[name] = choice
