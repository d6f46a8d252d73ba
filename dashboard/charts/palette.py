"""Colours of the charts: mid-tones that read on white and near-black, also for colour-blind eyes."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BAND_OPACITY",
    "CATEGORIES",
    "FORECAST",
    "HISTORY",
    "IDEAL",
    "PAST",
    "RIGHT",
    "WORSE",
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
"""Colours of the comparison, one per coin; it takes at most as many coins."""


def faded(colour: str, opacity: float) -> str:
    """A `#rrggbb` colour as `rgba(…)`."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
