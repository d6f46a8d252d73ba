"""The views find themselves: a module in the package is a tab."""

from __future__ import annotations

from pathlib import Path

import pytest

import dashboard
from dashboard import views
from dashboard.i18n.texts import catalogue

MODULE = """
from dashboard.shell.context import View

VIEW = View({name!r}, ":material/star:", position=0, show=print)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules belong to the package of the views."""
    monkeypatch.setattr(views, "__path__", [*views.__path__, str(tmp_path)])
    return tmp_path


def test_the_tabs_keep_their_order() -> None:
    """The overview comes first and opens by default."""
    assert list(views.find_views()) == [
        "visao", "moeda", "precisao", "comparacao", "carteira", "alertas", "exportar", "diagnostico",
    ]  # fmt: skip


def test_a_new_module_is_a_new_tab(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file and a text in each catalogue make a view, at the position that it asks for."""
    for language in ("pt", "en"):
        monkeypatch.setitem(catalogue(language), "tabs.novidade", "Nova")
    (folder / "new_view.py").write_text(MODULE.format(name="novidade"))
    found = views.find_views()
    assert next(iter(found)) == "novidade"
    assert found["novidade"].icon == ":material/star:"


def test_a_view_without_a_text_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tab whose text is missing in one catalogue fails with the names of view and catalogue."""
    monkeypatch.setitem(catalogue("pt"), "tabs.sem_texto", "Sem texto em inglês")
    (folder / "untold_view.py").write_text(MODULE.format(name="sem_texto"))
    with pytest.raises(LookupError, match=r"'sem_texto' .* \[tabs\] of en\.toml"):
        views.find_views()


def test_a_module_without_a_view_is_named(folder: Path) -> None:
    """A module that declares nothing fails with its name."""
    (folder / "empty_view.py").write_text("")
    with pytest.raises(AttributeError, match=r"dashboard\.views\.empty_view.*VIEW"):
        views.find_views()


def test_streamlit_finds_no_pages_of_its_own() -> None:
    """A folder `pages` beside the script would become a sidebar that leads around the login."""
    assert not (Path(dashboard.__file__).parent / "pages").exists()
