"""The files that the browser gets from dashboard and API alike."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.web_files import SHARED, contents_token


def test_the_vendored_bundle_is_the_published_one() -> None:
    """The bundle of plotly.js has the hash that its note names, and the chart loads this bundle."""
    note = (SHARED / "README.md").read_text("utf-8")
    (bundle,) = SHARED.glob("plotly-basic-*.min.js")
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() in note
    assert bundle.name in note
    assert f'"{bundle.name}"' in (SHARED / "chart.js").read_text("utf-8")


def test_an_address_changes_with_any_content(tmp_path: Path) -> None:
    """The token differs after one file of one folder has changed, and is the same while none has."""
    (tmp_path / "a.js").write_text("one")
    before = contents_token(tmp_path, SHARED)
    assert contents_token(tmp_path, SHARED) == before
    (tmp_path / "a.js").write_text("two")
    assert contents_token(tmp_path, SHARED) != before
