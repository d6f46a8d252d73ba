"""What every export of data has: where it comes from, a safe file name, and no text that runs as a formula."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from core.price_store import Coin
from core.settings import Source
from core.wording import message, say
from core.workspace import Workspace

__all__ = ["attribution", "file_name", "neutralised", "origin_columns", "safe_name"]

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def attribution(source: Source, language: str = "pt") -> str:
    """The sentence on where the prices come from, as every export has it."""
    return say(message(f"attribution.{source}"), language)


def origin_columns(workspace: Workspace) -> dict[str, str]:
    """Names and values of the columns that say in each row what its prices are: currency, source and attribution."""
    source = workspace.source
    return {"moeda_cotacao": workspace.currency, "fonte": source.value, "atribuicao": attribution(source)}


def safe_name(parts: Iterable[str]) -> str:
    """A file name of these parts, without characters that a file system or a shell takes for its own."""
    return "-".join(re.sub(r"[^A-Za-z0-9._]+", "-", part)[:60].strip(".-") for part in parts)


def file_name(subject: str, coin: Coin | None, workspace: Workspace) -> str:
    """A file name with content, coin and source and without its ending, such as `historico-bitcoin-demo`."""
    return safe_name((subject, coin.id if coin else "moedas", workspace.source.value))


def neutralised(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA_STARTS) else text
