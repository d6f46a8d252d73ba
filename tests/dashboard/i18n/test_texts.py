"""The catalogues: same keys, same placeholders, nothing missing, nothing left over."""

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


def test_languages_say_the_same() -> None:
    """Every text exists in every language, with the same values to fill in."""
    portuguese = catalogue("pt")
    for language in LANGUAGES:
        texts = catalogue(language)
        assert texts.keys() == portuguese.keys()
        for key, text in texts.items():
            assert placeholders(text) == placeholders(portuguese[key]), key


def test_every_text_asked_for_exists() -> None:
    """Keys written out in the code are in the catalogue."""
    asked = set(re.findall(r'texts(?:\.get)?\(\s*"([a-z_]+\.[a-z0-9_]+)"', SOURCES))
    assert len(asked) > 60
    assert asked <= catalogue("pt").keys()


def test_no_text_is_left_over() -> None:
    """Every text is used: by its key, or by a key that the code composes."""
    composed = set(re.findall(r"""f["']([a-z_]+\.[a-z_]*)\{""", SOURCES))
    names = set(re.findall(r"""["']([a-z_]+\.[a-z0-9_]+)["']""", SOURCES))
    unused = [key for key in catalogue("pt") if key not in names and not any(key.startswith(part) for part in composed)]
    assert unused == []


def test_unknown_keys_are_errors() -> None:
    """A misspelt key is noticed."""
    with pytest.raises(KeyError):
        Texts("pt")("overview.prise_now")
