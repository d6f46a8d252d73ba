"""A price store is copied into another, both ways, and what was copied is checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import AlreadyRunning, NotReady, StandingBy
from core.migrate_store import copy_store, main
from core.price_store import Coin, Price, open_reader, open_writer
from core.store_address import StoreAddress
from core.times import DAY_MS
from tests.support.postgres import PostgresServer

COINS = [Coin("bitcoin", "btc", "Bitcoin", 1, 5), Coin("aave", "aave", "Aave", None, 6)]
START_MS = 20_000 * DAY_MS
PRICES = [
    Price(coin.id, START_MS + number * DAY_MS // 3, 1.0 + number, None if number % 2 else 1e9, 2.5, 7)
    for coin in COINS
    for number in range(120)
]


def nothing(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def fill(address: StoreAddress) -> None:
    """Store prices of two coins, of which one is collected now."""
    with open_writer(address) as writer:
        writer.update_coins(COINS)
        writer.track(["bitcoin"])
        writer.store(PRICES)
        writer.store_hourly("bitcoin", [(1, 1.0), (2, 2.0)])
        writer.set_meta({"universe": "{}"})


def content(address: StoreAddress) -> object:
    """All that readers and the collector find in a store."""
    with open_reader(address) as reader:
        known = [coin._replace(revision=0) for coin in reader.known_coins()]
        prices = [reader.newest(coin.id, 0, START_MS * 2, 999) for coin in known]
        return known, [coin.id for coin in reader.coins()], prices, reader.hourly("bitcoin"), reader.meta()


@pytest.mark.parametrize("is_back", [False, True], ids=["to the server", "from the server"])
def test_a_copy_holds_everything_and_is_made_once(postgres: PostgresServer, tmp_path: Path, is_back: bool) -> None:
    """All columns, coins, hourly prices and the collector's state arrive; a second copy finds nothing to do."""
    ends = (postgres.address(), tmp_path / "crypto.db")
    source, target = ends if is_back else ends[::-1]
    fill(source)
    seen: list[tuple[int, int]] = []
    done = copy_store(source, target, lambda done, total: seen.append((done, total)))
    assert (done.coins, done.days, done.prices, done.copied, done.differing) == (2, 80, 240, 240, [])
    assert seen == [(1, 2), (2, 2)]
    assert content(target) == content(source)
    assert copy_store(source, target, nothing).copied == 0


def test_a_stopped_copy_goes_on(postgres: PostgresServer, tmp_path: Path) -> None:
    """What was there already is not copied again; a copy that dies half-way leaves nothing wrong."""
    source, target = tmp_path / "crypto.db", postgres.address()
    fill(source)

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source, target, stop)
    assert copy_store(source, target, nothing).copied == 120
    assert content(target) == content(source)


def test_days_that_differ_are_named(new_store: Callable[[], StoreAddress], tmp_path: Path) -> None:
    """A price that the target had at the same time stays, and its day is named."""
    source, target = tmp_path / "crypto.db", new_store()
    fill(source)
    with open_writer(target) as writer:
        writer.store([PRICES[0]._replace(price=99.0)])
    assert copy_store(source, target, nothing).differing == [f"bitcoin {START_MS // DAY_MS}"]


def test_thinned_days_go_back_into_the_old_store(new_store: Callable[[], StoreAddress], tmp_path: Path) -> None:
    """Months later the other side has thinned what the old file has in full: nothing differs, new prices are copied."""
    old, new = tmp_path / "crypto.db", new_store()
    fill(old)
    copy_store(old, new, nothing)
    added = PRICES[119]._replace(ts_ms=START_MS + 50 * DAY_MS)
    with open_writer(new) as writer:
        assert writer.thin("bitcoin", START_MS, START_MS + 2 * DAY_MS, DAY_MS) > 0
        assert writer.store([added]) == 1
    done = copy_store(new, old, nothing)
    assert (done.copied, done.differing) == (1, [])
    with open_reader(old) as reader:
        assert reader.count("bitcoin", 0, START_MS * 2) == 121


def test_a_store_in_use_is_not_copied(new_store: Callable[[], StoreAddress], tmp_path: Path) -> None:
    """While a collector writes to one of the stores, nothing is copied; nor from a store without prices."""
    source, target = new_store(), tmp_path / "crypto.db"
    with pytest.raises(NotReady):
        copy_store(source, target, nothing)
    fill(source)
    for busy in (source, target):
        with open_writer(busy), pytest.raises((AlreadyRunning, StandingBy)):
            copy_store(source, target, nothing)


def test_the_command_finds_the_schema_of_a_folder(
    postgres: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The folder's workspace names the schema; the command says how much is equal; without either it asks for one."""
    folder = tmp_path / "data"
    folder.mkdir()
    meta = {"source": "demo", "currency": "eur", "epoch_ms": START_MS}
    (folder / "workspace.json").write_text(json.dumps(meta), encoding="utf-8")
    fill(folder / "crypto.db")
    assert main([str(folder), postgres.url]) == 0
    assert "240 preços de 2 moedas" in capsys.readouterr().out
    assert main([postgres.url, str(tmp_path / "other"), "--schema", f"demo_eur_{START_MS}"]) == 0
    assert content(tmp_path / "other" / "crypto.db") == content(folder / "crypto.db")
    assert main([postgres.url, str(tmp_path / "third")]) == 2
    assert "--schema" in capsys.readouterr().err
