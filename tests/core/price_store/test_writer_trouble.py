"""The price writer on a full disk and with damaged, missing or replaced files."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import DamagedFile, StorageProblem
from core.price_store import Coin, Price, open_reader
from core.price_store.sqlite.schema import refuse_foreign_schema
from core.price_store.sqlite.writer import SqliteWriter
from core.times import now_ms


def test_a_full_disk_is_a_storage_problem_and_passes(tmp_path: Path) -> None:
    """No price of a refused batch is stored; the same batch is stored when there is space again."""
    prices = [Price("bitcoin", ts_ms, 1.0) for ts_ms in range(1, 5000)]
    with SqliteWriter(tmp_path / "crypto.db") as writer:
        connection = writer._connection
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        for _ in range(2):
            with pytest.raises(StorageProblem, match="full"):
                writer.store(prices)
        assert writer.recent("bitcoin", 0) == []
        connection.execute("PRAGMA max_page_count = 100000")
        assert writer.store(prices) == len(prices)


def test_a_database_damaged_while_open_is_replaced(tmp_path: Path) -> None:
    """DamagedFile is raised; `renew` creates an empty database and keeps the damaged one."""
    path = tmp_path / "crypto.db"
    with SqliteWriter(path) as writer:
        writer.store(Price("bitcoin", ts_ms, 1.0) for ts_ms in range(1, 5000))
        writer.checkpoint()
        path.write_bytes(path.read_bytes()[:4096] + b"\xde\xad" * 50_000)
        with pytest.raises(DamagedFile):
            writer.verify()
        writer._connection.execute("PRAGMA shrink_memory")
        with pytest.raises(DamagedFile):
            writer.store(Price("bitcoin", ts_ms, 1.0) for ts_ms in range(5000, 9000))
        writer.renew()
        assert writer.set_aside_as is not None
        assert writer.set_aside_as.exists()
        assert writer.store([Price("bitcoin", 1, 1.0)]) == 1
        with open_reader(path) as reader:
            assert reader.range("bitcoin") == [(1, 1.0)]


def test_a_damaged_page_in_the_middle_is_found_by_the_whole_check(tmp_path: Path) -> None:
    """The quick check misses it; the whole check finds it."""
    path = tmp_path / "crypto.db"
    with SqliteWriter(path) as writer:
        writer.store(Price("bitcoin", ts_ms, 1.0) for ts_ms in range(1, 9000))
        writer.checkpoint()
        assert writer.is_checked
        writer.verify(whole=True)
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2 // 4096 * 4096)
            file.write(b"\xde\xad" * 2048)
        writer.verify()
        with pytest.raises(DamagedFile):
            writer.verify(whole=True)


def test_a_deleted_database_is_noticed(tmp_path: Path) -> None:
    """If the database is deleted while it is open, the writer raises DamagedFile and creates a new one."""
    path = tmp_path / "crypto.db"
    with SqliteWriter(path) as writer:
        writer.verify()
        path.unlink()
        with pytest.raises(DamagedFile, match="gone"):
            writer.verify()
        writer.renew()
        writer.verify()
        assert writer.set_aside_as is None


def test_a_replaced_database_is_opened(tmp_path: Path) -> None:
    """A backup that replaces the open database is continued, not set aside."""
    path, backup = tmp_path / "crypto.db", tmp_path / "backup.db"
    with SqliteWriter(backup) as writer:
        writer.store([Price("bitcoin", 1, 1.0)])
    with SqliteWriter(path) as writer:
        backup.replace(path)
        with pytest.raises(DamagedFile):
            writer.verify()
        writer.renew()
        assert writer.recent("bitcoin", 0) == [(1, 1.0)]
        assert writer.set_aside_as is None


def test_the_clock_of_the_source_decides_which_prices_are_in_the_future(tmp_path: Path) -> None:
    """With the source's clock, a machine whose clock is an hour slow stores current prices."""
    ahead_ms = now_ms() + 3_600_000
    with SqliteWriter(tmp_path / "crypto.db") as writer:
        assert writer.store([Price("bitcoin", ahead_ms, 1.0)]) == 0
        assert writer.store([Price("bitcoin", ahead_ms, 1.0)], clock_ms=ahead_ms) == 1


def test_the_oldest_price_and_all_ids_are_read_back(tmp_path: Path) -> None:
    """The time of a coin's oldest price, and the ids of all known coins."""
    with SqliteWriter(tmp_path / "crypto.db") as writer:
        writer.update_coins([Coin("solana", "sol", "Solana"), Coin("bitcoin", "btc", "Bitcoin")])
        writer.store([Price("bitcoin", 20, 1.0), Price("bitcoin", 10, 1.0)])
        assert writer.coin_ids() == ["bitcoin", "solana"]
        assert (writer.oldest_ms("bitcoin"), writer.oldest_ms("solana")) == (10, None)


def test_damage_that_its_own_message_quotes_is_damage(tmp_path: Path) -> None:
    """A definition with bytes that are no text: SQLite quotes them, and the file is still set aside and replaced."""
    path = tmp_path / "crypto.db"
    with SqliteWriter(path):
        pass
    content = path.read_bytes()
    assert content.count(b"name TEXT NOT NULL") == 1
    path.write_bytes(content.replace(b"name TEXT NOT NULL", b"name TEXT\xb5NOT NULL"))
    with pytest.raises(DamagedFile):
        refuse_foreign_schema(path)
    with SqliteWriter(path) as writer:
        assert writer.set_aside_as is not None
        assert writer.store([Price("bitcoin", 1, 1.0)]) == 1
