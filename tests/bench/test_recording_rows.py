"""The cost of a recording's rows is measured in each format."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.recording_rows import measure
from etl.recordings.recording import read_recording

ROWS = 50_000
"""So many that they do not fit into memory that the process has freed before."""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a process's memory")
def test_each_format_holds_the_same_rows_and_tells_what_they_cost(run_bench: Any, tmp_path: Path) -> None:
    """Two figures a format, which are those measured: memory and time of the same rows, all of which are read."""
    costs = measure(ROWS, tmp_path)
    files = ("rows.parquet", "rows.csv", "crypto.db")
    one, *others = (read_recording(tmp_path / name).series["bitcoin"] for name in files)
    assert len(one.ts_ms) == ROWS
    for other in others:
        np.testing.assert_array_equal(one.ts_ms, other.ts_ms)
        np.testing.assert_allclose(one.price, other.price, rtol=1e-12)
    assert min(min(cost.bytes_at_most, cost.cpu_s_a_million) for cost in costs.values()) > 0
    printed = json.loads(run_bench("recording_rows", "--rows", "1000", "--json"))
    assert [figure["name"].partition(":")[0] for figure in printed] == [name for name in costs for _ in range(2)]
    assert [figure["unit"] for figure in printed] == ["B", "CPU-s"] * len(costs)
