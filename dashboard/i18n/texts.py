"""Texts of the dashboard, from one catalogue per language: `pt.toml` and `en.toml`.

Sentences that other processes need as well, such as errors and problems, come from core/wording.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Final

from core.wording import LANGUAGES, Message, say

__all__ = ["LANGUAGES", "Texts", "catalogue"]

_FOLDER: Final = Path(__file__).parent / "catalogue"


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language by their keys, `section.name`."""
    sections = tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": text for section, texts in sections.items() for name, text in texts.items()}


class Texts:
    """The texts of one language: `texts("coin.price_now")`."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)

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

    def translate(self, message: Message | str) -> str:
        """Put a message of another process into words of this language."""
        return say(message, self.language)
