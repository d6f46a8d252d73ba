"""Merges files of a growing table a few coins at a time: a day of many coins takes no more memory than an hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa

__all__ = ["CoinSpan", "ReadFile", "merged"]

_MOST_ROWS: Final = 100_000
"""Rows that are in memory at a time, unless one coin has more: of the widest table one or two seconds' work."""

CoinSpan = tuple[str, str]
"""First and last of neighbouring coins, by id."""

ReadFile = Callable[[Sequence[str] | None, CoinSpan | None], pa.Table]
"""Reads some columns (None: all) of the rows of some coins (None: all) of one file."""


def merged(files: Sequence[ReadFile], arrange: Callable[[pa.Table], pa.Table]) -> Iterator[pa.Table]:
    """The rows of all files, arranged: one table, or where it would be large one after another of neighbouring coins.

    Args:
        files: what reads each of them.
        arrange: sorts rows by coin before anything else, and looks at each coin by itself.
    """
    coins = pa.concat_tables([read(["coin"], None) for read in files])
    for span in [None] if len(coins) <= _MOST_ROWS else _spans(coins):
        yield arrange(pa.concat_tables([read(None, span) for read in files], promote_options="default"))


def _spans(coins: pa.Table) -> list[CoinSpan]:
    """Spans of at most _MOST_ROWS rows that cover all coins."""
    counted = coins.group_by("coin").aggregate([("coin", "count")]).sort_by("coin")
    spans: list[list[str]] = []
    room = 0
    for coin, rows in zip(counted["coin"].to_pylist(), counted["coin_count"].to_pylist(), strict=True):
        if rows > room:
            spans.append([])
            room = _MOST_ROWS
        spans[-1].append(coin)
        room -= rows
    return [(span[0], span[-1]) for span in spans]
