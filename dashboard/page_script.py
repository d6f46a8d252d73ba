"""The script that Streamlit runs for every visitor and every rerun: it draws the whole page."""

from __future__ import annotations

from dashboard.shell.layout import draw

draw()
