"""The log holds the first forecast of each coin and slot, once, whatever happens in between."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from core.accuracy.scores import SCORE_SCHEMA
from core.forecast_schema import FORECAST_SCHEMA, HORIZONS_MIN, SCALED_HOURS_SCHEMA
from core.publishing.publisher import Publisher
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.features.feature_table import FEATURE_SCHEMA
from model.loop.forecast_log import ForecastLog

NOON = 20_000 * DAY_MS + 12 * HOUR_MS


def _forecasts(price: float, **origins: int) -> pa.Table:
    rows = []
    for coin, origin in origins.items():
        for horizon in HORIZONS_MIN:
            row = dict.fromkeys(FORECAST_SCHEMA.names, price)
            names = {"kind": "model", "model_version": "1", "source": "demo"}
            rows.append({**row, **names, "coin": coin, "origin": origin, "horizon_min": horizon, "created_at": origin})
    return pa.Table.from_pylist(rows, schema=FORECAST_SCHEMA)


def _log(publisher: Publisher) -> list[tuple[str, int, float]]:
    rows = pa.concat_tables(publisher.read("log")).to_pylist()
    return sorted(
        (row["coin"], int(row["origin"].timestamp() * 1000), row["mean"]) for row in rows if row["horizon_min"] == 60
    )


def _book(folder: Path, now_ms: int = NOON) -> tuple[Publisher, ForecastLog]:
    publisher = Publisher(folder)
    return publisher, ForecastLog(publisher, now_ms, retention_days=90)


def test_only_the_first_forecast_of_a_slot_is_logged(tmp_path: Path) -> None:
    """Later forecasts of the same coin and 5 minutes replace the latest one but not the logged one."""
    publisher, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON)
    book.publish(_forecasts(2.0, bitcoin=NOON + 30_000), None, NOON + 30_000)
    book.publish(_forecasts(3.0, bitcoin=NOON + GRID_STEP_MS), None, NOON + GRID_STEP_MS)
    assert _log(publisher) == [("bitcoin", NOON, 1.0), ("bitcoin", NOON + GRID_STEP_MS, 3.0)]


def test_each_coin_has_its_own_slots(tmp_path: Path) -> None:
    """A coin whose price came later in the slot is logged with its own origin."""
    publisher, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON)
    book.publish(_forecasts(2.0, bitcoin=NOON + 1, ethereum=NOON + 1), None, NOON)
    assert _log(publisher) == [("bitcoin", NOON, 1.0), ("ethereum", NOON + 1, 2.0)]


def test_a_restart_logs_no_slot_twice(tmp_path: Path) -> None:
    """The next process reads from the log which slots have a forecast."""
    _, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON)
    publisher, book = _book(tmp_path)
    book.publish(_forecasts(2.0, bitcoin=NOON + 1000), None, NOON + 1000)
    assert _log(publisher) == [("bitcoin", NOON, 1.0)]


@pytest.mark.parametrize("ahead_ms", [-6 * HOUR_MS, 6 * HOUR_MS, 300 * DAY_MS])
def test_a_restart_under_a_wrong_clock_logs_no_slot_twice(tmp_path: Path, ahead_ms: int) -> None:
    """Which slots are taken, and which feature rows are written, is read from the tables' own times."""
    features = pa.Table.from_pylist([{"coin": "bitcoin", "ts": NOON}], schema=FEATURE_SCHEMA)
    _, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON, {"features": features})
    publisher, book = _book(tmp_path, NOON + ahead_ms)
    book.publish(_forecasts(2.0, bitcoin=NOON + 1000), None, NOON + 1000, {"features": features})
    assert _log(publisher) == [("bitcoin", NOON, 1.0)]
    assert sum(table.num_rows for table in publisher.read("features")) == 1


def test_a_forecast_from_a_stale_price_is_shown_but_not_logged(tmp_path: Path) -> None:
    """A forecast from a price two hours old is not logged: its outcomes are already past."""
    publisher, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON + 3 * HOUR_MS)
    assert "log" not in publisher.manifest.parts
    assert publisher.manifest.entries["latest"].rows == len(HORIZONS_MIN)


def test_a_clock_that_jumps_back_logs_nothing_twice(tmp_path: Path) -> None:
    """Origins are event times: a wall clock one hour behind changes nothing."""
    publisher, book = _book(tmp_path)
    for now in (NOON, NOON - HOUR_MS, NOON + HOUR_MS):
        book.publish(_forecasts(1.0, bitcoin=NOON), None, now)
    assert _log(publisher) == [("bitcoin", NOON, 1.0)]


def test_retention_counts_from_the_newest_row_whatever_the_clock_says(tmp_path: Path) -> None:
    """A clock that is months ahead for a moment drops nothing; rows go once others are newer by the retention time."""
    publisher, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON)
    book.tidy(NOON + 300 * DAY_MS)
    assert _log(publisher) == [("bitcoin", NOON, 1.0)]
    later = NOON + 92 * DAY_MS
    book.publish(_forecasts(2.0, bitcoin=later), None, later)
    book.tidy(later)
    assert _log(publisher) == [("bitcoin", later, 2.0)]


def test_a_coin_unseen_for_the_retention_time_is_forgotten(tmp_path: Path) -> None:
    """Its slot goes with its last row of the log, so that coins that come and go for years leave nothing behind."""
    _, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON, ethereum=NOON), None, NOON)
    book.tidy(NOON + 300 * DAY_MS)
    assert book._last_slot.keys() == {"bitcoin", "ethereum"}
    later = NOON + 92 * DAY_MS
    book.publish(_forecasts(2.0, bitcoin=later), None, later)
    book.tidy(later)
    assert book._last_slot.keys() == {"bitcoin"}


def _feature_rows(*moments: int) -> pa.Table:
    rows = [{**dict.fromkeys(FEATURE_SCHEMA.names, 0.0), "coin": "bitcoin", "ts": moment} for moment in moments]
    return pa.Table.from_pylist(rows, schema=FEATURE_SCHEMA)


def test_feature_rows_are_appended_once_also_over_a_restart(tmp_path: Path) -> None:
    """A process that completes the last day's rows again adds only those that are new."""
    _, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON, {"features": _feature_rows(NOON - GRID_STEP_MS, NOON)})
    publisher, book = _book(tmp_path)
    later = NOON + GRID_STEP_MS
    book.publish(
        _forecasts(1.0, bitcoin=later), None, later, {"features": _feature_rows(NOON - GRID_STEP_MS, NOON, later)}
    )
    moments = pa.concat_tables(publisher.read("features"))["ts"].cast(pa.int64()).to_pylist()
    assert moments == [NOON - GRID_STEP_MS, NOON, later]


def _scaled_rows(*moments: int) -> pa.Table:
    rows = [
        {**dict.fromkeys(SCALED_HOURS_SCHEMA.names, 1.0), "coin": "bitcoin", "origin": moment} for moment in moments
    ]
    return pa.Table.from_pylist(rows, schema=SCALED_HOURS_SCHEMA)


def test_scaled_hours_of_two_weeks_are_appended_once_also_over_a_restart(tmp_path: Path) -> None:
    """A process that learns two weeks again adds only the half-hours that are new; merging keeps them all."""
    fortnight = range(NOON - 14 * DAY_MS + HOUR_MS, NOON + 1, HOUR_MS // 2)
    _, book = _book(tmp_path)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON, {"scaled_hours": _scaled_rows(*fortnight)})
    publisher, book = _book(tmp_path)
    later = NOON + HOUR_MS // 2
    book.publish(_forecasts(1.0, bitcoin=later), None, later, {"scaled_hours": _scaled_rows(*fortnight, later)})
    for _ in range(5):
        book.tidy(NOON + 2 * DAY_MS)
    moments = pa.concat_tables(publisher.read("scaled_hours"))["origin"].cast(pa.int64()).to_pylist()
    assert moments == [*fortnight, later]


def test_feature_rows_are_kept_while_the_disk_refuses(tmp_path: Path) -> None:
    """Rows that could not be written come with the next publication."""
    folder = tmp_path / "processed"
    publisher, book = _book(folder)
    folder.rename(tmp_path / "away")
    folder.write_text("in the way")
    with pytest.raises(FileExistsError):
        book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON, {"features": _feature_rows(NOON)})
    folder.unlink()
    (tmp_path / "away").rename(folder)
    book.publish(_forecasts(1.0, bitcoin=NOON), None, NOON)
    assert pa.concat_tables(publisher.read("features")).num_rows == 1
    assert len(_log(publisher)) == 1


def test_score_rows_of_one_cell_become_one_when_their_hour_closes(tmp_path: Path) -> None:
    """Merging adds up, so that a day of scores has one row per coin, hour and horizon."""
    publisher, book = _book(tmp_path)
    cell = {**dict.fromkeys(SCORE_SCHEMA.names, 1.0), "coin": "bitcoin", "hour": NOON, "horizon_min": 5}
    for _ in range(3):
        publisher.publish(appended={"scores": (NOON, NOON, pa.Table.from_pylist([cell], schema=SCORE_SCHEMA))})
    for _ in range(3):
        book.tidy(NOON + 2 * HOUR_MS)
    (row,) = pa.concat_tables(publisher.read("scores")).to_pylist()
    assert (row["n"], row["pinball"]) == (3.0, 3.0)
