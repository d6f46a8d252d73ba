"""Style that all charts share: language, time zone, currency, margins, legend and watermark.

Trace colours are mid-tones that read on light and dark; fonts, grid and background come from Streamlit's theme in the
browser. So a figure depends on the data alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from dashboard.charts.figure import Figure
from dashboard.charts.palette import IDEAL
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["ChartStyle", "add_horizontal_line", "add_watermark", "base_layout"]

_HEIGHT: Final = 365


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
        "margin": {"l": 8, "r": 8, "t": 20, "b": 8},
        "separators": formats.separators,
        "dragmode": False,
        "hovermode": "closest",
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "title": {"text": ""}},
        "xaxis": {"automargin": True, "showgrid": False},
        "yaxis": {"automargin": True, "zeroline": False},
        "shapes": [],
        "annotations": [],
    }


def add_horizontal_line(figure: Figure, y: float) -> None:
    """Draw a dashed line across the whole plot: the value that others are compared with."""
    line = {"color": IDEAL, "width": 1.5, "dash": "dash"}
    figure["layout"]["shapes"].append(
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}
    )


def add_watermark(figure: Figure, watermark: str | None) -> None:
    """Write in the lower left corner, away from the numbers, that the prices are not live."""
    if watermark:
        figure["layout"]["annotations"].append(
            {
                "text": watermark, "x": 0.01, "y": 0.02, "xref": "paper", "yref": "paper", "xanchor": "left",
                "yanchor": "bottom", "showarrow": False, "opacity": 0.55, "font": {"size": 13, "color": IDEAL},
            }
        )  # fmt: skip
