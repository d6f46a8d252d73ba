"""The catalogues have the same keys and placeholders, and every text is used."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import dashboard
from dashboard.i18n.texts import LANGUAGES, Texts, catalogue

SOURCES = "\n".join(path.read_text("utf-8") for path in sorted(Path(dashboard.__file__).parent.rglob("*.py")))


def placeholders(text: str) -> set[str]:
    """Names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_languages_have_the_same_texts() -> None:
    """Every text exists in every language, with the same placeholders."""
    portuguese = catalogue("pt")
    for language in LANGUAGES:
        texts = catalogue(language)
        assert texts.keys() == portuguese.keys()
        for key, text in texts.items():
            assert placeholders(text) == placeholders(portuguese[key]), key


def test_every_key_in_the_code_exists() -> None:
    """Keys written in the code are in the catalogue."""
    asked = set(re.findall(r'texts(?:\.get)?\(\s*"([a-z_]+\.[a-z0-9_]+)"', SOURCES))
    assert len(asked) > 60
    assert asked <= catalogue("pt").keys()


def test_every_text_is_used() -> None:
    """Every text is used by its key or by a key that the code composes."""
    composed = set(re.findall(r"""f["']([a-z_]+\.[a-z_]*)\{""", SOURCES))
    names = set(re.findall(r"""["']([a-z_]+\.[a-z0-9_]+)["']""", SOURCES))
    unused = [key for key in catalogue("pt") if key not in names and not any(key.startswith(part) for part in composed)]
    assert unused == []


def test_unknown_keys_are_errors() -> None:
    """A misspelt key raises KeyError."""
    with pytest.raises(KeyError):
        Texts("pt")("overview.prise_now")
