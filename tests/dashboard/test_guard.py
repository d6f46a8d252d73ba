"""The token that the dashboard shares with the API."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dashboard.guard import is_token


@given(st.text(), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4))
def test_only_the_token_is_the_token(given_text: str, token: str) -> None:
    """Any text but the token is refused, whatever characters it has; the token is accepted."""
    assert is_token(given_text, SecretStr(token)) == (given_text == token)
    assert is_token(token, SecretStr(token))
