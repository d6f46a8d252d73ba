"""The dashboard's page as Streamlit would run it for a visitor, and what can be read on it."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from core.settings import PROJECT

__all__ = ["cards_on", "chart_on", "open_page", "text_on"]


def open_page(timezone: str = "America/Sao_Paulo", **address: str) -> AppTest:
    """Run the page for a visitor with this time zone and these parameters in the address."""
    page = AppTest.from_file(str(PROJECT / "dashboard" / "page_script.py"), default_timeout=30)
    page.context = {"timezone": timezone, "locale": "pt-BR", "theme": "light"}
    for name, value in address.items():
        page.query_params[name] = value
    return page.run()


def text_on(page: AppTest) -> str:
    """All sentences of the page, without the backslashes of Markdown."""
    parts = (page.html, page.markdown, page.info, page.warning, page.error, page.caption, page.success)
    return "\n".join(str(element.value) for elements in parts for element in elements).replace("\\", "")


def chart_on(page: AppTest, index: int = 0) -> dict[str, Any]:
    """A chart of the page as the browser gets it."""
    spec: dict[str, Any] = json.loads(page.get("plotly_chart")[index].proto.spec)
    return spec


def cards_on(page: AppTest) -> dict[str, str]:
    """Cards of the page: label to value, without the backslashes of Markdown."""
    return {card.label.replace("\\", ""): card.value.replace("\\", "") for card in page.metric}
