"""Judging each recording with a prior of the others: what is replayed, and how two versions are compared."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from bench.left_out import folds, main, replays
from bench.prior_rows import RecordingRows
from core.times import DAY_MS
from etl.recordings.recording import PriceHistory
from tests.bench.conftest import WriteWalks


def _recording(every_min: int, days: int, coins: int = 12) -> PriceHistory:
    ts = 1_700_006_400_000 + every_min * 60_000 * np.arange(days * 1440 // every_min)
    rng = np.random.default_rng(1)
    return {f"coin{n}": (ts, 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, len(ts))))) for n in range(coins)}


def test_a_five_minute_recording_is_replayed_as_it_is() -> None:
    """Ten coins, from the fifteenth day on, for 30 days at most; no minutes."""
    recording = _recording(5, 60)
    (replay,) = replays(recording)
    first = int(recording["coin0"][0][0])
    assert (replay.label, len(replay.prices), replay.has_minutes) == ("5 min", 10, False)
    assert (replay.start_ms, replay.end_ms) == (first + 15 * DAY_MS, first + 45 * DAY_MS)


def test_a_minute_recording_is_replayed_as_three_kinds_of_polls() -> None:
    """Polls of 60 and 30 seconds and noisy ones, from the eighth day to the end of a short recording."""
    recording = _recording(1, 12)
    found = {replay.label: replay for replay in replays(recording)}
    assert list(found) == ["polls of 60 s", "polls of 30 s", "polls of 60 s, noise and repeats"]
    for replay in found.values():
        assert replay.has_minutes
        assert replay.end_ms == int(recording["coin0"][0][-1])
    often, seldom = (len(found[label].prices["coin0"][0]) for label in ("polls of 30 s", "polls of 60 s"))
    assert often == pytest.approx(2 * seldom, rel=0.02)
    noisy = found["polls of 60 s, noise and repeats"].prices["coin0"][1]
    assert np.mean(np.diff(noisy) == 0) == pytest.approx(0.25, abs=0.02)


def test_folds_group_recordings_that_follow_one_another() -> None:
    """Three recordings in two folds: the earliest two together, whatever their names; no empty fold."""
    rows = [SimpleNamespace(name=name, start_ms=start) for name, start in (("b", 3), ("a", 9), ("c", 1))]
    files = [Path(one.name) for one in rows]
    assert folds(files, cast(list[RecordingRows], rows), 2) == [[Path("c"), Path("b")], [Path("a")]]
    assert folds(files, cast(list[RecordingRows], rows), 9) == [[Path("c")], [Path("b")], [Path("a")]]


@pytest.mark.slow
def test_a_version_differs_from_itself_by_nothing(
    write_walks: WriteWalks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one run saved is what a second one makes: difference zero, no recording worse."""
    folder, saved = tmp_path / "recordings", tmp_path / "saved"
    folder.mkdir()
    write_walks(folder / "judged.parquet", "2024-01-01", 18, every_s=300, coins=2)
    write_walks(folder / "teacher.parquet", "2024-04-01", 8, every_s=300, coins=2, seed=1)
    monkeypatch.setenv("CRYPTO_TEST_DATA", str(folder))
    assert main([str(folder / "judged.parquet"), "--save", str(saved)]) == 0
    assert main([str(folder / "judged.parquet"), "--against", str(saved)]) == 0
    assert [path.name for path in saved.iterdir()] == ["judged, 5 min.parquet"]
    out = capsys.readouterr().out
    assert "mean +0.00000" in out
    assert "worst +0.00000, 1 recordings" in out
