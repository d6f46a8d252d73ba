"""What waits for a publication while the disk is full."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from core.publishing.publisher import Publisher
from etl.features.published import NewRows

START_MS = 1_767_225_600_000


def test_while_nothing_can_be_published_the_newest_rows_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many rows as memory may hold, and the last table however long; all that waits is in one part."""
    monkeypatch.setattr("etl.features.published._MOST_WAITING", 10)
    new = NewRows(Publisher(tmp_path), "features", "ts", START_MS)
    for step in range(6):
        times = pa.array([START_MS + step] * 3, pa.timestamp("ms", "UTC"))
        new.add(pa.table({"coin": ["a", "b", "c"], "ts": times}))
    part = new.part()
    assert part is not None
    assert (part[0], part[1], part[2].num_rows) == (START_MS + 3, START_MS + 5, 9)
    times = pa.array([START_MS + 9] * 20, pa.timestamp("ms", "UTC"))
    new.add(pa.table({"coin": ["a"] * 20, "ts": times}))
    part = new.part()
    assert part is not None
    assert part[2].num_rows == 20
    new.clear()
    assert new.part() is None
