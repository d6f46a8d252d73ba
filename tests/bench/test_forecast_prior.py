"""Training a prior: who is a stranger to whom, and what comes out of small recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.forecast_prior import compute, main, recordings_of, strangers
from bench.prior_rows import RecordingRows, TrainingRows, gather
from core.times import DAY_MS
from etl.features.columns import BASE_FEATURES, FEATURE_NAMES
from model.forecaster.prior import SHAPE_LEVELS, Prior

BASE = len(BASE_FEATURES)


def _spanning(first_day: int, last_day: int) -> RecordingRows:
    nothing = TrainingRows(*(np.zeros((0, 1), dtype=np.float32) for _ in range(4)))
    return RecordingRows(f"{first_day}-{last_day}", "", first_day * DAY_MS, last_day * DAY_MS, nothing, nothing, None)


def test_strangers_keep_their_distance_in_time() -> None:
    """Recordings that overlap, hold, or come within two weeks of the judged one are left out, on both sides."""
    judged = _spanning(100, 130)
    near = [
        _spanning(*days) for days in ((100, 130), (90, 110), (120, 150), (105, 106), (50, 200), (80, 87), (143, 170))
    ]
    far = [_spanning(*days) for days in ((10, 85), (145, 160))]
    assert strangers([judged], [near[0], far[0], *near[1:], far[1], judged]) == far


def test_recordings_of_a_folder_come_by_name(tmp_path: Path) -> None:
    """Parquet files alone, in order of their names."""
    for name in ("b.parquet", "a.parquet", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in recordings_of(tmp_path)] == ["a.parquet", "b.parquet"]


@pytest.fixture(scope="module")
def recordings(write_walks: Any, tmp_path_factory: pytest.TempPathFactory) -> list[RecordingRows]:
    """Rows of five days of minutes, and of five days of 5-minute prices, months apart."""
    folder = tmp_path_factory.mktemp("recordings")
    return [
        gather(write_walks(folder / "minutes.parquet", "2024-03-01", 5)),
        gather(write_walks(folder / "steps.parquet", "2024-07-01", 5, every_s=300, coins=3, seed=1)),
    ]


def test_a_computed_prior_survives_its_file_and_fits_its_rows(recordings: list[RecordingRows], tmp_path: Path) -> None:
    """From two small recordings: the file loads, names both, and predicts their activity better than its mean does."""
    compute(recordings).save(tmp_path / "prior.npz")
    prior = Prior.load(tmp_path / "prior.npz")
    assert prior is not None
    assert [one["name"] for one in prior.provenance["recordings"]] == ["minutes.parquet", "steps.parquet"]
    assert prior.shape.shape[1] == prior.baseline_shape.shape[1] == len(SHAPE_LEVELS)
    assert (np.diff(prior.shape, axis=1) >= 0).all()
    for rows in (one.whole for one in recordings):
        predicted = [prior.linear.predict(rows.x[:, :BASE]) + prior.offset(rows.x)]
        predicted.append(predicted[0] + prior.minute_correction(rows.x))
        errors = [np.mean((rows.activity - guess) ** 2) for guess in (rows.activity.mean(axis=0), *predicted)]
        assert errors[1] < 0.95 * errors[0]
        assert errors[2] < 0.95 * errors[0]
    assert np.abs(prior.minute_correction(recordings[0].whole.x)).max() > 0.01


def test_without_minutes_a_prior_corrects_nothing_by_them(recordings: list[RecordingRows]) -> None:
    """Trained on 5-minute prices alone, the correction by minutes is 0, also for rows that have them."""
    prior = compute(recordings[1:])
    np.testing.assert_array_equal(prior.minute_correction(recordings[0].whole.x), 0.0)


def test_the_command_writes_a_prior_of_the_named_files(
    write_walks: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says where the file is; without files and without CRYPTO_TEST_DATA it refuses."""
    recording = write_walks(tmp_path / "recording.parquet", "2024-03-01", 5, every_s=300)
    out = tmp_path / "prior.npz"
    assert main([str(recording), "--out", str(out)]) == 0
    assert str(out) in capsys.readouterr().out
    with np.load(out, allow_pickle=False) as stored:
        assert json.loads(str(stored["header"]))["features"] == list(FEATURE_NAMES)
    monkeypatch.delenv("CRYPTO_TEST_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "none.npz")])
    assert "CRYPTO_TEST_DATA" in capsys.readouterr().err
    assert not (tmp_path / "none.npz").exists()
