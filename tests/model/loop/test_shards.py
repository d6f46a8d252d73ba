"""Shards forecast and learn as one process does, whatever the coins; a lost one is rebuilt, and the others go on."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from core.accuracy.scores import add_up
from core.forecast_schema import QUANTILE_COLUMNS, REACH_COLUMNS
from core.price_store import Coin, Price, PriceReader, PriceWriter, open_reader, open_writer
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS, to_datetime
from etl.features.published import newest_times
from model.forecaster.engine import EngineOptions, EngineState
from model.loop.executor import Executor, OneProcess, first_state
from model.loop.shard_link import Line
from model.loop.shard_local import ConnectionLine
from model.loop.shard_messages import shard_of
from model.loop.shard_processes import ShardProcesses
from model.loop.shard_worker import serve
from tests.support.waiting import wait_until

SMALL = EngineOptions(train_days=1, n_trees=4, min_rows_prior=60, min_outcomes=60)
START_MS = 1_700_006_400_000
FIRST_MS = START_MS + 40 * HOUR_MS
COINS = ("bitcoin", "ethereum", "solana", "cardano", "dogecoin")
NUMBERS = ("price_origin", "mean", *QUANTILE_COLUMNS, "p_up", *REACH_COLUMNS, "activity_percentile")


class _Mortal:
    """The end of a connection that breaks, as if its process had been killed, instead of sending for the n-th time."""

    def __init__(self, connection: Connection, sends: int) -> None:
        self._connection = connection
        self._left = sends

    def send(self, said: object) -> None:
        """Send, or break."""
        self._left -= 1
        if not self._left:
            self._connection.close()
            raise EOFError
        self._connection.send(said)

    def recv(self) -> object:
        """Receive."""
        return self._connection.recv()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class _Thread(threading.Thread):
    """Serves a shard in this process; it ends when its connection does."""

    def kill(self) -> None:
        """Nothing to kill: the coordinator has closed the connection."""


class _Threads:
    """Starts shards as threads; the one started first breaks instead of sending for the n-th time."""

    def __init__(self, sends: int = 0) -> None:
        self._sends = sends

    def __call__(self) -> Line:
        connection, its_end = multiprocessing.Pipe()
        end = _Mortal(its_end, self._sends) if self._sends else its_end
        self._sends = 0
        thread = _Thread(target=serve, args=(end,), daemon=True)
        thread.start()
        return ConnectionLine(connection, thread)


class _Store:
    """A price store of random walks that grows as time goes by."""

    def __init__(self, path: Path, coins: Sequence[str], seed: int, hours: int = 44) -> None:
        rng = np.random.default_rng(seed)
        self.path = path
        self.ts_ms = START_MS + GRID_STEP_MS * np.arange(hours * 12)
        common = rng.normal(0, 0.001, len(self.ts_ms))
        self._walks = {
            coin: 100 * np.exp(np.cumsum(common + rng.normal(0, 0.0005 * (2 + place), len(self.ts_ms))))
            for place, coin in enumerate(coins)
        }
        self._stored_ms = dict.fromkeys(coins, -1)

    def store(self, until_ms: int, coins: Sequence[str] | None = None) -> None:
        """Store the prices up to a time that are not stored yet, of all coins or some."""
        named = list(self._walks) if coins is None else coins
        with open_writer(self.path) as writer:
            writer.update_coins(Coin(coin, coin[:3], coin, rank, START_MS) for rank, coin in enumerate(named))
            for coin in named:
                fresh = np.flatnonzero((self.ts_ms > self._stored_ms[coin]) & (self.ts_ms <= until_ms))
                self._store(writer, coin, fresh)
                self._stored_ms[coin] = until_ms

    def track(self, coins: Sequence[str]) -> None:
        """Collect these coins alone."""
        with open_writer(self.path) as writer:
            writer.track(coins)

    def store_newest(self, coin: str, until_ms: int) -> None:
        """Store the last price of a coin alone: what lies before it is a gap, which `store` repairs."""
        with open_writer(self.path) as writer:
            writer.update_coins(
                [Coin(other, other[:3], other, rank, START_MS) for rank, other in enumerate(self._walks)]
            )
            self._store(writer, coin, np.flatnonzero(self.ts_ms <= until_ms)[-1:])

    def _store(self, writer: PriceWriter, coin: str, rows: npt.NDArray[np.int64]) -> None:
        prices = self._walks[coin]
        writer.store(Price(coin, int(self.ts_ms[row]), float(prices[row])) for row in rows.tolist())


def _filled(folder: Path, seed: int) -> _Store:
    """A store of all coins with the prices of a first cycle, at `FIRST_MS`."""
    store = _Store(folder / "crypto.db", COINS, seed)
    store.store(FIRST_MS)
    return store


@contextmanager
def _two_shards(store: _Store, state: EngineState | None = None) -> Iterator[tuple[ShardProcesses, PriceReader]]:
    """Two shards over a store, from a state or the first one, and a reader of the prices."""
    parts = ShardProcesses(state or first_state(SMALL), store.path, 2, _Threads(), 30)
    with open_reader(store.path) as prices, closing(parts):
        yield parts, prices


def _cycle(executor: Executor, prices: PriceReader, now_ms: int) -> pa.Table:
    executor.pull(prices, now_ms, again=False)
    executor.refit(now_ms)
    return executor.forecast("0", now_ms, "demo").sort_by([("coin", "ascending"), ("horizon_min", "ascending")])


def _assert_equal(one: pa.Table, other: pa.Table) -> None:
    """The same coins, origins and kinds, and the same numbers to rounding."""
    for name in ("coin", "origin", "horizon_min", "kind"):
        assert one[name].to_pylist() == other[name].to_pylist(), name
    for name in NUMBERS:
        found, expected = (np.array(table[name].to_pylist(), dtype=np.float64) for table in (one, other))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9, err_msg=name)


def _assert_same_rows(one: Executor, other: Executor) -> None:
    """The same new rows of the published tables, whatever their order."""
    taken, expected = one.take_rows(), other.take_rows()
    assert expected["features"].num_rows
    assert expected["scaled_hours"].num_rows
    for name, rows in expected.items():
        assert _keys(taken[name]) == _keys(rows)
        assert len(set(_keys(rows))) == rows.num_rows


def _keys(rows: pa.Table) -> list[tuple[str, datetime]]:
    return sorted(zip(rows["coin"].to_pylist(), rows[1].to_pylist(), strict=True))


def _assert_same_learned(one: EngineState, other: EngineState) -> None:
    """The same sums and sample, the same shares, and the same rows without an outcome."""
    assert one.coins == other.coins
    assert one.learned_ms == other.learned_ms
    assert one.model.activity.rows == other.model.activity.rows
    for name in ("minute_share", "forest_share"):
        found, expected = (getattr(state.model.activity, name).share for state in (one, other))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert one.pending is not None
    assert other.pending is not None
    usable = other.pending.usable
    np.testing.assert_array_equal(one.pending.usable, usable)
    np.testing.assert_allclose(one.pending.x[usable], other.pending.x[usable], rtol=1e-6, atol=1e-6)


def _assert_same_scores(one: Executor, other: Executor, due: pa.Table, prices: PriceReader) -> None:
    """The same outcomes and the same bits of each score, of every forecast that is due."""
    judged, expected = one.judge(due, prices), other.judge(due, prices)
    np.testing.assert_array_equal(judged.has_outcome, expected.has_outcome)
    assert expected.has_outcome.any()
    assert add_up(judged.scores).equals(add_up(expected.scores))


def _is_news(parts: ShardProcesses) -> bool:
    """Whether no shard is in the middle of being rebuilt."""
    return all(link.is_member or link.has_answered() for link in parts._team)


def test_shards_forecast_and_learn_as_one_process(tmp_path: Path) -> None:
    """A first start, a clock that is ahead for a moment, refits, a late coin and a repaired one.

    Forecasts and what is learned are those of one process.
    """
    _check_equality(tmp_path / "crypto.db", COINS, shards=3, seed=0)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(
    coins=st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=2, max_size=40, unique=True),
    shards=st.integers(2, 5),
    seed=st.integers(0, 100),
)
def test_any_coins_in_any_shards_are_forecast_as_in_one_process(coins: list[str], shards: int, seed: int) -> None:
    """The same for coins that leave shards empty, and for so many that only some teach at each step."""
    with TemporaryDirectory() as folder:
        _check_equality(Path(folder) / "crypto.db", coins, shards, seed)


@pytest.mark.parametrize(
    ("shards", "half_days"), [(2, 11), *(pytest.param(n, 28, marks=pytest.mark.slow) for n in (2, 3, 5))]
)
def test_coins_that_come_and_go_are_forecast_as_in_one_process(tmp_path: Path, shards: int, half_days: int) -> None:
    """Three coins stay; two others are collected for 36 hours, then two more, which take the numbers of some before.

    Forecasts and what is learned are those of one process, and a stored state goes on so.
    """
    coins = [f"coin{number}" for number in range(3 + 2 * -(-half_days // 3))]
    store = _Store(tmp_path / "crypto.db", coins, seed=6, hours=40 + 12 * half_days)
    now_ms = FIRST_MS
    store.store(now_ms)
    whole = OneProcess(first_state(SMALL))
    parts = ShardProcesses(first_state(SMALL), store.path, shards, _Threads(), 30)
    with open_reader(store.path) as prices, closing(parts):
        for half_day in range(half_days):
            first = 3 + 2 * (half_day // 3)
            store.track([*coins[:3], *coins[first : first + 2]])
            _assert_equal(_cycle(parts, prices, now_ms), _cycle(whole, prices, now_ms))
            now_ms += 12 * HOUR_MS
            store.store(now_ms)
        state = parts.state()
        _assert_same_learned(state, whole.state())
        assert state.left_ms == whole.state().left_ms
        assert len(state.coins) <= 3 + 2 * 3
        whole = OneProcess(deepcopy(state))
        resumed = ShardProcesses(state, store.path, shards + 1, _Threads(), 30)
        with closing(resumed):
            _assert_equal(_cycle(resumed, prices, now_ms), _cycle(whole, prices, now_ms))


def _check_equality(path: Path, coins: Sequence[str], shards: int, seed: int) -> None:
    store = _Store(path, coins, seed)
    now_ms = FIRST_MS
    store.store(now_ms, coins[:-1])
    whole = OneProcess(first_state(SMALL))
    parts = ShardProcesses(first_state(SMALL), store.path, shards, _Threads(), 30)
    with open_reader(store.path) as prices, closing(parts):
        first = _cycle(whole, prices, now_ms)
        _assert_equal(_cycle(parts, prices, now_ms), first)
        ahead_ms = now_ms + 30 * DAY_MS
        _assert_equal(_cycle(parts, prices, ahead_ms), _cycle(whole, prices, ahead_ms))
        for steps in (1, 0, 2, 0, 3):
            now_ms += GRID_STEP_MS * steps or MINUTE_MS
            store.store(now_ms, coins[:-1] if steps == 1 else coins)
            if steps == 1:
                store.store_newest(coins[-1], now_ms)
            _assert_equal(_cycle(parts, prices, now_ms), _cycle(whole, prices, now_ms))
        _assert_same_rows(parts, whole)
        _assert_same_learned(parts.state(), whole.state())
        _assert_same_scores(parts, whole, first.filter(pc.less_equal(first["horizon_min"], 30)), prices)


def test_what_was_learned_counts_as_learned_whether_a_shard_has_begun_or_not(tmp_path: Path) -> None:
    """A pipeline that ends before its first pull, or without a shard, stores nothing that the next one learns again."""
    store = _filled(tmp_path, seed=2)
    with _two_shards(store) as (first, prices):
        _cycle(first, prices, FIRST_MS)
        learned = first.state()
        rows = learned.model.activity.rows
        for link in first._team:
            link.end()
        assert first.state().learned_ms == learned.learned_ms == FIRST_MS
        with _two_shards(store, deepcopy(learned)) as (second, _):
            _assert_same_learned(second.state(), learned)
        with _two_shards(store, second.state()) as (third, _):
            _cycle(third, prices, FIRST_MS)
            assert third.state().model.activity.rows == rows > 0


def test_shards_learn_the_day_of_a_coin_that_the_stored_state_does_not_know_as_one_process(tmp_path: Path) -> None:
    """A coin that joins with a restart, and another one later, teach their back-filled days; scaled hours hold them."""
    store, joined, late = _Store(tmp_path / "crypto.db", COINS, seed=7), COINS[1], COINS[3]
    old = [coin for coin in COINS if coin not in (joined, late)]
    store.store(FIRST_MS, old)
    with _two_shards(store) as (first, prices):
        _cycle(first, prices, FIRST_MS)
        state = first.state()
    whole = OneProcess(deepcopy(state))
    now_ms = FIRST_MS + GRID_STEP_MS
    store.store(now_ms, [*old, joined])
    with _two_shards(store, state) as (parts, prices):
        for step, coin in enumerate((joined, late)):
            now_ms += step * GRID_STEP_MS
            store.store(now_ms, [*old, joined, late][: len(old) + 1 + step])
            rows = whole.engine.model.activity.rows
            _assert_equal(_cycle(parts, prices, now_ms), _cycle(whole, prices, now_ms))
            assert whole.engine.model.activity.rows > rows + 100
            hours = [executor.take_rows()["scaled_hours"] for executor in (parts, whole)]
            assert _keys(hours[0]) == _keys(hours[1])
            assert hours[1]["coin"].to_pylist().count(coin) >= 40
        _assert_same_learned(parts.state(), whole.state())


def test_shards_that_start_with_a_clock_ahead_forget_nothing(tmp_path: Path) -> None:
    """They read no price, because their clock is months ahead; the model keeps its rows, as in one process."""
    store = _filled(tmp_path, seed=2)
    with _two_shards(store) as (first, prices):
        _cycle(first, prices, FIRST_MS)
        learned = first.state()
        rows = learned.model.activity.rows
        ahead_ms = FIRST_MS + 90 * DAY_MS
        whole = OneProcess(deepcopy(learned))
        with _two_shards(store, deepcopy(learned)) as (ahead, _):
            for executor in (whole, ahead):
                executor.pull(prices, ahead_ms, again=False)
                assert executor.refit(ahead_ms).rows == rows > 0


def test_a_shard_that_is_lost_before_the_first_price_learns_nothing_again(tmp_path: Path) -> None:
    """A resumed pipeline whose store is empty at first: the shard that takes its place knows how far was learned."""
    with _two_shards(_filled(tmp_path, seed=4)) as (first, prices):
        _cycle(first, prices, FIRST_MS)
        learned = first.state()
        rows = learned.model.activity.rows
    late = _Store(tmp_path / "late.db", COINS, seed=4)
    late.store(-1)
    with _two_shards(late, learned) as (second, prices):
        second.pull(prices, FIRST_MS, again=False)
        second._team[0].end()
        late.store(FIRST_MS)
        for _ in range(2):
            _cycle(second, prices, FIRST_MS)
            wait_until(lambda: _is_news(second))
        assert second.state().model.activity.rows == rows > 0


def test_coins_that_have_no_price_yet_lose_no_shard(tmp_path: Path) -> None:
    """Their shards wait for the first prices as one process does, and forecast with them."""
    store = _Store(tmp_path / "crypto.db", COINS, seed=1)
    store.store(-1)
    with _two_shards(store) as (parts, prices):
        assert parts.pull(prices, FIRST_MS, again=False) == 0
        assert parts.late == ()
        store.store(FIRST_MS)
        assert set(_cycle(parts, prices, FIRST_MS)["coin"].to_pylist()) == set(COINS)


@pytest.mark.parametrize("shards", [1, 3])
def test_a_stored_state_goes_on_in_any_number_of_shards(tmp_path: Path, shards: int) -> None:
    """What two shards have learned goes on in one process or three shards as it would have in one."""
    store = _filled(tmp_path, seed=3)
    with _two_shards(store) as (parts, prices):
        _cycle(parts, prices, FIRST_MS)
        state = parts.state()
        whole = OneProcess(deepcopy(state))
        resumed = ShardProcesses(state, store.path, shards, _Threads(), 30)
        with closing(resumed):
            for step in (1, 2, 3):
                now_ms = FIRST_MS + step * GRID_STEP_MS
                store.store(now_ms)
                _assert_equal(_cycle(resumed, prices, now_ms), _cycle(whole, prices, now_ms))
            _assert_same_learned(resumed.state(), whole.state())


@pytest.mark.parametrize("sends", [2, 16, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 30))])
def test_a_lost_shard_is_rebuilt_while_the_others_go_on(tmp_path: Path, sends: int) -> None:
    """Whenever a shard ends, the others forecast from the newest price, its coins are named, and soon all are back.

    No feature row of its coins is missing, but for the half day that a grid of one day's prices takes to be warm.
    """
    store = _filled(tmp_path, seed=5)
    now_ms = FIRST_MS
    warm = to_datetime(now_ms - 12 * HOUR_MS)
    whole = OneProcess(first_state(SMALL))
    parts = ShardProcesses(first_state(SMALL), store.path, 2, _Threads(sends), 30)
    rows: dict[str, list[tuple[str, datetime]]] = {}
    expected: list[tuple[str, datetime]] = []
    lost: list[tuple[str, ...]] = []
    with open_reader(store.path) as prices, closing(parts):
        for _ in range(20):
            forecasts = _cycle(parts, prices, now_ms)
            for name, table in parts.take_rows().items():
                rows.setdefault(name, []).extend(_keys(table))
            whole.pull(prices, now_ms, again=False)
            expected += _keys(whole.take_rows()["features"])
            origins = newest_times(forecasts, "origin")
            assert {origins[coin] for coin in COINS if coin not in parts.late} == {now_ms}
            lost += [parts.late] if parts.late else []
            if lost and not parts.late:
                break
            wait_until(lambda: _is_news(parts))
            now_ms += GRID_STEP_MS
            store.store(now_ms)
    assert len(lost) <= 2
    assert lost[0] == tuple(coin for coin in COINS if shard_of(coin, 2) == 0)
    assert set(origins) == set(COINS)
    assert all(len(set(taken)) == len(taken) for taken in rows.values()), "a row was given twice"
    taken, wanted = ([row for row in known if row[1] >= warm] for known in (rows["features"], expected))
    assert sorted(taken) == sorted(wanted)
