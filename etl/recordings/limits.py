"""How much of a recording is read: a number of coins, and as many rows as fit into the memory that is free."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import psutil

from core.errors import BadInput
from core.wording import Message, message

__all__ = ["MOST_COINS", "MOST_LINE", "most_rows", "too_costly", "too_many_rows"]

MOST_COINS: Final = 20_000
"""CoinGecko lists fewer."""

MOST_LINE: Final = 65_536
"""Characters of a line of text."""

_MOST_ROWS: Final = 200_000_000
_ROW_BYTES: Final = 200
"""Memory that a row takes while it is read, checked and sorted, at most (docs/reliability.md)."""

_SHARE: Final = 0.75
"""Of the free memory."""


def most_rows() -> int:
    """Rows that can be read now."""
    return min(_MOST_ROWS, int(_SHARE * psutil.virtual_memory().available) // _ROW_BYTES)


def too_costly(path: Path, reason: Message | str) -> BadInput:
    """The error for a file that is not read because of what it would cost."""
    return BadInput(message("recording.too_costly", file=str(path), reason=reason))


def too_many_rows(path: Path, most: int) -> BadInput:
    """The error for a file with more rows than `most`."""
    return too_costly(path, message("recording.too_many_rows", rows=most + 1, most=most))
