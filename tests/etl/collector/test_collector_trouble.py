"""What the collector does about full disks, damaged files, refused keys and storms; hours of it in seconds."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ConfigurationError, CredentialProblem, DamagedFile, StandingBy
from core.price_store import open_reader
from core.price_store.sqlite.writer import SqliteWriter
from core.processes.health_schema import ProcessState
from core.realised_price import PRICE_TOLERANCE_MS
from core.wording import message
from etl.collector.health_report import collector_progress
from tests.support.collector_worlds import COINS, Worlds, fields, widest_gap_s
from tests.support.faults import STORM_KINDS, Fault, FaultPlan


def test_prices_survive_a_full_disk_in_memory_and_are_stored_later(make_world: Worlds) -> None:
    """While the database cannot grow, prices wait in memory and health says so; afterwards they are all stored."""
    world = make_world()
    collector = world.start(coins=COINS)
    world.run(20)
    connection: sqlite3.Connection = world.writer._connection  # SQLite limits its pages by connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    began_ms = world.wall_ms
    connection.execute(f"PRAGMA max_page_count = {pages}")
    world.run(900)
    state = collector_progress(collector)[0]
    now = fields(world)
    assert state is ProcessState.STORAGE_REFUSED
    assert now["unsaved"] > 0
    assert "não consigo gravar" in now["message"]
    connection.execute("PRAGMA max_page_count = 1000000")
    world.run(20)
    assert fields(world)["unsaved"] == 0
    assert collector_progress(collector)[0] is ProcessState.COLLECTING
    assert len([ts_ms for ts_ms in world.stored("bitcoin") if ts_ms > began_ms]) > 180


def test_a_collector_stands_by_while_another_writes(make_world: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for no prices and says so; when the other is gone, it stores what it had and fills the gap."""
    world = make_world()
    collector = world.start(coins=COINS)
    world.run(600)
    began_ms = world.wall_ms
    with monkeypatch.context() as patch:

        def refuse(*_: object, **__: object) -> None:
            raise StandingBy(message("prices.standing_by"))

        for name in ("store", "set_meta", "verify"):
            patch.setattr(world.writer, name, refuse)
        world.run(20)
        asked = len(world.server.requests)
        world.run(900)
        assert len(world.server.requests) == asked
        assert collector_progress(collector)[0] is ProcessState.STANDING_BY
        assert "outro coletor" in fields(world)["message"]
    world.run(900)
    assert collector_progress(collector)[0] is ProcessState.COLLECTING
    assert fields(world)["unsaved"] == 0
    assert widest_gap_s(world, "bitcoin", began_ms) <= PRICE_TOLERANCE_MS / 1000


def test_a_database_damaged_while_open_is_replaced_and_filled_again(make_world: Worlds) -> None:
    """Garbage in the middle of the file: set aside, and the day before is fetched again."""
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    path = world.database
    world.writer.checkpoint()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xde\xad" * ((size - 4096) // 2))
    world.run(120)
    (aside,) = path.parent.glob("crypto.db.damaged-*[0-9]")
    assert fields(world)["set_aside"] == aside.name
    assert len(world.stored("bitcoin")) > 290
    with open_reader(path) as reader:
        assert len(reader.hourly("bitcoin")) == 168
        assert len(reader.coins()) == 3


def test_a_large_database_is_checked_while_polls_go_on(make_world: Worlds) -> None:
    """Polls start at once; when a damaged page is found later, the store is replaced."""
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    path = world.database
    world.stop()
    damage_unseen(path)
    world.start(max_checked_bytes=1000)
    assert world.collector.polls.step()
    join_checks()
    world.run(30)
    assert fields(world)["set_aside"]
    assert len(world.stored("bitcoin")) > 280


def test_a_damaged_page_that_no_poll_reads_is_found_within_a_minute(make_world: Worlds) -> None:
    """A full check runs once a minute, and replaces the damaged database."""
    world, path = running_with_unseen_damage(make_world)
    world.run(70)
    join_checks()
    world.run(120)
    (aside,) = path.parent.glob("crypto.db.damaged-*[0-9]")
    assert fields(world)["set_aside"] == aside.name
    assert len(world.stored("bitcoin")) > 280


def test_a_check_of_a_replaced_file_is_ignored(make_world: Worlds) -> None:
    """Several checks that find the same damage set one file aside, and never the new one."""
    world, path = running_with_unseen_damage(make_world)
    for _ in range(3):
        thread = threading.Thread(target=world.collector.check_whole)
        thread.start()
        thread.join()
    world.run(120)
    assert len(list(path.parent.glob("crypto.db.damaged-*[0-9]"))) == 1


def running_with_unseen_damage(make_world: Worlds) -> tuple[Any, Path]:
    """A world that polls, and its database, of which a page is damaged that no poll reads."""
    world = make_world()
    world.start(coins=COINS)
    writer = world.writer
    world.run(20)
    writer.checkpoint()
    damage_unseen(writer.path, writer)
    return world, writer.path


def join_checks() -> None:
    """Wait for the full checks in progress."""
    for thread in threading.enumerate():
        if thread.name == "check":
            thread.join()


def damage_unseen(path: Path, writer: SqliteWriter | None = None) -> None:
    """Damage a page that only a full check reads; `writer` is the one that has the file open."""
    whole = path.read_bytes()
    for start in range(4096, len(whole), 4096):
        with path.open("r+b") as file:
            file.seek(start)
            file.write(b"\xde\xad" * 2048)
        with (
            nullcontext(writer) if writer else SqliteWriter(path, max_checked_bytes=0) as opened,
            suppress(DamagedFile),
        ):
            opened.verify()
            with pytest.raises(DamagedFile):
                opened.verify(whole=True)
            return
        with path.open("r+b") as file:
            file.write(whole)
    pytest.fail("every page is looked at anyway")


def test_a_damaged_database_is_replaced_as_soon_as_the_disk_allows(make_world: Worlds) -> None:
    """While no new database can be created, prices stay in memory; then everything is fetched and stored."""
    world = make_world()
    collector = world.start(coins=COINS)
    world.run(20)
    path = world.database
    for part in path.parent.glob("crypto.db*"):
        part.unlink()
    path.mkdir()
    world.run(120)
    assert collector_progress(collector)[0] is ProcessState.STORAGE_REFUSED
    assert fields(world)["unsaved"] > 0
    path.rmdir()
    world.run(20)
    assert collector_progress(collector)[0] is ProcessState.COLLECTING
    assert len(world.stored("bitcoin")) > 280


@pytest.mark.parametrize(
    ("plan", "body"),
    [
        ("keyless", b'{"status":{"error_code":10002,"error_message":"API Key Missing"}}'),
        ("pro-key", b'{"timestamp":"x","error_code":10011,"status":{"error_message":"change your root URL"}}'),
    ],
)
def test_a_refused_key_stops_the_collector(make_world: Worlds, raw_server: Any, plan: str, body: bytes) -> None:
    """Two refusals are a configuration error that names the variable."""
    head = f"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    raw_server.script = [head.encode() + body]
    world = make_world()
    key = "CG-made-up" if plan == "pro-key" else None
    world.start(coins=COINS, coingecko_plan=plan, coingecko_key=key, url=raw_server.url)
    with pytest.raises(CredentialProblem, match="CRYPTO_COINGECKO_PLAN"):
        world.run(60)
    assert len(raw_server.requests) == 2


@pytest.mark.parametrize("away_s", [10, 7200])
def test_a_key_that_once_worked_is_never_final(make_world: Worlds, raw_server: Any, away_s: float) -> None:
    """With stored prices a refusal is named, and asked again at last hourly; a start with another key asks at once."""
    body = b'{"status":{"error_code":10002,"error_message":"API Key Missing"}}'
    head = f"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    raw_server.script = [head.encode() + body]
    world = make_world()
    world.start(coins=COINS)
    world.run(20)
    world.stop()
    world.move(away_s)
    world.start(url=raw_server.url)
    world.run(600)
    tight = len(raw_server.requests)
    world.run(6 * 3600)
    assert 5 <= len(raw_server.requests) - tight <= 30, (
        "720 at the usual pace; a broken connection costs one or two more"
    )
    assert "CRYPTO_COINGECKO_KEY" in fields(world)["message"]
    world.stop()
    collector = world.start(url=world.server.url)
    world.run(20)
    assert collector_progress(collector)[0] is ProcessState.COLLECTING


def test_an_unknown_currency_stops_the_collector(make_world: Worlds) -> None:
    """CoinGecko's invalid vs_currency is a setting to change."""
    world = make_world()
    world.start(coins=COINS, currency="xyz")
    with pytest.raises(ConfigurationError, match="CRYPTO_CURRENCY"):
        world.run(60)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hours_of_storm_store_nothing_wrong_and_lose_no_page(make_world: Worlds, seed: int) -> None:
    """A third of all answers go wrong in every way, bans too; what whole pages carried is stored, and nothing else."""
    world = make_world()
    # the server's Date is of the real now, so the future of this world is not refused
    kinds = [kind for kind in STORM_KINDS if kind not in ("slow_body", "future")]
    plan = FaultPlan([Fault(kind, probability=0.4 / len(kinds), retry_after_s=20) for kind in kinds], seed)
    world.server.faults = plan
    world.start(coins=COINS, calls_per_minute=40)
    whole: list[int] = []
    take = plan.take

    def witness(path: str, now_ms: int) -> Any:
        hits = take(path, now_ms)
        if not hits and path.endswith("markets"):
            whole.append(now_ms)
        return hits

    plan.take = witness  # type: ignore[method-assign]
    world.run(7200)
    while world.server.requests and fields(world)["wait_reason"]:
        world.run(60)
    rows = {coin.id: row for row, coin in enumerate(world.server.market.coins)}
    for coin in COINS.split(","):
        times = np.array(sorted(world.stored(coin)))
        true = world.server.market.prices(np.full(len(times), rows[coin]), times)
        assert list(world.stored(coin).values()) == pytest.approx(true.tolist(), rel=1e-9)
        events = world.server.market.event_times(np.full(len(whole), rows[coin]), np.array(whole))
        assert set(events.tolist()) <= set(times.tolist())
    assert len(plan.fired) > 100
