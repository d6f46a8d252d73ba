"""Colours of the charts: mid-tones that read on white and near-black, also for colour-blind eyes."""

from __future__ import annotations

from typing import Final
from zlib import crc32

from core.settings import DEFAULT_COINS

__all__ = [
    "BAND_OPACITY",
    "CATEGORIES",
    "FORECAST",
    "HISTORY",
    "IDEAL",
    "PAST",
    "RIGHT",
    "WORSE",
    "coin_colour",
    "faded",
]

HISTORY: Final = "#2f81f7"
FORECAST: Final = "#e8730c"
PAST: Final = "#a371f7"
IDEAL: Final = "#8b949e"
RIGHT: Final = "#1a9e77"
WORSE: Final = "#d1495b"

BAND_OPACITY: Final = {95: 0.12, 80: 0.18, 50: 0.28}
"""Opacity of each interval; the intervals overlap, so that the colour is strongest in the middle."""

CATEGORIES: Final = ("#2f81f7", "#e8730c", "#1a9e77", "#a371f7", "#d1495b", "#c9a50b", "#17a2b8", "#8b949e")
"""Colours of coins; a comparison takes at most as many coins."""

_OWN: Final = {coin: CATEGORIES[place % len(CATEGORIES)] for place, coin in enumerate(DEFAULT_COINS)}


def coin_colour(coin_id: str) -> str:
    """The colour of a coin, the same on every page and beside any other coins."""
    return _OWN.get(coin_id, CATEGORIES[crc32(coin_id.encode()) % len(CATEGORIES)])


def faded(colour: str, opacity: float) -> str:
    """A `#rrggbb` colour as `rgba(…)`."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
