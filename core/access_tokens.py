"""Tokens that open a service: one from the settings, or those of a file, which is read again when it changes."""

from __future__ import annotations

import hmac
import logging
import re
import time
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from core.errors import DamagedFile
from core.files import file_stamp, read_bytes

__all__ = ["SECRET", "AccessTokens", "read_secrets"]

SECRET: Final = re.compile(r"[!-~]{4,512}")
"""What can stand in an HTTP header: printable ASCII without spaces."""

_LOOK_EVERY_S: Final = 1.0
_MAX_SECRETS: Final = 16
_MOST_BYTES: Final = 65_536

_log = logging.getLogger(__name__)


def read_secrets(path: Path) -> tuple[str, ...]:
    """The secrets of a file, one a line.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no regular file, or holds none, too many, or a line that is no secret; the message repeats
            nothing of it.
    """
    try:
        lines = read_bytes(path, _MOST_BYTES).decode("ascii", errors="replace").split()
    except DamagedFile as error:
        raise ValueError(str(error)) from error
    if not 1 <= len(lines) <= _MAX_SECRETS or not all(SECRET.fullmatch(line) for line in lines):
        raise ValueError(f"{path.name}: not 1 to {_MAX_SECRETS} secrets, one a line")
    return tuple(lines)


class AccessTokens:
    """What a caller may present; every token of a file counts, so that a new one can replace an old one gradually.

    A file that can be read no more, or is malformed, leaves the tokens as they were. Thread-safe.
    """

    def __init__(self, token: SecretStr | None = None, file: Path | None = None) -> None:
        """Take the token of the settings or those of a file.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds no tokens.
        """
        self._file = file
        self._stamp = None if file is None else file_stamp(file)
        self._looked_at = time.monotonic()
        self._trouble: str | None = None
        given = () if token is None else (token.get_secret_value(),)
        self._accepted = tuple(text.encode() for text in (given if file is None else read_secrets(file)))

    @property
    def are_required(self) -> bool:
        """Whether there is a token at all; otherwise nobody needs one."""
        return bool(self._accepted)

    def accept(self, given: bytes) -> bool:
        """Whether `given` is one of the tokens; the time it takes does not depend on the difference."""
        if self._file is not None and time.monotonic() - self._looked_at >= _LOOK_EVERY_S:
            self._look(self._file)
        return sum(hmac.compare_digest(given, token) for token in self._accepted) > 0  # each is compared

    def _look(self, file: Path) -> None:
        """Read the file again if it has changed, or could not be read the last time."""
        self._looked_at = time.monotonic()
        stamp = file_stamp(file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        told, self._trouble = self._trouble, None
        try:
            self._accepted = tuple(text.encode() for text in read_secrets(file))
        except OSError as error:
            self._stamp, self._trouble = None, str(error)  # permissions change without the stamp
            if self._trouble != told:
                _log.error("the tokens stay as they were: %s", error)
        except ValueError as error:
            _log.error("the tokens stay as they were: %s", error)
        else:
            _log.info("tokens read again from %s", file.name)
