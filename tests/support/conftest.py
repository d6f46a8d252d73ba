"""A faulty market server for the tests of the fault equipment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.fault_answers import MARKET, NOW_MS
from tests.support.faulty_market import FaultyMarketServer


@pytest.fixture
def server() -> Iterator[FaultyMarketServer]:
    """A server whose clock stands still."""
    with FaultyMarketServer(MARKET, clock=lambda: NOW_MS) as running:
        yield running
