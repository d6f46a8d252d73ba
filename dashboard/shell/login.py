"""Login: if the API asks for a token, the dashboard asks for the same one, and again once it counts no more."""

from __future__ import annotations

import math
import time
from typing import Final

import streamlit as st

from core.access_tokens import AccessTokens
from core.rate_limit import RateLimiter
from dashboard.i18n.texts import Texts

__all__ = ["admitted"]

_GIVEN: Final = "token_given"
_DELAY_S: Final = 1.0
_TRIES: Final = RateLimiter(per_minute=10)
"""Tries per address over all its sessions: the delay alone would not stop a thousand parallel sessions."""


def admitted(tokens: AccessTokens, texts: Texts) -> bool:
    """Whether this visitor may see the page; draws the form unless a token was given that still counts."""
    if not tokens.are_required or tokens.accept(st.session_state.get(_GIVEN, b"")):
        return True
    with st.form("token", width=420):
        given = st.text_input(texts("login.label"), type="password", help=texts("login.help"))
        sent = st.form_submit_button(texts("login.enter"), type="primary")
    if not sent:
        return False
    wait_s = _TRIES.wait_s(st.context.ip_address or "")
    if wait_s:
        st.error(texts("login.slow", seconds=math.ceil(wait_s)), icon=":material/lock:")
        return False
    if tokens.accept(given.encode()):
        st.session_state[_GIVEN] = given.encode()
        st.rerun()
    time.sleep(_DELAY_S)
    st.error(texts("login.wrong"), icon=":material/lock:")
    return False
