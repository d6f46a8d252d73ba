"""What a file of settings, `.env`, may cost to read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from core.errors import ConfigurationError, DamagedFile, message_of
from core.files import check_regular
from core.wording import message

__all__ = ["check_env_file"]

_MOST_BYTES: Final = 32_768
_MOST_REFERENCES: Final = 16
"""`${NAME}` in a file: lines that repeat each other make at most 350 times its length of it."""


def check_env_file(path: object) -> None:
    """Refuse a file that would wait for another process, be too long, or grow beyond measure by its references.

    Raises:
        ConfigurationError: it is one of these, or cannot be read.
    """
    if not isinstance(path, Path) or not (path.is_file() or path.is_fifo()):
        return
    try:
        check_regular(path, _MOST_BYTES)
        references = path.read_bytes().count(b"${")
    except (DamagedFile, OSError) as error:
        raise ConfigurationError(message("settings.env_file", reason=message_of(error))) from error
    if references > _MOST_REFERENCES:
        raise ConfigurationError(message("settings.env_references", found=references, most=_MOST_REFERENCES))
