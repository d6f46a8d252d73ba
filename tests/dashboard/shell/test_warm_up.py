"""What the dashboard's server does before its first visitor."""

from __future__ import annotations

import gc
from collections.abc import Iterator

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
