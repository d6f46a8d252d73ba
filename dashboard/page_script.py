"""The page: who may see it, what must be said first, which view is open. Streamlit runs this file for every visitor."""

from __future__ import annotations

from dashboard.shell.layout import draw

draw()
