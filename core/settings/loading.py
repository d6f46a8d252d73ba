"""Builds settings and says in people's words what is wrong with them."""

from __future__ import annotations

import os
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import DotEnvSettingsSource

from core.errors import ConfigurationError, Unavailable
from core.settings.env_file import check_env_file
from core.settings.settings import SECRETS, Settings
from core.wording import Message, Value, message, sentences

__all__ = ["PARENT_VARIABLE", "all_variables", "load_settings"]

PARENT_VARIABLE: Final = "CRYPTO_PARENT_PID"
"""Holds the pid of the process that started this one and passed it all settings."""


def load_settings(**overrides: object) -> Settings:
    """Build settings from `overrides` (None means not given), the environment and `.env`, in this precedence.

    A child of the suite gets all settings from its parent and does not read `.env`.

    Raises:
        ConfigurationError: a setting is wrong; the message has one line per problem and names the variable.
        Unavailable: nothing is wrong but that a file of secrets cannot be read.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    if os.environ.get(PARENT_VARIABLE):
        given["_env_file"] = None
    check_env_file(given.get("_env_file", Settings.model_config.get("env_file")))
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        kinds = {detail["type"] for detail in error.errors()}
        refusal = Unavailable if kinds == {"settings.secret_unreadable"} else ConfigurationError
        raise refusal(_lines([_explain(detail) for detail in error.errors()])) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(message("settings.env_encoding", reason=error.reason)) from error


def all_variables() -> dict[str, str]:
    """The variables of the environment, and the lines of `.env` that it does not override; they hold secrets.

    Raises:
        ConfigurationError: the file is not in UTF-8, or cannot be read to its end.
    """
    check_env_file(Settings.model_config.get("env_file"))
    try:
        lines = DotEnvSettingsSource(Settings, case_sensitive=True).env_vars
    except UnicodeDecodeError as error:
        raise ConfigurationError(message("settings.env_encoding", reason=error.reason)) from error
    return {name: value for name, value in lines.items() if value is not None} | dict(os.environ)


def _lines(problems: list[Message]) -> Message:
    """Join messages into one, a line each."""
    first, *rest = problems
    return message("settings.lines", first=first, rest=_lines(rest)) if rest else first


def _explain(detail: ErrorDetails) -> Message:
    """Say what is wrong with one setting, without showing a secret."""
    reason = _reason(detail)
    if not detail["loc"]:
        return message("settings.invalid", reason=reason)
    name = str(detail["loc"][0])
    shown = "" if name in SECRETS else f"={str(detail['input'])[:80]}"
    return message("settings.invalid_variable", variable=f"CRYPTO_{name.upper()}", shown=shown, reason=reason)


def _shown(value: object) -> Value:
    """A limit without decimal zeros, alternatives in a row: pydantic's " or " suits no other language."""
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" or ", ", ")


def _reason(detail: ErrorDetails) -> Message:
    code = detail["type"] if detail["type"].startswith("settings.") else f"settings.reason.{detail['type']}"
    if code not in sentences("en"):
        return message("settings.reason.other")
    values = {name: _shown(value) for name, value in detail.get("ctx", {}).items()}
    return Message(code, values)
