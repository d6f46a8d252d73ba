"""The files that the browser loads."""

from __future__ import annotations

import re

from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.web_files import SHARED
from dashboard.shell.assets import asset_route, loader


def test_files_are_kept_by_the_browser() -> None:
    """A loader's address leads to its module, which the browser may keep as long as it likes."""
    address = re.search('URL\\("([^"]+)"', loader("chart.js", "it.draw()"))
    assert address
    answer = TestClient(Starlette(routes=[asset_route()])).get(f"/{address[1]}")
    assert answer.text == (SHARED / "chart.js").read_text("utf-8")
    assert answer.headers["Content-Type"].startswith(("text/javascript", "application/javascript"))
    assert "immutable" in answer.headers["Cache-Control"]
