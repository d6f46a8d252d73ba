"""Every example in docs/api.md and docs/api.en.md runs against one server over a filled workspace."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any, Final

import pytest

from core.settings import PROJECT
from tests.support.served_api import served_api
from tests.support.workspace import SampleWorkspace

ADDRESS: Final = "http://127.0.0.1:8000"
GUIDES: Final = tuple((PROJECT / "docs" / name).read_text(encoding="utf-8") for name in ("api.md", "api.en.md"))
LONGEST_S: Final = 20.0
MOST_LINES: Final = 4
TIME: Final = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"
COMMANDS: Final = {
    "bash": ("bash", "-c"),
    "js": ("node", "--no-warnings", "--experimental-eventsource", "--input-type=module", "-e"),
}
EXPECTED: Final = {
    "python": (
        rf"{TIME} [\d.]+ [\d.]+ [\d.]+",
        r"0\.\d+(e-\d+)?",
        rf" *moeda .*\n +btc .*\n +eth .*\npreco btc {TIME}\npreco eth {TIME}\nprevisao btc {TIME}",
        r"1[23] (0\.0|1\.0)",
        rf"({TIME} [\d.]+\n?){{{MOST_LINES}}}",
    ),
    "bash": (
        r'"intervalos".*horario,.*\n"20\d\d-',
        r"event: preco\n.*event: previsao\ndata: {",
        r"^304$",
        r'"nome":"Bitcoin"',
        r'"title":"Unknown coin"',
    ),
    "js": (
        rf"{TIME} [\d.]+ {{ minimo: [\d.]+, maximo: [\d.]+ }}",
        r"100 http://127\.0\.0\.1:\d+/historico/btc\?limite=100&apos=\d+",
    ),
}
"""What the examples print, in the order of the page."""


def _examples(*languages: str) -> Iterator[Any]:
    """Language, code and what it prints, for each example."""
    for language in languages:
        codes = re.findall(rf"```{language}\n(.*?)```", GUIDES[0], re.DOTALL)
        for place, (code, expected) in enumerate(zip(codes, EXPECTED[language], strict=True), 1):
            yield pytest.param(language, code, expected, id=f"{language}-{place}")


@pytest.fixture(scope="module")
def address(filled: SampleWorkspace) -> Iterator[str]:
    """Address of the server that all examples ask."""
    with served_api(filled.settings) as found:
        yield found


class _EnoughError(Exception):
    """The example has printed what one wants to see; some would go on for ever."""


def _printed(code: str) -> list[str]:
    """The first lines that Python code prints."""
    lines: list[str] = []

    def note(*values: object) -> None:
        lines.append(" ".join(map(str, values)))
        if len(lines) == MOST_LINES:
            raise _EnoughError

    with suppress(_EnoughError):
        exec(code, {"print": note})  # noqa: S102 - the guide is the thing tested
    return lines


def _told(language: str, code: str, folder: Path, expected: str) -> str:
    """What a program writes until that matches, or all of it if it never does."""
    command = [*COMMANDS[language], code]
    text = ""
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    ) as process:
        watch = Timer(LONGEST_S, process.kill)
        watch.start()
        assert process.stdout is not None
        for line in process.stdout:
            text += line
            if re.search(expected, text, re.DOTALL):
                process.kill()
        watch.cancel()
    return text


@pytest.mark.parametrize(("_language", "code", "expected"), [*_examples("python")])
def test_python(_language: str, code: str, expected: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code prints what its reader expects: times, prices, a table, the events of two coins."""
    monkeypatch.syspath_prepend(str(PROJECT / "client"))
    printed = "\n".join(_printed(code.replace(ADDRESS, address)))
    assert re.match(expected, printed), printed


@pytest.mark.parametrize(("language", "code", "expected"), [*_examples(*COMMANDS)])
def test_programs(language: str, code: str, expected: str, address: str, tmp_path: Path) -> None:
    """A terminal and Node.js, whose `EventSource` is that of browsers, show answers and events of the API."""
    for program in {COMMANDS[language][0], "curl" if language == "bash" else "node"}:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    told = _told(language, code.replace(ADDRESS, address), tmp_path, expected)
    assert re.search(expected, told, re.DOTALL), told


def test_both_languages_have_the_same_sections_code_and_names() -> None:
    """Heading by heading the two pages have as many parts, the same examples, and name the same fields in tables."""
    for pattern in (r"^#+ ", r"```.*?```", r"^\| *(\[?`[^|]*`)", r"^(\| \d+ \| `\w+`)"):
        one, other = (re.findall(pattern, guide, re.MULTILINE | re.DOTALL) for guide in GUIDES)
        one, other = ([re.sub(r"\(#[^)]*\)", "", found) for found in side] for side in (one, other))
        assert len(one) > 9
        assert one == other


@pytest.mark.parametrize("guide", GUIDES, ids=["pt", "en"])
def test_links_within_a_page_lead_to_its_headings(guide: str) -> None:
    """Each `#anchor` is one of the page's headings as GitHub makes anchors of them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", guide, flags=re.DOTALL), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", guide))
    assert len(links) > 10
    assert links - anchors == set()
