"""Style that all charts share: language, time zone, currency, margins, legend and watermark.

Trace colours are mid-tones that read on light and dark; fonts, grid and background come from Streamlit's theme in the
browser. So a figure depends on the data alone, and the browser keeps it while the data stay the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go

from dashboard.charts.palette import IDEAL
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["ChartStyle", "add_watermark", "base_layout"]

_HEIGHT: Final = 460


@dataclass(frozen=True)
class ChartStyle:
    """Formats of a chart and the watermark on prices that are not live; part of figures' cache keys."""

    formats: Formats
    watermark: str | None = None

    @property
    def texts(self) -> Texts:
        """The texts in the language of the formats."""
        return Texts(self.formats.language)


def base_layout(formats: Formats, height: int = _HEIGHT) -> dict[str, Any]:
    """Layout of every chart: legend above, narrow margins, no dragging, which would catch a thumb."""
    return {
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 36, "b": 8},
        "separators": formats.separators,
        "dragmode": False,
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
        "xaxis": {"automargin": True, "showgrid": False},
        "yaxis": {"automargin": True, "zeroline": False},
    }


def add_watermark(figure: go.Figure, watermark: str | None) -> None:
    """Write faintly across the plot that its prices are not live."""
    if watermark:
        figure.add_annotation(
            text=watermark, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, opacity=0.22,
            font={"size": 28, "color": IDEAL},
        )  # fmt: skip
