"""Only the tokens are accepted, and those of a file follow it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from core import access_tokens
from core.access_tokens import AccessTokens, read_secrets
from tests.support.resource_limits import limited


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the file each time."""
    monkeypatch.setattr(access_tokens, "_LOOK_EVERY_S", 0.0)


def replace(path: Path, text: str) -> None:
    """Replace the file as an administrator should: atomically."""
    new = path.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)  # noqa: PTH105 - says what it does


@given(st.text(), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4))
def test_only_the_token_is_accepted(given_text: str, token: str) -> None:
    """Any other text is refused, whatever characters it has."""
    tokens = AccessTokens(SecretStr(token))
    assert tokens.accept(given_text.encode()) == (given_text == token)
    assert tokens.accept(token.encode())


def test_without_tokens_none_is_required() -> None:
    """Nothing is accepted, because nobody needs to be."""
    tokens = AccessTokens()
    assert not tokens.are_required
    assert not tokens.accept(b"")


def test_a_token_is_replaced_step_by_step(tmp_path: Path) -> None:
    """Old and new count together while both stand in the file, then the new one alone."""
    file = tmp_path / "token"
    replace(file, "the-old-one\n")
    tokens = AccessTokens(file=file)
    seen = []
    for text in ("the-old-one\n", "the-old-one\r\nthe-new-one", "\nthe-new-one\n"):
        replace(file, text)
        seen.append((tokens.accept(b"the-old-one"), tokens.accept(b"the-new-one"), tokens.accept(b"")))
    assert seen == [(True, False, False), (True, True, False), (False, True, False)]


@pytest.mark.parametrize("text", ["", "\n \n", "abc", "with\x00zero", "çedilha", "x" * 513, "\n".join(["token"] * 17)])
def test_a_file_that_makes_no_sense_changes_nothing(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The token of before counts on; the log says so without repeating what the file holds."""
    file = tmp_path / "token"
    replace(file, "the-old-one\n")
    tokens = AccessTokens(file=file)
    replace(file, text)
    assert tokens.accept(b"the-old-one")
    assert "stay as they were" in caplog.text
    assert not text.strip() or text.strip() not in caplog.text
    with pytest.raises(ValueError, match="one a line"):
        read_secrets(file)
    file.unlink()
    assert tokens.accept(b"the-old-one")
    replace(file, "the-new-one")
    assert (tokens.accept(b"the-new-one"), tokens.accept(b"the-old-one")) == (True, False)


def test_a_file_that_could_not_be_read_for_a_moment_is_read_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing about the file changes meanwhile; the log tells each trouble once."""
    file = tmp_path / "token"
    replace(file, "the-old-one")
    tokens = AccessTokens(file=file)
    for round_of_trouble in (1, 2):
        replace(file, f"the-new-one-{round_of_trouble}")
        with limited("NOFILE", 0):  # even root then cannot read what stays as it is
            accepted = [tokens.accept(f"the-new-one-{round_of_trouble}".encode()) for _ in range(3)]
        assert accepted == [False] * 3
        assert caplog.text.count("stay as they were") == round_of_trouble
        assert tokens.accept(f"the-new-one-{round_of_trouble}".encode())
        assert not tokens.accept(b"the-old-one")
