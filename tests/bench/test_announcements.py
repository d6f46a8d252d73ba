"""Bands around American announcements: when these are, and which forecasts belong to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import announcements
from bench.announcements import ALL_KINDS, coverage_of_groups, main, origins_around
from core.forecast_schema import INTERVALS
from core.times import DAY_MS, MINUTE_MS, parse_iso
from etl.features.new_york_clock import SATURDAY, new_york_ms, weekdays
from tests.bench.conftest import WriteWalks


def _losses(origin_ms: np.typing.NDArray[np.int64], inside: np.typing.NDArray[np.bool_]) -> pd.DataFrame:
    shares = {f"inside_{percent}": inside.astype(float) for percent in INTERVALS}
    origin = pd.to_datetime(origin_ms, unit="ms", utc=True)
    return pd.DataFrame({"coin": "bitcoin", "origin": origin, "pinball": 1.0, "pinball_naive": 2.0, **shares})


def test_a_forecast_belongs_to_the_announcement_near_it_or_to_a_control() -> None:
    """A week of half-hours around one decision: one group before, at and after it, the same clock, and the rest."""
    moment = parse_iso("2022-06-15T18:00:00Z")
    origin_ms = moment + 30 * MINUTE_MS * np.arange(-144, 192, dtype=np.int64)
    lost = _losses(origin_ms, origin_ms != moment)
    rows = {(kind, name): cells for kind, name, *cells in coverage_of_groups(lost, {"decision": np.array([moment])})}
    assert rows["decision", "at the announcement"][:3] == ["1", "1", "0.0"]
    assert rows["decision", "half an hour before"][:3] == ["1", "1", "100.0"]
    assert rows["decision", "30 to 90 minutes after"][:3] == ["1", "3", "100.0"]
    assert rows[ALL_KINDS, "at the announcement"] == rows["decision", "at the announcement"]
    assert rows["other working days", "at 14:00 in New York"][:3] == ["4", "4", "100.0 (100.0 to 100.0)"]
    assert rows["other half-hours", ""][1] == str(len(lost) - 5)
    assert rows["other half-hours", ""][-1] == "0.500 (0.500 to 0.500)"


def test_origins_lie_around_announcements_at_their_clock_and_sweep_the_day() -> None:
    """A fortnight with one decision: its five origins, 14:00 on the other nine working days, one half-hour in 13."""
    moment = parse_iso("2022-06-15T18:00:00Z")
    first = parse_iso("2022-06-06T00:00:00Z")
    origins = np.array(origins_around(first, first + 14 * DAY_MS - 1, {"decision": np.array([moment])}))
    assert {moment + after * MINUTE_MS for after in (-30, 0, 30, 60, 90)} <= set(origins.tolist())
    at_two = new_york_ms(origins) % DAY_MS == 14 * 60 * MINUTE_MS
    swept = (origins - first) % (13 * 30 * MINUTE_MS) == 0
    assert (at_two & (weekdays(new_york_ms(origins)) < SATURDAY)).sum() == 10
    assert swept.sum() == 52
    assert (~swept & ~at_two & (np.abs(origins - moment) > 90 * MINUTE_MS)).sum() == 0


def test_the_command_judges_recordings_of_five_minutes(
    write_walks: WriteWalks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine days that hold one decision: two coins at each of its five origins; a prior is asked for by name."""
    asked: list[list[str]] = []
    monkeypatch.setattr(announcements, "gather", lambda file: file.name)
    monkeypatch.setattr(announcements, "unseen_by", lambda names, rows: asked.append([*names, *rows]))
    write_walks(tmp_path / "judged.parquet", "2022-06-08", 9, every_s=300)
    monkeypatch.setenv("CRYPTO_TEST_DATA", str(tmp_path))
    assert main([]) == 0
    assert asked == [["judged.parquet", "judged.parquet"]]
    assert "| federal_reserve | 30 to 90 minutes after | 1 | 6 |" in capsys.readouterr().out
