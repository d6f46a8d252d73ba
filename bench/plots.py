"""What the benchmarks draw: cost against coins, history and log, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

__all__ = ["Panel", "cost_figure"]


@dataclass(frozen=True)
class Panel:
    """One curve: CPU-seconds of a warm cycle against something; the places are evenly spaced and carry `labels`."""

    title: str
    axis: str
    labels: Sequence[str]
    values: Sequence[float]


def cost_figure(panels: Sequence[Panel]) -> go.Figure:
    """The panels side by side, each from zero to its highest value."""
    figure = make_subplots(rows=1, cols=len(panels), subplot_titles=[panel.title for panel in panels])
    for column, panel in enumerate(panels, 1):
        curve = go.Scatter(
            x=list(panel.labels),
            y=list(panel.values),
            mode="lines+markers+text",
            line_color="#1f6feb",
            text=[f"{value:.3f}" for value in panel.values],
            textposition="top center",
            cliponaxis=False,
        )
        figure.add_trace(curve, row=1, col=column)
        figure.update_xaxes(type="category", title=panel.axis, row=1, col=column)
        figure.update_yaxes(range=[0, 1.2 * max(panel.values)], row=1, col=column)
    return figure.update_layout(template="plotly_white", showlegend=False, width=1100, height=330, margin_t=40)
