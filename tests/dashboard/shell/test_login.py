"""The token that the dashboard shares with the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit

import dashboard.shell.login
from core.rate_limit import RateLimiter
from tests.support.dashboard_page import open_page, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


def test_nothing_is_shown_before_the_token(make_workspace: Make) -> None:
    """The page shows only the form until the right token is given, which then holds for the session."""
    make_workspace(api_token="open-sesame").run()
    page = open_page(pagina="moeda")
    assert not page.metric
    assert "DADOS" not in text_on(page)
    page.text_input[0].set_value("open-sesamE")
    page.form_submit_button[0].click().run()
    assert "Token incorreto" in text_on(page)
    assert not page.metric
    page.text_input[0].set_value("open-sesame")
    page.form_submit_button[0].click().run()
    assert page.metric
    page.run()
    assert page.metric


def test_a_token_that_counts_no_more_ends_the_session(make_workspace: Make, tmp_path: Path) -> None:
    """Once the file holds another token, the page asks again, and takes the new one."""
    file = tmp_path / "token"
    file.write_text("open-sesame\n")
    make_workspace(api_token_file=str(file)).run()
    page = open_page(pagina="moeda")
    for token in ("open-sesame", "open-barley"):
        file.write_text(f"{token}\n")
        page.run()
        assert not page.metric
        page.text_input[0].set_value(token)
        page.form_submit_button[0].click().run()
        assert page.metric


def test_guessing_the_token_is_slow(make_workspace: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some tries of one address even the right token is refused, in any session."""
    monkeypatch.setattr(dashboard.shell.login, "_TRIES", RateLimiter(per_minute=2))
    monkeypatch.setattr(type(streamlit.context), "ip_address", "10.0.0.7")  # without a browser there is none
    make_workspace(api_token="open-sesame").run()
    for _ in range(2):
        page = open_page(pagina="moeda")
        page.text_input[0].set_value("1234")
        assert "incorreto" in text_on(page.button[0].click().run())
    page = open_page(pagina="moeda")
    page.text_input[0].set_value("open-sesame")
    assert "Tentativas demais" in text_on(page.button[0].click().run())
    assert not page.metric
    monkeypatch.setattr(dashboard.shell.login, "_TRIES", RateLimiter(per_minute=3))
    page.button[0].click().run()
    assert page.metric
