"""The files that the browser loads."""

from __future__ import annotations

import hashlib
import re

from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.shell.assets import FOLDER, asset_route, loader


def test_the_vendored_bundle_is_the_published_one() -> None:
    """The bundle of plotly.js has the hash that its note names, and the chart loads this bundle."""
    note = (FOLDER / "README.md").read_text("utf-8")
    (bundle,) = FOLDER.glob("plotly-basic-*.min.js")
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() in note
    assert bundle.name in note
    assert f'"{bundle.name}"' in (FOLDER / "chart.js").read_text("utf-8")


def test_files_are_kept_by_the_browser() -> None:
    """A loader's address leads to its module, which the browser may keep as long as it likes."""
    address = re.search('URL\\("([^"]+)"', loader("chart.js", "it.draw()"))
    assert address
    answer = TestClient(Starlette(routes=[asset_route()])).get(f"/{address[1]}")
    assert answer.text == (FOLDER / "chart.js").read_text("utf-8")
    assert answer.headers["Content-Type"].startswith(("text/javascript", "application/javascript"))
    assert "immutable" in answer.headers["Cache-Control"]
