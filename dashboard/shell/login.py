"""Login: if the API asks for a token, the dashboard asks for the same one."""

from __future__ import annotations

import hmac
import math
import time
from typing import Final

import streamlit as st
from pydantic import SecretStr

from core.rate_limit import RateLimiter
from dashboard.i18n.texts import Texts

__all__ = ["admitted", "is_token"]

_ADMITTED: Final = "admitted"
_DELAY_S: Final = 1.0
_TRIES: Final = RateLimiter(per_minute=10)
"""Tries per address over all its sessions: the delay alone would not stop a thousand parallel sessions."""


def is_token(given: str, expected: SecretStr) -> bool:
    """Whether `given` is the token; the time it takes does not depend on the difference."""
    return hmac.compare_digest(given.encode(), expected.get_secret_value().encode())


def admitted(expected: SecretStr | None, texts: Texts) -> bool:
    """Whether this visitor may see the page; draws the form if a token is set and not yet given."""
    if expected is None or st.session_state.get(_ADMITTED):
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
    if is_token(given, expected):
        st.session_state[_ADMITTED] = True
        st.rerun()
    time.sleep(_DELAY_S)
    st.error(texts("login.wrong"), icon=":material/lock:")
    return False
