"""The growing table of features: 5-minute grid rows computed once and appended, and rows as of any origin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from core.times import GRID_STEP_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray, are_prices
from etl.features import volatility
from etl.features.columns import (
    LOOKBACK,
    MARKET_FEATURES,
    assemble,
    clock_features,
    coin_features,
    is_static,
    market_features,
    market_sums,
    usable_rows,
)
from etl.features.feature_rows import FeatureBlock, OriginRows
from etl.features.minute_columns import (
    MARKET_MINUTE_FEATURES,
    market_minute_features,
    market_minute_sums,
    minute_features,
)
from etl.features.minute_lattice import MINUTE_REPLAY, minutes_at, minutes_on_grid
from etl.features.minute_volatility import MINUTE_STATE_WIDTH, initial_minute_state
from etl.features.raw_prices import RAW_KEEP_MS, STEPS_PER_DAY, RawPrices, ceil_grid, floor_grid
from etl.features.shared_market import GridBounds, OneShard, SharedMarket, kept_rows
from etl.features.step_extremes import StepExtremes

__all__ = ["FeatureGrid"]


_BLOCK: Final = STEPS_PER_DAY
_REPLAY: Final = 72
"""Steps (6 hours) before an origin over which its state moves on from the grid's, with the origin's own returns."""
_MAX_LAG: Final = 24
"""Steps (2 hours) that an origin may lie behind the grid's end; older raw prices are dropped."""
_RECENT: Final = _REPLAY + _MAX_LAG + 1
_HEAD_START: Final = 312
"""Steps (26 hours) that the grid begins at least before now, to leave room for a back-fill after the first poll."""
_MAX_BLOCK_CELLS: Final = 24_000
_MARKET_WIDTH: Final = len(MARKET_FEATURES) + len(MARKET_MINUTE_FEATURES)
_MINUTE_SUMS: Final = len(MARKET_MINUTE_FEATURES) + 1


class FeatureGrid:
    """Turns prices into feature rows; `extend` costs time for new rows alone.

    It holds the raw prices of the last 26 hours, 5-minute prices of `history_days`, and the volatility states of the
    last 8 hours. It returns every row once and keeps none.

    Args:
        history_days: days of 5-minute prices that it holds.
        market: what its coins have in common with those of other shards; without others they are all.
    """

    def __init__(self, history_days: int = 14, market: SharedMarket | None = None) -> None:
        self._shared = market or OneShard()
        self._bounds = GridBounds(0, None, -1, rebuilds=False)
        self.coins: list[str] = []
        self._index: dict[str, int] = {}
        self._raw = RawPrices()
        self._seeds: dict[int, FloatArray] = {}
        self._dirty: set[int] = set()
        self._keep = kept_rows(history_days) + LOOKBACK
        self.ts_ms: IntArray = np.zeros(0, dtype=np.int64)
        self.log_price: FloatArray = np.zeros((0, 0))
        self.event_ms: IntArray = np.zeros((0, 0), dtype=np.int64)
        self.vol_mixed: FloatArray = np.zeros((0, 0))
        self.extremes = StepExtremes.unknown(0, 0)
        self._handed_out: BoolArray = np.zeros((0, 0), dtype=bool)
        self._states: FloatArray = np.zeros((0, 0, volatility.STATE_WIDTH))
        self._minute_states: FloatArray = np.zeros((0, 0, MINUTE_STATE_WIDTH))
        self._market: RowArray = np.zeros((0, _MARKET_WIDTH), dtype=np.float32)

    # -- prices in ---------------------------------------------------------------------------------------------------

    def column(self, coin: str) -> int:
        """Column number of the coin; a new coin gets the next one."""
        if coin not in self._index:
            self._index[coin] = len(self.coins)
            self.coins.append(coin)
            if len(self.ts_ms):
                self._widen()
                self._dirty.add(self._index[coin])
        return self._index[coin]

    def newest(self, coin: str) -> int | None:
        """Event time of the coin's newest price in UTC milliseconds, or None."""
        return self._raw.newest(self._index[coin]) if coin in self._index else None

    def observe(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Append prices in event-time order; drop those not newer than the coin's last one."""
        self._raw.append(self.column(coin), ts_ms, price)

    def replace(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Replace all prices of a coin by its repaired history; the next `extend` computes its rows again."""
        column = self.column(coin)
        self._raw.clear(column)
        self._raw.append(column, ts_ms, price)
        if len(self.ts_ms):
            self._dirty.add(column)

    def observe_hourly(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Start the coin's slow averages from coarse (hourly) prices before its first price."""
        column = self.column(coin)
        value = np.asarray(price, dtype=np.float64)
        good = are_prices(value)
        self._seeds[column] = volatility.seed_hourly(np.log(value[good]), np.asarray(ts_ms, dtype=np.int64)[good])
        if len(self.ts_ms):
            self._dirty.add(column)

    # -- rows out ----------------------------------------------------------------------------------------------------

    def extend(self, until_ms: int) -> Iterator[FeatureBlock]:
        """Compute the grid rows up to the last grid point at or before `until_ms`.

        Yields:
            Blocks of at most a UTC day. Rows of late and repaired coins come first, over the time that the grid already
            covers.
        """
        first_ms = None if len(self.ts_ms) else self._raw.first()
        own = GridBounds(len(self.coins), first_ms, self._raw.latest(), rebuilds=bool(self._dirty))
        self._bounds = self._shared.agree(own)
        if self._bounds.rebuilds and len(self.ts_ms):
            yield from self._rebuild()
        end = floor_grid(until_ms)
        start = self._next_point(end)
        length = self._block_rows() * GRID_STEP_MS
        while start is not None and start <= end:
            stop = min(end, start - start % length + length - GRID_STEP_MS)
            yield self._append(np.arange(start, stop + 1, GRID_STEP_MS))
            start = stop + GRID_STEP_MS

    def _block_rows(self) -> int:
        """Grid rows per block: a day, or with many coins the part of one that fits _MAX_BLOCK_CELLS."""
        most = _MAX_BLOCK_CELLS // max(self._bounds.coins, 1)
        return next((rows for rows in (_BLOCK, 144, 96, 48, 24) if rows <= most), 12)

    def _next_point(self, end_ms: int) -> int | None:
        if len(self.ts_ms):
            return int(self.ts_ms[-1]) + GRID_STEP_MS
        first = self._bounds.first_ms
        if first is None:
            return None
        return min(max(ceil_grid(first), end_ms - self._keep * GRID_STEP_MS), end_ms - _HEAD_START * GRID_STEP_MS)

    def _append(self, ts_ms: IntArray) -> FeatureBlock:
        coins = np.arange(len(self.coins))
        if not len(self.ts_ms):
            self._start(int(ts_ms[0]))
        log_price, event_ms = self._lattice(coins, ts_ms[:, None])
        last, latest_ms = (self.log_price[-1], self.event_ms[-1]), self._bounds.latest_ms
        states = volatility.run(self._states[-1], log_price, event_ms, *last)
        minute_states = minutes_on_grid(self._raw, self._minute_states[-1], coins, ts_ms, last, latest_ms=latest_ms)
        columns = coin_features(states, np.concatenate([self.log_price[-LOOKBACK:], log_price]))
        minute = minute_features(minute_states, states)
        usable = usable_rows(states, log_price)
        market = self._market_rows(ts_ms, columns, minute, usable)
        self.ts_ms = np.concatenate([self.ts_ms, ts_ms])[-self._keep :]
        self.log_price = np.concatenate([self.log_price, log_price])[-self._keep :]
        self.event_ms = np.concatenate([self.event_ms, event_ms])[-self._keep :]
        extremes = StepExtremes.of(self._raw, coins, ts_ms, log_price)
        self.extremes = self.extremes.then(extremes).part(slice(-self._keep, None))
        self.vol_mixed = np.concatenate([self.vol_mixed, volatility.vol_mixed(states)])[-self._keep :]
        self._market = np.concatenate([self._market, market])[-self._keep :]
        self._handed_out = np.concatenate([self._handed_out, usable])[-self._keep :]
        self._states = np.concatenate([self._states, states])[-_RECENT:]
        self._minute_states = np.concatenate([self._minute_states, minute_states])[-_RECENT:]
        self._raw.forget_before(int(ts_ms[-1]) - RAW_KEEP_MS)
        x = _row(columns, market, _clock(event_ms, ts_ms[:, None]), minute)
        return FeatureBlock(ts_ms, coins, x, volatility.vol_fast(states), usable)

    def _market_rows(self, ts_ms: IntArray, columns: RowArray, minute: RowArray, usable: BoolArray) -> RowArray:
        """The market's columns (n, _MARKET_WIDTH): means over the coins of all shards."""
        own = np.concatenate([market_sums(columns, usable), market_minute_sums(minute, usable)], axis=1)
        sums = self._shared.add_up(ts_ms, own)
        five, one = np.split(sums, [sums.shape[1] - _MINUTE_SUMS], axis=1)
        return np.concatenate([market_features(five), market_minute_features(one)], axis=1)

    def _start(self, first_ms: int) -> None:
        """Begin with an empty day, so that the first row has rows to look back over."""
        coins = len(self.coins)
        self.ts_ms = first_ms + GRID_STEP_MS * np.arange(-LOOKBACK, 0)
        self.log_price = np.full((LOOKBACK, coins), np.nan)
        self.event_ms = np.full((LOOKBACK, coins), -1)
        self.vol_mixed = np.full((LOOKBACK, coins), np.nan)
        self.extremes = StepExtremes.unknown(LOOKBACK, coins)
        self._handed_out = np.zeros((LOOKBACK, coins), dtype=bool)
        self._market = np.zeros((LOOKBACK, _MARKET_WIDTH), dtype=np.float32)
        self._states = np.repeat(self._initial(np.arange(coins))[None], _RECENT, axis=0)
        self._minute_states = np.zeros((_RECENT, coins, MINUTE_STATE_WIDTH))

    def _widen(self) -> None:
        """Add an empty column for a coin that joins late."""
        self.log_price = np.pad(self.log_price, ((0, 0), (0, 1)), constant_values=np.nan)
        self.event_ms = np.pad(self.event_ms, ((0, 0), (0, 1)), constant_values=-1)
        self.vol_mixed = np.pad(self.vol_mixed, ((0, 0), (0, 1)), constant_values=np.nan)
        self.extremes = self.extremes.widened()
        self._handed_out = np.pad(self._handed_out, ((0, 0), (0, 1)))
        fresh = np.broadcast_to(volatility.initial_state(1), (len(self._states), 1, volatility.STATE_WIDTH))
        self._states = np.concatenate([self._states, fresh], axis=1)
        self._minute_states = np.pad(self._minute_states, ((0, 0), (0, 1), (0, 0)))

    def _initial(self, coins: IntArray) -> FloatArray:
        states = volatility.initial_state(len(coins))
        for row, coin in enumerate(coins):
            states[row] = self._seeds.get(int(coin), states[row])
        return states

    def _lattice(self, coins: IntArray, ts_ms: IntArray) -> tuple[FloatArray, IntArray]:
        price, event_ms = self._raw.as_of(coins, ts_ms)
        return np.log(price), event_ms

    def _rebuild(self) -> Iterator[FeatureBlock]:
        """Compute the rows of late and repaired coins over the grid's time; the market's means stay."""
        coins = np.array(sorted(self._dirty), dtype=np.int64)
        self._dirty.clear()
        log_price, event_ms = self._lattice(coins, self.ts_ms[:, None])
        log_price[:LOOKBACK], event_ms[:LOOKBACK] = np.nan, -1
        self.log_price[:, coins], self.event_ms[:, coins] = log_price, event_ms
        self.extremes.put(StepExtremes.of(self._raw, coins, self.ts_ms, log_price), coins)
        states, minute_states = self._initial(coins), initial_minute_state(len(coins))
        first, total, latest_ms = LOOKBACK, len(self.ts_ms), self._bounds.latest_ms
        for start in range(first, total, _BLOCK):
            rows = slice(start, min(start + _BLOCK, total))
            last = log_price[start - 1], event_ms[start - 1]
            block = volatility.run(states, log_price[rows], event_ms[rows], *last)
            minute_block = minutes_on_grid(self._raw, minute_states, coins, self.ts_ms[rows], last, latest_ms=latest_ms)
            states, minute_states = block[-1], minute_block[-1]
            self.vol_mixed[rows, coins] = volatility.vol_mixed(block)
            recent = max(total - len(self._states), rows.start)
            if recent < rows.stop:
                kept = slice(recent - total + len(self._states), rows.stop - total + len(self._states))
                self._states[kept, coins] = block[recent - rows.start :]
                self._minute_states[kept, coins] = minute_block[recent - rows.start :]
            columns = coin_features(block, log_price[start - LOOKBACK : rows.stop])
            clock, minute = _clock(event_ms[rows], self.ts_ms[rows, None]), minute_features(minute_block, block)
            x = _row(columns, self._market[rows], clock, minute)
            usable = usable_rows(block, log_price[rows])
            fresh = usable & ~self._handed_out[rows, coins]
            self._handed_out[rows, coins] |= usable
            yield FeatureBlock(self.ts_ms[rows], coins, x, volatility.vol_fast(block), fresh)

    # -- rows as of an origin ----------------------------------------------------------------------------------------

    def at(self, coins: IntArray, origin_ms: IntArray) -> OriginRows:
        """Compute the rows of `coins` (k,) as of their origins (k,); on a grid point they equal the grid's bit for bit.

        An origin more than 2 hours older than the grid's end has no row any more: it is not usable, and its volatility
        is the grid's last.
        """
        ts = origin_ms + GRID_STEP_MS * np.arange(-LOOKBACK, 1)[:, None]
        price, event_ms = self._raw.as_of(coins, ts)
        log_price = np.log(price)
        base = (origin_ms // GRID_STEP_MS - int(self.ts_ms[-1]) // GRID_STEP_MS) - 1 - _REPLAY + len(self._states)
        known = (base >= 0) & (base < len(self._states))
        states = self._states[np.where(known, base, len(self._states) - 1), coins]
        news = np.where(known, log_price, np.nan)
        for row in range(LOOKBACK + 1 - _REPLAY, LOOKBACK + 1):
            states = volatility.step(
                states, volatility.returns(news[row], event_ms[row], news[row - 1], event_ms[row - 1])
            )
        columns = coin_features(states[None], log_price)
        start = np.where(known, base + _REPLAY - MINUTE_REPLAY, -1).clip(max=len(self._minute_states) - 1)
        minute_states = minutes_at(self._raw, self._minute_states[start, coins], coins, origin_ms, known)
        minute = minute_features(minute_states, states)
        place = np.clip(origin_ms // GRID_STEP_MS - int(self.ts_ms[0]) // GRID_STEP_MS, 0, len(self.ts_ms) - 1)
        x = _row(columns, self._market[place][None], _clock(event_ms[-1:], origin_ms), minute[None])[0]
        return OriginRows(
            x,
            volatility.vol_fast(states),
            volatility.vol_mixed(states),
            price[-1],
            usable_rows(states, log_price[-1]) & known,
            is_static(states),
            self.extremes.dense_before(place, coins),
        )


def _row(columns: RowArray, market: RowArray, clock: RowArray, minute: RowArray) -> RowArray:
    """Whole rows in the order of FEATURE_NAMES."""
    width = len(MARKET_FEATURES)
    return assemble(columns, market[..., :width], clock, market[..., width:], minute)


def _clock(event_ms: IntArray, ts_ms: IntArray) -> RowArray:
    """Clock columns at the event time of each row's price, which may be minutes before the row."""
    return clock_features(np.where(event_ms >= 0, event_ms, ts_ms))
