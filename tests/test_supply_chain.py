"""What the product is made of: locks that agree, with hashes, none of it younger than a week, and a bill of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.requirements import PROJECT, declared, lock_command, requirement_files
from tools.sbom import main as print_bill

PRODUCT: Final = "requirements.lock"
DEVELOPMENT: Final = "requirements-dev.lock"
LOCKS: Final = tuple(str(Path(name).with_suffix(".lock")) for name in requirement_files())
EXTRAS: Final = tuple(name for name in LOCKS if name not in (PRODUCT, DEVELOPMENT))
MODULES: Final = (
    "suite.main",
    "etl.extract",
    "model.pipeline",
    "api.server",
    "dashboard.views",
    "alerts.process",
    "mcp_server.server",
    "core.price_store.postgres.connection",
    "core.artifacts.bucket",
    "apprise",
)
"""What loads the packages of the product and of its extras."""


def locked(path: Path) -> dict[str, set[str]]:
    """Versions of each package in a lock; some have one for old and one for new releases of Python."""
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(encoding="utf-8"), re.M):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


@pytest.mark.parametrize("name", requirement_files())
def test_a_lock_holds_what_its_requirements_allow(name: str) -> None:
    """Every declared package is in the lock, in versions that the declaration allows."""
    versions = locked((PROJECT / name).with_suffix(".lock"))
    lines = [line for line in (PROJECT / name).read_text(encoding="utf-8").splitlines() if line[0] not in "#-"]
    for line in declared()[0] + lines if "dev" in name else lines:
        wanted = Requirement(line)
        held = versions.get(canonicalize_name(wanted.name))
        assert held, line
        assert all(version in wanted.specifier for version in held), (line, held)


def test_all_locks_agree() -> None:
    """A package that several locks hold has the same versions in each: what was tested is what is installed."""
    everything = locked(PROJECT / DEVELOPMENT)
    differing = [
        (lock, name, versions, everything.get(name))
        for lock in (PRODUCT, *EXTRAS)
        for name, versions in locked(PROJECT / lock).items()
        if not versions <= everything.get(name, set())
    ]
    assert differing == []


@pytest.mark.slow
def test_the_locks_install_with_hashes_alone_and_the_product_loads(tmp_path: Path) -> None:
    """A new environment takes product and extras from the locks, each file by its hash, and nothing else is needed."""
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "new"], check=True)
    python = tmp_path / "new" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    named = [word for lock in (PRODUCT, *EXTRAS) for word in ("-r", PROJECT / lock)]
    subprocess.run([*uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", *named], check=True)
    subprocess.run([*uv, "pip", "check", "--quiet", "--python", python], check=True)
    subprocess.run([python, "-c", "\n".join(f"import {module}" for module in MODULES)], cwd=PROJECT, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", requirement_files())
def test_nothing_locked_is_younger_than_a_week(name: str, tmp_path: Path) -> None:
    """Resolved again without younger packages, each lock stays as it is; the index says when each was published."""
    for path in PROJECT.glob("requirements*.*"):
        shutil.copy(path, tmp_path)
    subprocess.run(lock_command(name), cwd=tmp_path, check=True)
    lock = Path(name).with_suffix(".lock")
    assert locked(tmp_path / lock) == locked(PROJECT / lock)


@pytest.mark.slow
@pytest.mark.parametrize("lock", [PRODUCT, "requirements-postgres.lock"])
def test_the_bill_names_exactly_what_is_locked(lock: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Each package of the lock is a component with its version and its hashes, and there is no other."""
    assert print_bill([lock]) == 0
    bill = json.loads(capfd.readouterr().out)
    named: dict[str, set[str]] = {}
    for component in bill["components"]:
        named.setdefault(canonicalize_name(component["name"]), set()).add(component["version"])
        assert [source["hashes"] for source in component["externalReferences"] if source.get("hashes")], component
    assert named == locked(PROJECT / lock)
