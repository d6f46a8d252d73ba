"""Which files of a growing table are merged next: those of its oldest closed day or hour, or too many. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.publishing.manifest import Part
from core.times import DAY_MS, HOUR_MS, MINUTE_MS

__all__ = ["MOST_MERGED_ROWS", "next_merge"]

MOST_MERGED_ROWS: Final = 4_000_000
"""A day of more rows stays in hours: the reader of one coin would look through the list of too many row groups."""

_CLOSED_AFTER_MS: Final = 10 * MINUTE_MS
"""How long after its end, and that of its parts, an hour or day is merged: none of them can arrive later. Scores of an
hour reach into the next one, in which their outcomes become known."""

_MOST_PARTS: Final = 24
"""An hour of more parts is merged before it is closed: readers open each, and keep what they made of it."""

_LEVELS: Final = (("day", DAY_MS, ("slot", "hour")), ("hour", HOUR_MS, ("slot",)))
"""Level, its length, and the levels that are merged to it."""


def next_merge(parts: Sequence[Part], now: int) -> tuple[str, list[Part]] | None:
    """The level to merge to and the parts of the oldest day (or else hour) that is to be merged, if any.

    Args:
        parts: of one growing table.
        now: UTC milliseconds.
    """
    for level, length_ms, finer in _LEVELS:
        groups: dict[int, list[Part]] = {}
        for part in parts:
            groups.setdefault(part.start_ms // length_ms, []).append(part)
        for start, group in sorted(groups.items()):
            end_ms = max((start + 1) * length_ms, *(part.end_ms for part in group))
            is_due = end_ms + _CLOSED_AFTER_MS <= now or (level == "hour" and len(group) > _MOST_PARTS)
            few = sum(part.rows for part in group) <= MOST_MERGED_ROWS
            if is_due and few and any(part.level in finer for part in group):
                return level, group
    return None
