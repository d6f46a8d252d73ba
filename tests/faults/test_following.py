"""Followers of a suite's forecasts miss nothing and get nothing twice while its processes are killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.following import measure_following

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.name == "nt", reason="signals of POSIX"),
]


def test_followers_miss_nothing_over_kills_of_api_and_pipeline(tmp_path: Path, tell: Callable[..., None]) -> None:
    """By stream every forecast of every coin comes, and neither by stream nor by polling does one come twice."""
    cost = measure_following(tmp_path, coins="bitcoin,ethereum,dogecoin", interval_s=8, cycles=9)
    assert cost["published"] >= 3 * 6
    lost, doubled = cost["stream"]["missed"], cost["stream"]["doubled"] + cost["poll"]["doubled"]
    tell("kills of API and pipeline under followers", 2, 2, lost, doubled)
    assert (lost, doubled) == (0, 0)
