"""Recordings that wait, never end, or take more memory than there is are refused in one line with their path."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import BadInput, ConfigurationError
from core.settings import load_settings
from core.workspace import MOST_RECORDING_BYTES, open_workspace
from etl.recordings import csv_file, database, parquet_file
from etl.recordings.limits import MOST_COINS, MOST_LINE
from etl.recordings.recording import read_recording
from suite.preflight import refuse_unreadable_recording
from tests.support.odd_files import make_link, make_pipe
from tests.support.refusals import refusal

HEADER = "timestamp,coin,price\n"
ROW = "2026-01-01,bitcoin,1\n"


def _device(_: Path) -> Path:
    if not Path("/dev/zero").exists():
        pytest.skip("devices of Unix")
    return Path("/dev/zero")


def _link_to_a_pipe(path: Path) -> Path:
    return make_link(path, make_pipe(path.with_name("pipe")).name)


def _folder_in_place_of_the_file(path: Path) -> Path:
    (path / "crypto.db").mkdir(parents=True)
    return path


def _larger_than_any(path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(MOST_RECORDING_BYTES + 1)
    return path


IRREGULAR = [make_pipe, _device, _link_to_a_pipe, _folder_in_place_of_the_file, _larger_than_any]


@pytest.mark.parametrize("make", IRREGULAR)
def test_what_is_no_file_is_refused_without_waiting(make: Callable[[Path], Path], tmp_path: Path) -> None:
    """Pipes, devices, links to them, folders and files of terabytes, everywhere a recording is named."""
    path = make(tmp_path / "recording")
    with refusal(BadInput, str(path)):
        read_recording(path)
    settings = load_settings(source="replay", replay=path, data_dir=tmp_path / "d", models_dir=tmp_path / "m")
    for read in (refuse_unreadable_recording, open_workspace):
        with pytest.raises(ConfigurationError):
            read(settings)


def test_a_link_to_a_recording_is_followed(tmp_path: Path) -> None:
    """A recording may lie elsewhere."""
    (tmp_path / "file.csv").write_text(HEADER + ROW)
    make_link(tmp_path / "link.csv", "file.csv")
    assert list(read_recording(tmp_path / "link.csv").series) == ["bitcoin"]


def _csv(path: Path, rows: int) -> Path:
    path.write_text(HEADER + ROW * rows)
    return path


def _parquet(path: Path, rows: int) -> Path:
    columns = {"timestamp": ["2026-01-01"] * rows, "coin": ["bitcoin"] * rows, "price": [1.0] * rows}
    pq.write_table(pa.table(columns), path)
    return path


def _database(path: Path, definition: str, *rows: tuple[object, ...]) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        connection.execute(definition)
        connection.executemany("INSERT INTO prices VALUES (?, ?, ?, NULL)", rows)
    return path


TABLE = "CREATE TABLE prices (ts_ms INTEGER, coin_id TEXT, price REAL, volume REAL)"
ENDLESS = """
CREATE VIEW prices AS
WITH RECURSIVE count (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count)
SELECT 1767225600000 + n AS ts_ms, 'bitcoin' AS coin_id, 1.0 AS price, NULL AS volume FROM count
"""


def _stored(path: Path, rows: int) -> Path:
    return _database(path, TABLE, *[(1_767_225_600_000 + row, "bitcoin", 1.0) for row in range(rows)])


@pytest.mark.parametrize("write", [_csv, _parquet, _stored])
def test_more_rows_than_fit_into_memory_are_refused(
    write: Callable[[Path, int], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As many rows as fit are read, one more is refused by a number; the path is named."""
    for module in (csv_file, parquet_file, database):
        monkeypatch.setattr(module, "most_rows", lambda: 5)
    assert len(read_recording(write(tmp_path / "five", 5)).series) == 1
    with refusal(BadInput, f"{tmp_path / 'six'}.*6 linhas.* cabem 5"):
        read_recording(write(tmp_path / "six", 6))


def test_more_coins_than_there_are_anywhere_are_refused(tmp_path: Path) -> None:
    """Each coin costs more than its rows; CSV, Parquet and databases alike."""
    ids = [f"c{number}" for number in range(MOST_COINS + 1)]
    rows = "".join(f"2026-01-01,{coin},1\n" for coin in ids)
    (tmp_path / "coins.csv").write_text(HEADER + rows)
    table = {"timestamp": ["2026-01-01"] * len(ids), "coin": ids, "price": [1.0] * len(ids)}
    pq.write_table(pa.table(table), tmp_path / "coins.parquet")
    _database(tmp_path / "coins.db", TABLE, *[(1_767_225_600_000, coin, 1.0) for coin in ids])
    for name in ("coins.csv", "coins.parquet", "coins.db"):
        with refusal(BadInput, f"{tmp_path / name}.*{MOST_COINS} moedas"):
            read_recording(tmp_path / name)


def test_a_line_without_an_end_is_not_read_whole(tmp_path: Path) -> None:
    """A heading and a row of more characters than any row has."""
    for text in ("x" * (MOST_LINE + 1), HEADER + ROW + "2026-01-01,bitcoin," + "1" * MOST_LINE):
        (tmp_path / "long.csv").write_text(text)
        with refusal(BadInput, r"long\.csv.*caracteres"):
            read_recording(tmp_path / "long.csv")


def test_a_query_of_the_files_own_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A view that counts for ever in place of the table."""
    monkeypatch.setattr(database, "_MOST_STEPS", 2)
    path = tmp_path / "endless.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(ENDLESS)
    with refusal(BadInput, r"endless\.db.*não termina"):
        read_recording(path)


def test_a_coin_that_is_not_found_again_is_refused(tmp_path: Path) -> None:
    """A damaged index, or an id that is a number, names a coin that has no row when it is asked for."""
    definition = "CREATE TABLE prices (ts_ms INTEGER, coin_id, price REAL, volume REAL)"
    path = _database(tmp_path / "number.db", definition, (1_767_225_600_000, 5, 1.0))
    with refusal(BadInput, r"number\.db.*not found again"):
        read_recording(path)


def test_a_database_may_hold_no_huge_values(tmp_path: Path) -> None:
    """An id of a megabyte is refused, and functions that make gigabytes of nothing cannot be called by a view."""
    with refusal(BadInput, r"huge\.db"):
        read_recording(_database(tmp_path / "huge.db", TABLE, (1_767_225_600_000, "x" * 2**20, 1.0)))
    with refusal(BadInput, r"long\.db"):
        read_recording(_database(tmp_path / "long.db", TABLE, (1_767_225_600_000, "x" * 200, 1.0)))
    with closing(sqlite3.connect(tmp_path / "zeros.db")) as connection, connection:
        connection.execute(
            "CREATE VIEW prices AS SELECT 1 AS ts_ms, zeroblob(900000000) AS coin_id, 1.0 AS price, NULL AS volume"
        )
    with refusal(BadInput, r"zeros\.db"):
        read_recording(tmp_path / "zeros.db")


@pytest.mark.parametrize("moment", [2**63 - 1, -(2**63), 10**14, 0, -1, 1_767_225_600_000_000])
def test_absurd_times_are_refused_in_every_format(moment: int, tmp_path: Path) -> None:
    """The ends of 64 bits, year 5138 in milliseconds, microseconds, and times before the first coin."""
    columns = {"timestamp": pa.array([moment]), "coin": ["bitcoin"], "price": [1.0]}
    pq.write_table(pa.table(columns), tmp_path / "time.parquet")
    (tmp_path / "time.csv").write_text(f"{HEADER}{moment},bitcoin,1\n")
    _database(tmp_path / "time.db", TABLE, (moment, "bitcoin", 1.0))
    for name in ("time.parquet", "time.csv", "time.db"):
        with refusal(BadInput, f"{name}: linha "):
            read_recording(tmp_path / name)
