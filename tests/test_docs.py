"""What the READMEs and the pages in docs/ say holds: commands answer, options exist, links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.cli import parse_arguments

ROOT = Path(__file__).parent.parent
INDEX = ROOT / "docs" / "README.md"
CATALOGUES = ROOT / "dashboard" / "i18n" / "catalogue"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES}
MODULES = sorted(
    {name for text in TEXT.values() for name in re.findall(r"python -m ((?:core|etl|model)\.\w+|mcp_server)", text)}
)
PAIRS = re.findall(r"^\| \[\S+\]\((\S+)\) · \[\S+\]\((\S+)\) \| Portuguese · English", TEXT[INDEX], re.M)
OPTIONS = sorted({name for text in TEXT.values() for name in re.findall(r"run_all\.py[^\n`]*?(--[a-z-]+)", text)})


def explained(command: Callable[[list[str]], object], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says of itself; that each of them starts is seen by tests/test_readme_commands.py."""
    with pytest.raises(SystemExit) as end:
        command(["--help"])
    assert end.value.code == 0
    return capsys.readouterr().out


def command_of(module: str) -> Callable[[list[str]], object]:
    """What `python -m MODULE` calls."""
    loaded = importlib.import_module(module)
    if not hasattr(loaded, "main"):
        loaded = importlib.import_module(f"{module}.__main__")
    main: Callable[[list[str]], object] = loaded.main
    return main


@pytest.mark.parametrize("module", MODULES)
def test_every_step_named_in_the_docs_explains_itself(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` answers in words, with exit code 0."""
    assert module in explained(command_of(module), capsys)


def test_every_option_of_run_all_named_in_the_docs_exists(capsys: pytest.CaptureFixture[str]) -> None:
    """An option in a page is an option of the command."""
    said = explained(parse_arguments, capsys)
    assert OPTIONS
    assert [option for option in OPTIONS if option not in said] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    """No page points to a file or a picture that is not there."""
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", TEXT[page]) if "://" not in link]
    missing = [link for link in links if not (page.parent / link.split("#")[0]).exists()]
    assert missing == []


def test_the_index_names_every_page_once() -> None:
    """A reader finds each page of the project in docs/README.md."""
    linked = [(INDEX.parent / link).resolve() for link in re.findall(r"\]\(([^)\s#]+)\)", TEXT[INDEX])]
    assert sorted(linked) == [page for page in PAGES if page != INDEX]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " ".join(Path(page).name for page in pair))
def test_pages_of_two_languages_lead_to_each_other(pair: tuple[str, str]) -> None:
    """Each page of a pair links to the other one above its first section."""
    pages = [(INDEX.parent / name).resolve() for name in pair]
    for page, other in (pages, pages[::-1]):
        assert f"]({other.name})*\n" in TEXT[page].split("\n## ")[0]


@pytest.mark.parametrize("pair", [("painel.md", "dashboard.en.md"), ("operacao.md", "operations.en.md")])
def test_both_languages_of_a_guide_tell_the_same(pair: tuple[str, str]) -> None:
    """Sections, tables, lists, pictures, and the addresses, variables and files named are those of the other page."""
    kinds = r"^(#+ |- |\|)|`([^`\n]+)`|\]\((img/\S+)\)"
    portuguese, english = (sorted(re.findall(kinds, TEXT[ROOT / "docs" / name], re.M)) for name in pair)
    assert portuguese == english


@pytest.mark.parametrize(("guide", "language"), [("painel.md", "pt"), ("dashboard.en.md", "en")])
def test_the_guide_of_the_dashboard_names_what_is_on_the_screen(guide: str, language: str) -> None:
    """Its table has the tabs in their order, and what it quotes stands in the dashboard's catalogue."""
    text, catalogue = TEXT[ROOT / "docs" / guide], (CATALOGUES / f"{language}.toml").read_text(encoding="utf-8")
    tabs = [(address, name) for name, address in re.findall(r"^\| ([^|]+) \| `\?pagina=(\w+)", text, re.M)]
    assert tabs == [tab for tab in tomllib.loads(catalogue)["tabs"].items() if tab[0] != "label"]
    quoted = re.findall("“([^”]+)”", text)
    assert quoted
    assert [words for words in quoted if words not in catalogue] == []


def test_both_readmes_give_the_same_two_lines() -> None:
    """One line installs and runs, one installs the test requirements and tests; alike in both languages."""
    found = [
        re.findall(r"^python3 -m venv \S+ && .*$", TEXT[ROOT / name], re.M) for name in ("README.md", "README.en.md")
    ]
    assert found[0] == found[1]
    run, test = found[0]
    assert run.endswith("run_all.py")
    assert "requirements.txt" in run
    assert test.endswith("-m pytest")
    assert "requirements-dev.txt" in test


def test_every_file_named_in_the_folder_tree_exists() -> None:
    """The tree in the README shows the project as it is."""
    tree = TEXT[ROOT / "README.md"].split("## 📁")[1].split("```")[1]
    folder = ROOT
    for line in tree.strip().splitlines():
        name, _, words = line.lstrip("├└─│ ").partition("#")
        for entry in name.split():
            assert (ROOT / entry).exists(), entry
            folder = ROOT / entry
        for file in re.findall(r"\b\w+\.py\b", words):
            assert (folder / file).exists(), f"{folder.name}/{file}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_named_on_a_page_exists(page: Path) -> None:
    """`model/scoring/naive_benchmark.py` and its like are files of the project, wherever a page names them."""
    named = set(re.findall(r"\b(?:core|suite|etl|model|api|dashboard|bench|tests)/[\w/]+\.py\b", TEXT[page]))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def names_in(file: Path) -> set[str]:
    """Functions, classes and constants of a module, and methods as `Class.method`."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.ClassDef():
                methods = [part.name for part in node.body if isinstance(part, ast.FunctionDef)]
                names |= {node.name, *(f"{node.name}.{method}" for method in methods)}
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_function_named_on_a_page_exists(page: Path) -> None:
    """`file.py:function` leads to a function, class, method or constant of that file."""
    named = set(re.findall(r"`([\w/]+\.py):([\w.]+)`", TEXT[page]))
    assert [(file, name) for file, name in sorted(named) if name not in names_in(ROOT / file)] == []


def test_the_architecture_opens_with_where_to_look() -> None:
    """The first section of docs/architecture.md answers each question with a file and a function."""
    rows = TEXT[ROOT / "docs" / "architecture.md"].split("## ")[1].split("\n\n")[0].splitlines()[3:]
    assert len(rows) > 10
    assert [row for row in rows if not re.search(r"`[\w/]+\.py|five doors", row)] == []


def test_the_backtest_options_named_in_the_docs_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """What a page passes to the backtest is an option of it."""
    said = explained(command_of("model.backtest"), capsys)
    calls = [call for text in TEXT.values() for call in re.findall(r"model\.backtest(?:[^\n`]|\\\n)*", text)]
    options = {option for call in calls for option in re.findall(r"--[a-z-]+", call)}
    assert {"--data", "--out"} < options
    assert [option for option in sorted(options) if option not in said] == []
