"""The file of a replay: whether it can be read to its end, and the hash that tells one recording from another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from core.errors import ConfigurationError, DamagedFile
from core.files import check_regular
from core.wording import Message, message

__all__ = ["MOST_RECORDING_BYTES", "check_recording", "recording_hash"]

MOST_RECORDING_BYTES: Final = 16 * 2**30
"""Four times a crypto.db of 250 coins and 90 days."""


def check_recording(path: Path) -> None:
    """Look whether a recording is a file that can be opened and read to its end.

    Raises:
        ConfigurationError: it is missing, no regular file, too large, or refuses to be read.
    """
    try:
        check_regular(path, MOST_RECORDING_BYTES)
        path.open("rb").close()
    except DamagedFile as error:
        raise _unreadable(path, error.message) from error
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def recording_hash(path: Path) -> str:
    """First 16 hex digits of the SHA-256 of a recording.

    Raises:
        ConfigurationError: as `check_recording`.
    """
    check_recording(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error


def _unreadable(path: Path, reason: Message | str) -> ConfigurationError:
    return ConfigurationError(message("recording.unreadable", path=str(path), reason=reason))
