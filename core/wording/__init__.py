"""Sentences that processes say to people: a code and its values inside, Portuguese or English where people read.

Processes exchange `Message`s. Only the process that shows one to a person turns it into words, in that person's
language, from the catalogues `pt.toml` and `en.toml` of this folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ["LANGUAGES", "Message", "Value", "counted_coins", "message", "say", "sentences"]

LANGUAGES: Final = ("pt", "en")
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class Message:
    """A code of the catalogues, `section.name`, and the values of its sentence; a value may be a message itself."""

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        """The English sentence, as logs show it."""
        return say(self, "en")


Value = str | int | float | Message


def message(code: str, /, **values: Value) -> Message:
    """A message with its values by keyword."""
    return Message(code, values)


def counted_coins(count: int) -> Message:
    """A number of coins, as in “1 coin” and “3 coins”."""
    return message("suite.one_coin" if count == 1 else "suite.coins", coins=count)


def sentences(language: str) -> Mapping[str, str]:
    """All sentences of a language by code."""
    return _SENTENCES[language]


def say(message: Message | str, language: str = "pt") -> str:
    """The sentence of `message`; plain text, such as what the operating system says, stays as it is.

    A code that this release does not know, from a health file of a newer one, is shown as it is.
    """
    if isinstance(message, str):
        return message
    template = sentences(language).get(message.code)
    if template is None:
        return message.code
    return template.format(**{name: _spoken(value, language) for name, value in message.values.items()})


def _spoken(value: Value, language: str) -> str | int | float:
    return say(value, language) if isinstance(value, Message) else value


def _flat(table: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return found


def _read(language: str) -> dict[str, str]:
    return dict(_flat(tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8")), ""))


_SENTENCES: Final = {language: _read(language) for language in LANGUAGES}
"""Read at once: when no more files can be opened, that has to be said too."""
