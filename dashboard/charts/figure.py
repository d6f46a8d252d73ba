"""A chart as the browser gets it: Plotly's traces and layout as plain data, and what is said around them.

Plain dictionaries instead of `plotly.graph_objects`: those are full of reference cycles, which wait in memory for a
full garbage collection, and validating them takes longer than making the JSON.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["Chart", "Figure", "chart_json", "packed", "unpacked"]

Figure = dict[str, Any]
"""Traces (`data`) and `layout` as plotly.js takes them. On a date axis, numbers are UTC milliseconds, which the browser
draws in its own time zone, on one clock for the whole figure, and text is drawn as it is."""

_LOCALES: Final = {"pt": "pt-BR", "en": "en-US"}
_TEXTS: Final = (
    "now", "pause", "resume", "paused", "table", "download", "zoomed_out",
)  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """What belongs to a figure apart from its drawing.

    Attributes:
        title: Title of the picture that the reader can save.
        file: Name of that picture; the browser adds the day and the ending.
        alt: Text alternative: what the chart shows, in a sentence.
        view: What the reader looks at, such as coin and window; another view starts without zoom.
        live: Whether the reader can pause the chart.
        clock: Whether a line marks the present time.
    """

    title: str
    file: str
    alt: str
    view: str = ""
    live: bool = False
    clock: bool = False


def chart_json(figure: Figure, chart: Chart, formats: Formats) -> bytes:
    """A chart as deflated JSON for the browser; made once per version of the data, for all visitors."""
    texts = Texts(formats.language)
    text = json.dumps(
        {
            "figure": figure,
            "title": chart.title,
            "file": chart.file,
            "alt": chart.alt,
            "view": chart.view,
            "live": chart.live,
            "clock": chart.clock,
            "texts": {
                "locale": _LOCALES[formats.language],
                "decimal": formats.separators[0],
                "thousands": formats.separators[1],
                **{name: texts(f"chart.{name}") for name in _TEXTS},
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return zlib.compress(text.encode(), level=9)


def packed(values: Sequence[float | None], decimals: int) -> dict[str, Any]:
    """Numbers as differences of integers, a third of their size as JSON; chart.js unpacks them.

    Args:
        values: The numbers; None stays None.
        decimals: Decimals kept; -3 keeps seconds of milliseconds.

    Returns:
        `steps`, each the difference to the number before in units of 10 to the power -`decimals`, and `decimals`.
    """
    steps: list[int | None] = []
    last = 0
    for value in values:
        if value is None:
            steps.append(None)
            continue
        units = round(value * 10.0**decimals)
        steps.append(units - last)
        last = units
    return {"steps": steps, "decimals": decimals}


def unpacked(values: Any) -> list[float | None]:
    """The numbers that `packed` was given, rounded; any other list as it is."""
    if not isinstance(values, dict):
        return list(values)
    numbers: list[float | None] = []
    sum_ = 0
    for step in values["steps"]:
        sum_ += step or 0
        numbers.append(None if step is None else round(sum_ / 10.0 ** values["decimals"], max(values["decimals"], 0)))
    return numbers
