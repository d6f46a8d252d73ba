"""The catalogues have the same codes and placeholders in each language, none missing or unused."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from core.processes.health_schema import ProcessState, Step
from core.settings import PROJECT
from core.wording import LANGUAGES, Message, message, say, sentences

PACKAGES = ("core", "suite", "etl", "model", "api", "dashboard", "alerts", "mcp_server")
SOURCES = {path: path.read_text("utf-8") for name in PACKAGES for path in sorted((PROJECT / name).rglob("*.py"))}
TEXT = "\n".join(SOURCES.values())
CODE = r"[a-z_]+(?:\.[a-z0-9_-]+)+"


def placeholders(text: str) -> set[str]:
    """Names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_every_sentence_with_the_same_values() -> None:
    """Codes and placeholders agree between the languages."""
    for language in LANGUAGES:
        assert sentences(language).keys() == sentences("pt").keys()
        for code, text in sentences(language).items():
            assert placeholders(text) == placeholders(sentences("pt")[code]) | placeholders(text), code


def test_every_code_in_the_code_has_a_sentence() -> None:
    """Every code passed to `message` has a sentence."""
    asked = set(re.findall(rf'message\(\s*"({CODE})"', TEXT))
    assert len(asked) > 80
    assert asked <= sentences("pt").keys()


def test_no_sentence_is_unused() -> None:
    """Each code occurs in the source, in full or as a prefix of an f-string."""
    composed = set(re.findall(r"""f["']([a-z_]+\.[a-z_.]*)\{""", TEXT))
    named = set(re.findall(rf"""["']({CODE})["']""", TEXT))
    unused = [code for code in sentences("pt") if code not in named and not any(map(code.startswith, composed))]
    assert unused == ["text"]


def test_every_state_and_step_has_a_sentence() -> None:
    """All values of both enumerations have a sentence in each language."""
    for language in LANGUAGES:
        for code in (*(f"state.{state}" for state in ProcessState), *(f"step.{step}" for step in Step)):
            assert say(message(code), language) != code


def test_a_message_within_a_message_has_the_same_language() -> None:
    """The reason inside a problem is translated with it."""
    problem = message("problem.prices_unsaved", reason=message("source.silent"))
    assert say(problem, "pt") == "o coletor não grava: o CoinGecko não responde"
    assert say(problem, "en") == "the collector stores nothing: CoinGecko does not answer"
    assert str(problem) == say(problem, "en")


def test_a_code_of_a_newer_release_is_shown_as_it_is() -> None:
    """An unknown code does not raise an error."""
    assert say(Message("future.code", {"x": 1})) == "future.code"


@pytest.mark.parametrize("package", ["core", "etl", "model", "alerts"])
def test_python_files_hold_no_portuguese(package: str) -> None:
    """Words for people live in the catalogues: no string of these packages has a letter that only Portuguese needs."""
    letters = re.compile(r'"[^"\n]*[ãõçáéíóúâêôà][^"\n]*"')
    found = [
        f"{path.relative_to(PROJECT)}: {match}"
        for path, text in SOURCES.items()
        if path.is_relative_to(PROJECT / package)
        for match in letters.findall(text)
    ]
    assert found == []


def test_catalogues_are_the_only_files_of_the_room() -> None:
    """One catalogue for each language lies beside the code."""
    folder = Path(PROJECT / "core" / "wording")
    assert {path.stem for path in folder.glob("*.toml")} == set(LANGUAGES)
