"""Training rows of generated recordings: whole, cold, and with minutes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.prior_rows import RecordingRows, TrainingRows, gather
from core.times import DAY_MS, HOUR_MS, MINUTE_MS
from etl.features.columns import FEATURE_NAMES
from etl.features.minute_columns import MINUTE_FEATURES, MINUTE_SHARE
from etl.features.targets import ACTIVITY_FLOOR, STEPS

SHARE = FEATURE_NAMES.index(MINUTE_SHARE)
HISTORY = FEATURE_NAMES.index("history")
DAYS = 6


@pytest.fixture(scope="module")
def recording(write_walks: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six days of three coins, two with prices a minute apart and one with a price every five minutes."""
    path = tmp_path_factory.mktemp("recording") / "minutes.parquet"
    return Path(write_walks(path, "2024-03-01T05:00", DAYS, coins=3, sparse=1))


@pytest.fixture(scope="module")
def gathered(recording: Path) -> RecordingRows:
    """Its rows."""
    return gather(recording)


def _parts(gathered: RecordingRows) -> dict[str, TrainingRows]:
    assert gathered.minutes is not None
    return {"whole": gathered.whole, "cold": gathered.cold, "minutes": gathered.minutes}


def test_all_rows_are_finite_and_known(gathered: RecordingRows) -> None:
    """Features, outcomes and volatilities of every kind of rows are finite, and as many as each other."""
    for rows in _parts(gathered).values():
        assert len(rows) > 100
        assert rows.x.shape == (len(rows), len(FEATURE_NAMES))
        assert rows.activity.shape == rows.move.shape == (len(rows), STEPS)
        assert (rows.vol_fast > 0).all()
        assert all(np.isfinite(values).all() for values in vars(rows).values())


def test_cold_rows_have_a_short_history(gathered: RecordingRows) -> None:
    """Rows after 12 to 48 hours of prices: less history than two days leave; rows of the whole recording have more."""
    assert gathered.cold.x[:, HISTORY].max() < 0.35
    assert gathered.cold.x[:, HISTORY].min() < 0.12
    assert gathered.whole.x[:, HISTORY].max() > 0.5


def test_rows_with_minutes_are_those_in_full_with_and_without_noise(gathered: RecordingRows) -> None:
    """Each has the full share, as not all rows have; half come from noisy polls, whose signal is clearly less."""
    minutes = _parts(gathered)["minutes"].x
    assert (minutes[:, SHARE] == 1.0).all()
    assert 0.2 < np.mean(gathered.whole.x[:, SHARE] == 0.0) < 0.5
    signal = minutes[:, FEATURE_NAMES.index("minute_signal")]
    assert np.quantile(signal, 0.9) - np.quantile(signal, 0.1) > 0.1


def test_a_recording_is_named_by_its_file_and_span(recording: Path, gathered: RecordingRows) -> None:
    """Name and SHA-256 are the file's; start and end are those of its prices."""
    assert gathered.name == recording.name
    assert gathered.sha256 == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert gathered.end_ms - gathered.start_ms == DAYS * DAY_MS - MINUTE_MS
    assert gathered.start_ms % DAY_MS == 5 * HOUR_MS


def test_a_recording_of_five_minutes_has_no_rows_with_minutes(write_walks: Any, tmp_path: Path) -> None:
    """Its whole and cold rows say nothing of minutes, and there are no others."""
    found = gather(write_walks(tmp_path / "recording.parquet", "2024-03-01", DAYS, every_s=300))
    assert found.minutes is None
    columns = [FEATURE_NAMES.index(name) for name in MINUTE_FEATURES]
    for rows in (found.whole, found.cold):
        np.testing.assert_array_equal(rows.x[:, columns], 0.0)


def test_outcomes_follow_their_rows(write_walks: Any, tmp_path: Path) -> None:
    """With one coin each row is followed by the next grid point's: its first move is the next row's last one."""
    rows = gather(write_walks(tmp_path / "recording.parquet", "2024-03-01", DAYS, every_s=300, coins=1)).whole
    last_move = rows.x[:, FEATURE_NAMES.index("move_1")] * rows.vol_fast
    np.testing.assert_allclose(rows.move[:-1, 0], last_move[1:], atol=1e-6)
    expected = np.log(np.abs(rows.move[:, 0]) / rows.vol_fast + ACTIVITY_FLOOR)
    np.testing.assert_allclose(rows.activity[:, 0], expected, atol=1e-3)


def test_thinned_rows_are_spread_evenly() -> None:
    """At most so many rows, in order, the first and the last among them; fewer stay as they are."""
    numbers = np.arange(100, dtype=np.float32)
    rows = TrainingRows(numbers[:, None], numbers[:, None], numbers[:, None], numbers)
    assert rows.thinned(5).vol_fast.tolist() == [0, 24, 49, 74, 99]
    assert rows.thinned(5).x[:, 0].tolist() == [0, 24, 49, 74, 99]
    assert rows.thinned(1000).vol_fast.tolist() == numbers.tolist()
    assert len(TrainingRows.joined([rows, rows.thinned(5)])) == 105
