"""The dashboard's page as Streamlit would run it for a visitor, and what can be read on it."""

from __future__ import annotations

import json
import zlib
from typing import Any

from streamlit.testing.v1 import AppTest

from core.settings import PROJECT
from dashboard.charts.figure import unpacked
from dashboard.shell.chart import COMPONENT

__all__ = ["cards_on", "chart_on", "chart_protos", "charts_on", "open_page", "switch_language", "text_on"]


def open_page(timezone: str = "America/Sao_Paulo", locale: str | None = "pt-BR", **address: str) -> AppTest:
    """Run the page for a visitor with this time zone and locale, and these parameters in the address."""
    page = AppTest.from_file(str(PROJECT / "dashboard" / "page_script.py"), default_timeout=30)
    page.context = {"timezone": timezone, "locale": locale, "theme": "light"}
    for name, value in address.items():
        page.query_params[name] = value
    return page.run()


def switch_language(page: AppTest, language: str) -> AppTest:
    """The page in another language, as the switch beside its title shows it."""
    page.session_state["idioma"] = language
    return page.run()


def text_on(page: AppTest) -> str:
    """All sentences of the page, without the backslashes of Markdown."""
    parts = (page.html, page.markdown, page.info, page.warning, page.error, page.caption, page.success)
    return "\n".join(str(element.value) for elements in parts for element in elements).replace("\\", "")


def chart_protos(page: AppTest) -> list[Any]:
    """The charts of the page as messages of Streamlit, with their ids."""
    protos = [element.proto for element in page.get("bidi_component")]
    return [proto for proto in protos if proto.component_name == COMPONENT]


def charts_on(page: AppTest) -> list[dict[str, Any]]:
    """The charts of the page as the browser gets them, with the numbers of their lines unpacked."""
    found = [json.loads(zlib.decompress(proto.bytes)) for proto in chart_protos(page)]
    for chart in found:
        for trace in chart["figure"]["data"]:
            trace |= {axis: unpacked(trace[axis]) for axis in ("x", "y", "base") if axis in trace}
    return found


def chart_on(page: AppTest, index: int = 0) -> dict[str, Any]:
    """The figure of one chart of the page."""
    figure: dict[str, Any] = charts_on(page)[index]["figure"]
    return figure


def cards_on(page: AppTest) -> dict[str, str]:
    """Cards of the page: label to value, without the backslashes of Markdown."""
    return {card.label.replace("\\", ""): card.value.replace("\\", "") for card in page.metric}
