"""The watch names complete polls, whatever else is written to the price store."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from core.price_store import Price, open_writer
from core.price_store.rows import POLLED
from core.times import now_ms
from model.loop.poll_watch import PollWatch


def test_only_a_complete_poll_changes_the_name(tmp_path: Path) -> None:
    """Prices and other notes leave the name as it is; the mark of a poll changes it."""
    path = tmp_path / "crypto.db"
    with closing(PollWatch(path)) as watch:
        assert watch.newest() is None
        with open_writer(path) as writer:
            writer.store([Price("bitcoin", now_ms(), 1.0)])
            assert watch.newest() is None
            writer.set_meta({POLLED: "1"})
            assert watch.newest() == "1"
            writer.set_meta({"budget": "2"})
            assert watch.newest() == "1"
            writer.set_meta({POLLED: "2"})
            assert watch.newest() == "2"


def test_a_damaged_or_replaced_store_is_watched_again(tmp_path: Path) -> None:
    """A store that cannot be read keeps the last name, without an error; a new file shows its own polls."""
    path = tmp_path / "crypto.db"
    with closing(PollWatch(path)) as watch:
        with open_writer(path) as writer:
            writer.set_meta({POLLED: "1"})
        assert watch.newest() == "1"
        path.rename(tmp_path / "old.db")
        path.write_bytes(b"no database" * 100)
        assert watch.newest() == "1"
        path.unlink()
        with open_writer(path) as writer:
            writer.set_meta({POLLED: "2"})
        assert watch.newest() == "2"
