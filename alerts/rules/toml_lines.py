"""On which line of a TOML text a table or a key stands; the parser of the standard library does not say."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["TomlLines"]

_HEADER: Final = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?")
_KEY: Final = re.compile(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*=""")

_Place = tuple[str, int]
"""A table by its dotted name, and the how many-th of that name it is, from 0."""


class TomlLines:
    """Lines, counted from 1, of the tables and keys of a text that has a table or a key at the beginning of a line."""

    def __init__(self, text: str) -> None:
        self._tables: dict[_Place, int] = {("", 0): 1}
        self._keys: dict[tuple[_Place, str], int] = {}
        seen: dict[str, int] = {}
        place: _Place = ("", 0)
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.fullmatch(line):
                name = re.sub(r"""["'\s]""", "", header[1])
                place = (name, seen.get(name, 0))
                seen[name] = place[1] + 1
                self._tables[place] = number
            elif found := _KEY.match(line):
                self._keys.setdefault((place, found[1]), number)

    def of(self, table: str, place: int = 0, key: str | None = None) -> int:
        """The line of a key of a table, or of the table where the key is not found; 1 where the table is not."""
        where = (table, place)
        line = self._keys.get((where, key)) if key is not None else None
        return line or self._tables.get(where, 1)
