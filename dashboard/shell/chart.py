"""The chart component: its node in the browser survives new data, and so do zoom, legend, focus and tooltip."""

from __future__ import annotations

from typing import Final

import streamlit as st

from dashboard.shell.assets import loader

__all__ = ["COMPONENT", "show_chart"]

COMPONENT: Final = "chart"

_chart = st.components.v2.component(
    COMPONENT, js=loader("chart.js", "it.draw(component.parentElement, component.data)"), isolate_styles=False
)


def show_chart(chart: bytes, key: str) -> None:
    """Draw a chart made by `chart_json`; the same `key` keeps the same node, whatever the data."""
    _chart(key=key, data=chart)
