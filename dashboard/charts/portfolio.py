"""Chart of what each position adds to the loss of a bad hour. Pure: values in, figure out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dashboard.charts.figure import Figure
from dashboard.charts.palette import RIGHT, WORSE
from dashboard.charts.style import base_layout
from dashboard.i18n.numbers import Formats

__all__ = ["contribution_chart"]

_ROW_PX: Final = 34
_MARGINS_PX: Final = 90


def contribution_chart(shares: Mapping[str, float], formats: Formats) -> Figure:
    """One bar per position, the largest on top; positions that lessen the loss point left, in green.

    Args:
        shares: name of the coin → its part of the expected shortfall, in percent; they add up to 100.
        formats: the visitor's number formats.
    """
    ordered = sorted(shares.items(), key=lambda share: share[1])
    layout = base_layout(formats, _MARGINS_PX + _ROW_PX * len(ordered))
    layout["showlegend"] = False
    layout["xaxis"] |= {"ticksuffix": "%", "tickformat": ",.0f", "zeroline": True}
    bars = {
        "type": "bar",
        "orientation": "h",
        "x": [share for _, share in ordered],
        "y": [name for name, _ in ordered],
        "text": [formats.percent(share, 0) for _, share in ordered],
        "textposition": "auto",
        "marker": {"color": [WORSE if share >= 0 else RIGHT for _, share in ordered]},
        "hoverinfo": "skip",
    }
    return {"data": [bars], "layout": layout}
