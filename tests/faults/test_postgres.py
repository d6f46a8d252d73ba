"""The server of the prices dies, is cut off, is full or fails over: nothing is lost or doubled, everybody recovers."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import Final

import psycopg
import pytest
from pydantic import SecretStr

from core.errors import NotReady, OutOfReach, StorageProblem
from core.price_store import Coin, Price, PricePool, PriceWriter, open_pool, open_reader, open_writer
from core.store_address import ServerAddress
from etl.collector.write_buffer import WriteBuffer
from tests.support.postgres import PostgresServer, server_or_skip
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

Tell = Callable[..., None]
FULL: Final = os.environ.get("CRYPTO_FULL_FAULTS") == "1"
KILLS: Final = 50 if FULL else 3
CUT_S: Final = 60.0 if FULL else 8.0
COINS: Final = tuple(f"coin-{number}" for number in range(250))
TAKE_OVER_S: Final = 30.0
DURABLE: Final = ("max_connections=20", "wal_level=replica", "shared_buffers=32MB")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server that keeps what it has committed, also when it is killed."""
    with server_or_skip(*DURABLE) as running:
        yield running


class Polls:
    """Polls of 250 coins, a hundredth of a second apart, given to a collector's write buffer as replies arrive."""

    def __init__(self, writer: PriceWriter) -> None:
        self.buffer = WriteBuffer(writer)
        for coin in COINS:
            self.buffer.add_coin(Coin(coin, coin, coin))
        self.made = 0
        self.refused = 0

    def poll(self) -> None:
        """Take a reply and try to store it with all that waits."""
        self.made += 1
        self.buffer.add_prices([Price(coin, self.made, 1.0 + self.made) for coin in COINS], 10**12)
        if self.buffer.store_changed:  # a commit whose answer was lost counts as another's
            self.buffer.begin_again(lambda: None)
        self.refused += not self.buffer.flush()

    def poll_until(self, condition: Callable[[], object]) -> None:
        """Go on until something holds and everything is stored."""
        end = time.monotonic() + 240
        while not (condition() and self.buffer.waiting == 0):
            assert time.monotonic() < end, self.buffer.storage_error
            self.poll()
            time.sleep(0.01 if self.buffer.storage_error is None else 0.2)

    def lost_and_doubled(self, address: ServerAddress) -> tuple[int, int]:
        """Prices that are missing, and such that are too many or counted wrongly."""
        wanted = [(ts_ms, 1.0 + ts_ms) for ts_ms in range(1, self.made + 1)]
        with open_reader(address) as reader:
            rows = [reader.range(coin) for coin in COINS]
            stored = sum(map(len, rows))
            lost = sum(len(set(wanted) - set(found)) for found in rows)
            return lost, abs(stored - len(COINS) * self.made + lost) + abs(int(reader.meta()["price_count"]) - stored)


class Asking:
    """A thread that asks a pool for the newest prices, as the API does, and remembers how it was answered."""

    def __init__(self, pool: PricePool) -> None:
        self._pool = pool
        self._stop = threading.Event()
        self.answers = self.out_of_reach = 0
        self.longest_s = 0.0
        self.surprises: list[BaseException] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.wait(0.02):
            began = time.monotonic()
            try:
                self._pool.version()
                with self._pool.borrow() as reader:
                    reader.latest()
                self.answers += 1
            except NotReady as error:
                self.out_of_reach += isinstance(error, OutOfReach)
            except BaseException as error:
                self.surprises.append(error)
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    def answers_again(self) -> bool:
        """Whether an answer comes now."""
        before = self.answers
        wait_until(lambda: self.answers > before)
        return True


def test_a_server_that_is_killed_costs_nothing(server: PostgresServer, tell: Tell) -> None:
    """Kill -9 at random instants of a collector's polls: each price once; readers say so meanwhile and recover."""
    address, dice = server.address(), random.Random(7)
    with open_writer(address) as writer, closing(open_pool(address)) as pool, Asking(pool) as readers:
        polls = Polls(writer)
        polls.poll_until(lambda: polls.made >= 3)
        for _ in range(KILLS):
            death = threading.Timer(dice.uniform(0.05, 0.4), server.kill)
            death.start()
            polls_until_refused(polls, polls.refused)
            death.join()
            server.start()
            polls.poll_until(lambda: True)
            assert readers.answers_again()
        lost, doubled = polls.lost_and_doubled(address)
    assert (lost, doubled, readers.surprises) == (0, 0, [])
    assert readers.out_of_reach
    tell("kills of the price database", KILLS, KILLS, lost, doubled)


def polls_until_refused(polls: Polls, refused: int) -> None:
    """Poll until the store has refused once more."""
    end = time.monotonic() + 60
    while polls.refused == refused:
        assert time.monotonic() < end
        polls.poll()
        time.sleep(0.01)


def test_a_network_that_is_cut_costs_nothing_and_hangs_nobody(server: PostgresServer, tell: Tell) -> None:
    """Bytes stop without a word: readers are told within moments, the buffer holds the prices, all are stored after."""
    address = server.address()
    with ExitStack() as stack:
        proxy = stack.enter_context(TcpProxy(server.port))
        far = replace(address, url=SecretStr(server.url.replace(f":{server.port}/", f":{proxy.port}/")))
        writer = stack.enter_context(open_writer(far))
        pool = stack.enter_context(closing(open_pool(far)))
        readers = stack.enter_context(Asking(pool))
        polls = Polls(writer)
        polls.poll_until(lambda: readers.answers)
        proxy.cut()
        mended_at = time.monotonic() + CUT_S
        threading.Timer(CUT_S, proxy.mend).start()
        wait_until(lambda: is_out_of_reach(pool), CUT_S)
        polls.poll_until(lambda: time.monotonic() > mended_at)
        assert readers.answers_again()
        lost, doubled = polls.lost_and_doubled(address)
    assert (lost, doubled, readers.surprises) == (0, 0, [])
    tell(f"the network to the price database cut for {CUT_S:.0f} s", 1, 1, lost, doubled)


def is_out_of_reach(pool: PricePool) -> bool:
    """Whether a new question is refused at once."""
    try:
        pool.version()
    except OutOfReach:
        return True
    return False


def test_another_collector_takes_over_from_one_that_is_cut_off(server: PostgresServer, tell: Tell) -> None:
    """The second waits and takes over within 30 s; the first cannot write any more and is told why."""
    address = server.address()
    with ExitStack() as stack:
        proxy = stack.enter_context(TcpProxy(server.port))
        far = replace(address, url=SecretStr(server.url.replace(f":{server.port}/", f":{proxy.port}/")))
        first = stack.enter_context(open_writer(far))
        first.store([Price("bitcoin", 1, 1.0)])
        proxy.cut()
        began, second = time.monotonic(), None
        while second is None and time.monotonic() < began + 2 * TAKE_OVER_S:
            try:
                second = stack.enter_context(open_writer(address))
            except StorageProblem:
                time.sleep(0.5)
        took_s = time.monotonic() - began
        assert second is not None
        second.store([Price("bitcoin", 2, 2.0)])
        proxy.mend()
        for _ in range(3):
            with pytest.raises(StorageProblem):
                first.store([Price("bitcoin", 3, 3.0)])
        assert second.recent("bitcoin", 0) == [(1, 1.0), (2, 2.0)]
    assert took_s < TAKE_OVER_S
    tell("a collector cut off, another takes over", 1, 1)


def test_a_full_table_of_connections_is_waited_for(server: PostgresServer, tell: Tell) -> None:
    """New readers are told that the database is out of reach; a writer that is connected goes on; then all is well."""
    address = server.address()
    with open_writer(address) as writer, closing(open_pool(address)) as pool, ExitStack() as others:
        writer.store([Price("bitcoin", 1, 1.0)])
        with suppress(psycopg.OperationalError):
            while True:
                others.enter_context(psycopg.connect(server.url))
        with pytest.raises(OutOfReach):
            pool.version()
        assert writer.store([Price("bitcoin", 2, 1.0)]) == 1
        others.close()
        wait_until(lambda: answers(pool))
    tell("a full table of connections", 1, 1)


def answers(pool: PricePool) -> bool:
    """Whether a pool lends a connection now."""
    try:
        with pool.borrow() as reader:
            return reader.as_of("bitcoin", 10) == (2, 1.0)
    except OutOfReach:
        return False


def test_a_fail_over_costs_nothing(server: PostgresServer, tell: Tell) -> None:
    """The URL names two servers; when the first dies, the copy is promoted, and the collector goes on there."""
    with server.copy() as copy:
        hosts = f"127.0.0.1:{server.port},127.0.0.1:{copy.port}"
        url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"
        address = ServerAddress(SecretStr(url), "live_usd")
        with open_writer(address) as writer, closing(open_pool(address)) as pool, Asking(pool) as readers:
            polls = Polls(writer)
            polls.poll_until(lambda: readers.answers and polls.made >= 20)
            server.kill()
            polls_until_refused(polls, polls.refused)
            copy.promote()
            polls.poll_until(lambda: True)
            assert readers.answers_again()
            lost, doubled = polls.lost_and_doubled(address)
    assert (lost, doubled, readers.surprises) == (0, 0, [])
    tell("a fail-over of the price database", 1, 1, lost, doubled)
