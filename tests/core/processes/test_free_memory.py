"""What a process gives back between two rounds of work."""

from __future__ import annotations

import gc
import sys
import weakref

import pytest

from core.processes.free_memory import give_back_memory, leave_out_of_collections


class _Knot:
    """Holds itself, so that only a collection ends it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_only_a_cycle_holds_goes_however_long_it_has_lived() -> None:
    """Garbage that outlived two collections is gone after the next round, without a quarter of new objects."""
    knot = _Knot()
    gc.collect()
    gc.collect()
    gone = weakref.ref(knot)
    del knot
    assert gone() is not None
    give_back_memory()
    assert gone() is None


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="the lists of freed tuples are CPython's")
def test_freed_tuples_are_given_back() -> None:
    """Thousands of freed tuples, which the interpreter would keep for the next ones, take no memory afterwards."""
    tuples = [tuple(range(length)) for length in range(2, 20) for _ in range(1_000)]
    give_back_memory()
    del tuples
    kept = sys.getallocatedblocks()
    give_back_memory()
    assert kept - sys.getallocatedblocks() > 15_000


def test_collections_pass_over_what_was_made_before() -> None:
    """The collector has next to nothing left to look at, and takes it back when asked."""
    try:
        leave_out_of_collections()
        assert gc.get_freeze_count() > 10 * len(gc.get_objects())
    finally:
        gc.unfreeze()
