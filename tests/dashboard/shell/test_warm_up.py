"""What the dashboard's server does before its first visitor."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from dashboard.shell.warm_up import growing_python, warm_up


@pytest.fixture
def thaw() -> Iterator[None]:
    """Give back to the collector what the test took from it."""
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thaw")
def test_modules_are_left_out_of_collections() -> None:
    """After warming up, the objects of the modules no longer count for the next full collection."""
    warm_up()
    assert gc.get_freeze_count() > 10 * len(gc.get_objects())


@pytest.mark.parametrize(
    ("version", "grows"), [((3, 13, 9), False), ((3, 14, 0), True), ((3, 14, 4), True), ((3, 14, 5), False)]
)
def test_versions_with_the_withdrawn_collector_are_known(version: tuple[int, int, int], grows: bool) -> None:
    """Python 3.14.0 to 3.14.4 have a collector that was taken back."""
    assert growing_python(version) == grows


@pytest.mark.usefixtures("thaw")
@pytest.mark.parametrize(("version", "said"), [("3.14.2", True), ("3.13.9", False)])
def test_the_log_names_a_version_that_lets_memory_grow(
    version: str, said: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning, with the version that runs and those to take instead; none on a good one."""
    python = SimpleNamespace(version_info=(*map(int, version.split(".")), "final", 0))
    monkeypatch.setattr("dashboard.shell.warm_up.sys", python)
    with caplog.at_level("WARNING", "dashboard"):
        warm_up()
    warning = f"Python {version} lets the dashboard's memory grow: 3.14.5 or later, or 3.13, does not"
    assert caplog.messages == ([warning] if said else [])
