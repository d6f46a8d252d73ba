"""The token that the dashboard shares with the API."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

import dashboard.shell.login
from core import access_tokens
from core.rate_limit import RateLimiter
from tests.support.dashboard_page import open_page, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


@pytest.fixture
def token_file(make_workspace: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the token of a running suite, which each page looks at."""
    monkeypatch.setattr(access_tokens, "_LOOK_EVERY_S", 0.0)
    file = tmp_path / "token"
    file.write_text("open-sesame\n")
    make_workspace(api_token_file=str(file)).run()
    return file


def enter(page: AppTest, token: str) -> AppTest:
    """The page after a visitor has sent a token."""
    page.text_input[0].set_value(token)
    return page.form_submit_button[0].click().run()


def test_nothing_is_shown_before_the_token(make_workspace: Make) -> None:
    """The page shows only the form until the right token is given, which then holds for the session."""
    make_workspace(api_token="open-sesame").run()
    page = open_page(pagina="moeda")
    assert not page.metric
    assert "DADOS" not in text_on(page)
    assert "Token incorreto" in text_on(enter(page, "open-sesamE"))
    assert not page.metric
    assert enter(page, "open-sesame").metric
    page.run()
    assert page.metric


def test_a_token_that_counts_no_more_ends_the_session(token_file: Path) -> None:
    """Once the file holds another token, the page asks again, and takes the new one."""
    page = open_page(pagina="moeda")
    for token in ("open-sesame", "open-barley"):
        token_file.write_text(f"{token}\n")
        page.run()
        assert not page.metric
        assert enter(page, token).metric


@pytest.mark.parametrize("left", [None, ""], ids=["gone", "being written"])
def test_a_token_file_that_cannot_be_used_changes_nothing(token_file: Path, left: str | None) -> None:
    """Visitors who are inside stay inside, and new ones enter with the old token."""
    inside = open_page(pagina="moeda")
    assert enter(inside, "open-sesame").metric
    if left is None:
        token_file.unlink()
    else:
        token_file.write_text(left)
    assert inside.run().metric
    newcomer = open_page(pagina="moeda")
    assert not newcomer.metric
    assert enter(newcomer, "open-sesame").metric


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
