"""A parser of what comes from outside: valid inputs to start from, and the errors that it may raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import ForecastingError

__all__ = ["NOW_MS", "Parser", "of_file"]

NOW_MS: Final = 1_767_225_600_000


@dataclass(frozen=True)
class Parser:
    """What is fed to one parser.

    Attributes:
        seeds: valid inputs.
        parse: reads one input; what it returns does not matter.
        share: of all inputs that this parser gets.
        allowed: errors that its callers handle.
    """

    seeds: tuple[bytes, ...]
    parse: Callable[[bytes], object]
    share: float
    allowed: tuple[type[Exception], ...] = (ForecastingError,)


def of_file(
    folder: Path, name: str, seed: bytes, read: Callable[[Path], object], share: float, *allowed: type[Exception]
) -> Parser:
    """A parser of a file, which is written as `name` in the folder for each input."""
    path = folder / name

    def parse(data: bytes) -> object:
        path.write_bytes(data)
        return read(path)

    return Parser((seed,), parse, share, (ForecastingError, *allowed))
