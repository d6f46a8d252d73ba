"""Modules of Streamlit's frontend that the browser is told to fetch early."""

from __future__ import annotations

from pathlib import Path

from streamlit.file_util import get_static_dir

from dashboard.shell.frontend_modules import early_modules


def test_every_module_exists_and_is_not_named_twice() -> None:
    """Each is a file that Streamlit serves and its page does not name; cards and components are among them."""
    static = Path(get_static_dir())
    page = (static / "index.html").read_text(encoding="utf-8")
    modules = early_modules()
    assert all((static / module).is_file() for module in modules)
    assert not any(Path(module).name in page for module in modules)
    for element in ("Metric", "BidiComponent", "TextInput"):
        assert any(Path(module).name.startswith(f"{element}.") for module in modules)
