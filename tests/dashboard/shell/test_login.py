"""The token that the dashboard shares with the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import streamlit
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

import dashboard.shell.login
from core.rate_limit import RateLimiter
from dashboard.shell.login import is_token


@given(st.text(), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4))
def test_only_the_token_is_the_token(given_text: str, token: str) -> None:
    """Any text but the token is refused, whatever characters it has; the token is accepted."""
    assert is_token(given_text, SecretStr(token)) == (given_text == token)
    assert is_token(token, SecretStr(token))


def test_guessing_the_token_is_slow(
    make_market: Callable[..., Any],
    open_page: Callable[..., Any],
    read: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After some tries nothing is compared any more, not even the right token, whatever session tries."""
    monkeypatch.setattr(dashboard.shell.login, "_TRIES", RateLimiter(per_minute=3))
    monkeypatch.setattr(type(streamlit.context), "ip_address", "10.0.0.7")  # without a browser there is none
    make_market(api_token="open-sesame").everything()
    for _ in range(3):
        page = open_page()
        page.text_input[0].set_value("1234")
        assert "incorreto" in read(page.button[0].click().run())
    page = open_page()
    page.text_input[0].set_value("open-sesame")
    assert "Tentativas demais" in read(page.button[0].click().run())
    assert not page.metric
    monkeypatch.setattr(dashboard.shell.login, "_TRIES", RateLimiter(per_minute=3))
    page.button[0].click().run()
    assert page.metric
