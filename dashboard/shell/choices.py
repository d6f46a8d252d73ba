"""The choices that several views share, each kept in the address."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from dashboard.charts.price import WINDOWS
from dashboard.shell.context import Page, kept

__all__ = ["choose_coin", "choose_window", "segmented"]


def segmented(label: str, **options: Any) -> Any:
    """A row of buttons of which exactly one is pressed."""
    return partial(st.segmented_control, label, required=True, **{"width": "content", **options})


def choose_coin(page: Page) -> str:
    """A coin from a list that can be searched by name or symbol."""
    names = page.names
    box = partial(st.selectbox, page.texts("choices.coin"), width=260)
    return kept("moeda", tuple(names), next(iter(names)), box, lambda coin: names.get(coin, coin))


def choose_window(page: Page, default: str = "6h") -> str:
    """How far back to look."""
    return kept("janela", tuple(WINDOWS), default, segmented(page.texts("choices.window")))
