"""Texts of the dashboard, from one catalogue per language: `pt.toml` and `en.toml`.

Processes write Portuguese into their health files; `said.<language>.toml` translates it.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from core.reading.status import Problem

__all__ = ["LANGUAGES", "Texts", "catalogue"]

LANGUAGES: Final = ("pt", "en")
_FOLDER: Final = Path(__file__).parent / "catalogue"


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language by their keys, `section.name`."""
    return {f"{section}.{name}": text for section, texts in _read(language).items() for name, text in texts.items()}


@lru_cache(maxsize=len(LANGUAGES))
def _translations(language: str) -> dict[str, dict[str, str]]:
    """Translations of what processes write: `problem` by code, `phrase` by the Portuguese phrase."""
    return {"problem": {}, "phrase": {}} if language == LANGUAGES[0] else _read(f"said.{language}")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


class Texts:
    """The texts of one language: `texts("overview.price_now")`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)
        self._problems, self._phrases = _translations(language)["problem"], _translations(language)["phrase"]

    def __call__(self, key: str, **values: object) -> str:
        """The text of `key` with `{name}` replaced by `values`.

        Raises:
            KeyError: There is no such text, or a value is missing.
        """
        text = self._texts[key]
        return text.format(**values) if values else text

    def get(self, key: str, default: str) -> str:
        """The text of `key`, or `default` where the catalogue does not have it."""
        return self._texts.get(key, default)

    def has_translation(self, phrase: str) -> bool:
        """Whether `translate` knows this Portuguese phrase in this language."""
        return self.language == LANGUAGES[0] or phrase in self._phrases

    def translate(self, phrase: str) -> str:
        """Translate a Portuguese phrase of a process; unknown phrases stay as they are."""
        return self._phrases.get(phrase, phrase)

    def problem(self, problem: Problem) -> str:
        """A problem of the suite as a sentence in this language."""
        sentence = self._problems.get(problem.code)
        if sentence is None:
            return problem.text
        return sentence.format(**{name: self.translate(value) for name, value in problem.values.items()})
