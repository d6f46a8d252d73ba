"""The project's own files agree: requirements, versions, and what the built package holds and does."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from core.errors import EXIT_CONFIGURATION
from core.version import VERSION
from tests.support.ports import reserve_port
from tools.requirements import PROJECT, declared, requirement_files

PRODUCT = ("suite", "core", "etl", "model", "api", "dashboard", "alerts", "mcp_server")
USED_WITHOUT_IMPORT = {"fastapi-offline"}  # the API serves its static files
PATIENCE_S = 90.0
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def imported_distributions(*folders: str) -> set[str]:
    """Packages of others whose modules the files below `folders` import, by their normalised names."""
    trees = [ast.parse(path.read_bytes()) for folder in folders for path in (PROJECT / folder).rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    owners = {owner for module in modules for owner in owners_of_modules().get(module.partition(".")[0], ())}
    return {str(canonicalize_name(owner)) for owner in owners} - {"crypto-forecasting-pipeline"}


@cache
def owners_of_modules() -> Mapping[str, list[str]]:
    """Installed packages by the names of their modules; reads what each of them has installed."""
    return packages_distributions()


def names(requirements: list[str]) -> set[str]:
    """Normalised names of requirements."""
    return {str(canonicalize_name(Requirement(line).name)) for line in requirements}


def test_the_product_declares_exactly_what_it_imports() -> None:
    """Each package that the product imports is in pyproject.toml, and none is there that it does not use."""
    product, extras, _ = declared()
    assert names(product + extras) == imported_distributions(*PRODUCT) | USED_WITHOUT_IMPORT


def test_the_tests_import_only_what_is_declared() -> None:
    """A package that a test imports is a dependency of the product or of the development group."""
    assert imported_distributions("tests", "tools") <= names(list(chain(*declared())))


@pytest.mark.parametrize("name", requirement_files())
def test_requirement_files_follow_from_pyproject(name: str) -> None:
    """The committed file is the one that `python -m tools.requirements` writes."""
    assert (PROJECT / name).read_text(encoding="utf-8") == requirement_files()[name]


def test_the_changelog_ends_with_this_version() -> None:
    """The newest release in CHANGELOG.md is the version that the product names."""
    text = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$", text, re.M)
    assert releases[0] == VERSION
    assert text.index("## [Unreleased]") < text.index(f"## [{VERSION}]")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built without asking the network."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=PROJECT, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of the package, installed in an environment of its own that borrows the requirements of this one."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    scheme = {"base": str(folder), "platbase": str(folder)}
    library, scripts = (Path(sysconfig.get_path(name, "venv", scheme)) for name in ("purelib", "scripts"))
    (library / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    installer = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*installer, "--python", folder, wheel], check=True)
    return scripts / "crypto-forecasting"


@pytest.fixture
def running(command: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, Path]]:
    """The installed command with a simulated market, started from an empty folder: process, API port, home."""
    home, ports = tmp_path / "home", (reserve_port(), reserve_port())
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ["--demo", "--no-browser", "--api-port", str(ports[0]), "--dashboard-port", str(ports[1])]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRYPTO_", "XDG_", "PYTHONPATH"))}
    environment = {**kept, "HOME": str(home), "LOCALAPPDATA": str(home), "PYTHONUTF8": "1"}
    with subprocess.Popen(
        [command, *words], cwd=empty, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        yield process, ports[0], home
        process.kill()


def answer(port: int, path: str) -> Any:
    """What the API says, as soon as it answers; the tests' patience is limited."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with DIRECT.open(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
                return json.load(reply)
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_product_and_nothing_else(wheel: Path) -> None:
    """Modules, texts, styles and pictures of the six packages are in it; benchmarks and tests are not."""
    files = (path for folder in PRODUCT for path in (PROJECT / folder).rglob("*") if path.is_file())
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == {path.relative_to(PROJECT).as_posix() for path in files if path.suffix != ".pyc"}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C as a signal of POSIX")
def test_the_installed_command_runs_the_suite(running: tuple[subprocess.Popen[str], int, Path]) -> None:
    """From an empty folder it forecasts, keeps its data in the user's folder, and Ctrl+C ends it in order."""
    process, port, home = running
    assert answer(port, "/status")["versao"] == VERSION
    assert answer(port, "/prever/bitcoin")["id"] == "bitcoin"
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "Tudo parado" in output
    assert list(home.rglob("crypto.db"))


@pytest.mark.slow
def test_the_installed_command_reads_the_current_folder(command: Path, tmp_path: Path) -> None:
    """Its help names it as it was called, and a mistake in the `.env` of the current folder is reported."""
    asked = subprocess.run([command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert asked.stdout.startswith("uso: crypto-forecasting")
    (tmp_path / ".env").write_text("CRYPTO_API_PORT=x\n", encoding="utf-8")
    refused = subprocess.run([command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == EXIT_CONFIGURATION
    assert "CRYPTO_API_PORT=x" in refused.stderr
