"""The page for a screen on a wall, `?modo=tela`: one coin, or a list of coins that takes turns."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Final

import streamlit as st

from core.reading.coins import unknown_coin
from dashboard.charts.time_axis import WINDOWS
from dashboard.shell.context import ViewContext, escape_markdown
from dashboard.shell.query_choices import kept_value
from dashboard.views.coin import CoinChart, show_coin

__all__ = ["coin_in_turn", "is_kiosk", "kiosk_view", "turn_seconds"]

_MODE: Final = "tela"
_TURN_S: Final = 20
_SHORTEST_S: Final = 5
_LONGEST_S: Final = 3600
_LOOK_EVERY: Final = "1s"
_NO_TOOLBAR: Final = '<style>header[data-testid="stHeader"] { display: none; }</style>'


def is_kiosk() -> bool:
    """Whether the address asks for the page of a screen on a wall."""
    return kept_value("modo") == _MODE


def kiosk_view(view: ViewContext) -> None:
    """Draw the coin whose turn it is, without anything to choose.

    Raises:
        UnknownCoin: The address names a coin that is not here, or a list of which none is.
    """
    st.html(_NO_TOOLBAR)
    coins, seconds = _coins(view), turn_seconds(kept_value("giro"))
    coin = coin_in_turn(coins, seconds, time.time())
    window = kept_value("janela", "6h")
    st.markdown(f"# {escape_markdown(view.names[coin])}")
    show_coin(view, CoinChart(coin, window if window in WINDOWS else "6h"))
    if len(coins) > 1:
        st.fragment(_turn, run_every=_LOOK_EVERY)(coins, seconds, coin)


def turn_seconds(asked: str) -> int:
    """How long each coin stays, from the address: 20 s by default, at least 5 s and at most an hour."""
    return min(max(int(asked), _SHORTEST_S), _LONGEST_S) if asked.isdecimal() and len(asked) <= 6 else _TURN_S


def coin_in_turn(coins: Sequence[str], seconds: int, now_s: float) -> str:
    """The coin shown at a time; every screen with the same list shows the same one."""
    return coins[math.floor(now_s / seconds) % len(coins)]


def _coins(view: ViewContext) -> list[str]:
    """The coin of the address, or else the starred ones, or else the first."""
    asked = kept_value("moeda")
    if asked:
        if asked not in view.names:
            raise unknown_coin(asked, view.quotes)
        return [asked]
    listed = [coin for coin in kept_value("favoritas").split(",") if coin]
    starred = [coin for coin in listed if coin in view.names]
    if listed and not starred:
        raise unknown_coin(listed[0], view.quotes)
    return starred or [next(iter(view.names))]


def _turn(coins: Sequence[str], seconds: int, drawn: str) -> None:
    """Draw the page again when another coin's turn has come."""
    if coin_in_turn(coins, seconds, time.time()) != drawn:
        st.rerun()
