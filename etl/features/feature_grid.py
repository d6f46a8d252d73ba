"""The growing table of features: 5-minute grid rows computed once and appended, and rows as of any origin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from core.realised_price import PRICE_TOLERANCE_MS
from core.times import GRID_STEP_MS
from etl.arrays import BoolArray, FloatArray, IntArray, RowArray, are_prices
from etl.features import volatility
from etl.features.columns import LOOKBACK, coin_features, is_static, market_sums, usable_rows
from etl.features.feature_rows import FeatureBlock, OriginRows
from etl.features.grid_history import GridHistory
from etl.features.minute_columns import market_minute_sums, minute_features
from etl.features.minute_lattice import MINUTE_REPLAY, minutes_at, minutes_on_grid
from etl.features.minute_volatility import initial_minute_state
from etl.features.portions import block_rows, parts
from etl.features.raw_prices import RAW_KEEP_MS, STEPS_PER_DAY, RawPrices, ceil_grid, floor_grid
from etl.features.recent_states import RecentStates
from etl.features.rolling_rows import RollingRows
from etl.features.roster import Roster
from etl.features.shared_market import GridBounds, OneShard, SharedMarket, kept_rows
from etl.features.step_extremes import StepExtremes
from etl.features.whole_rows import MARKET_WIDTH, clock_columns, market_columns, whole_rows

__all__ = ["FeatureGrid"]


_REPLAY: Final = 72
"""Steps (6 hours) before an origin over which its state moves on from the grid's, with the origin's own returns."""
_MAX_LAG: Final = 24
"""Steps (2 hours) that an origin may lie behind the grid's end; older raw prices are dropped."""
_RECENT: Final = _REPLAY + _MAX_LAG + 1
_RECENT_MINUTES: Final = MINUTE_REPLAY + _MAX_LAG + 1
"""States of 5 minutes and of minutes that are kept: both begin where the replay of the oldest origin does."""

_HEAD_START: Final = 312
"""Steps (26 hours) that the grid begins at least before now, to leave room for a back-fill after the first poll."""


class FeatureGrid:
    """Turns prices into feature rows; `extend` costs time for new rows alone.

    It holds the raw prices of the last 26 hours, 5-minute prices of `history_days`, and the volatility states of the
    last 8 hours. It returns every row once and keeps none.

    Args:
        history_days: days of 5-minute prices that it holds.
        market: what its coins have in common with those of other shards; without others they are all.

    Attributes:
        roster: which coin has which column.
        history: the grid points so far; a coin that came since the last `extend` has no column there yet.
    """

    def __init__(self, history_days: int = 14, market: SharedMarket | None = None) -> None:
        self._shared = market or OneShard()
        self._bounds = GridBounds(0, None, -1, rebuilds=0)
        self.roster = Roster(history_days)
        self._raw = RawPrices()
        self._seeds: dict[int, FloatArray] = {}
        self._dirty: set[int] = set()
        self._replaced: set[int] = set()
        self._keep = kept_rows(history_days) + LOOKBACK
        self._start(np.zeros(0, dtype=np.int64))

    # -- prices in ---------------------------------------------------------------------------------------------------

    def column(self, coin: str) -> int:
        """Column number of the coin; a new coin gets the next one."""
        if coin not in self.roster and len(self.history):
            self._replaced.add(len(self.roster))
        return self.roster.place(coin)

    def enrol(self, collected: Collection[str], now_ms: int) -> IntArray:
        """Give each collected coin a column; those (j,) taken over from coins long gone hold nothing any more."""
        known, taken = len(self.roster), self.roster.enrol(collected, now_ms)
        columns = np.array(taken, dtype=np.int64)
        for column in taken:
            self._raw.clear(column)
            self._seeds.pop(column, None)
        if len(self.history):
            self._replaced.update(taken, range(known, len(self.roster)))
            self.history.clear(columns[columns < self.history.coins])
        return columns

    def newest(self, coin: str) -> int | None:
        """Event time of the coin's newest price in UTC milliseconds, or None."""
        return self._raw.newest(self.roster.place(coin)) if coin in self.roster else None

    def observe(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Append prices in event-time order; drop those not newer than the coin's last one."""
        self._raw.append(self.column(coin), ts_ms, price)

    def replace(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Replace all prices of a coin by its repaired history; the next `extend` computes its rows again."""
        column = self.column(coin)
        self._raw.clear(column)
        self._raw.append(column, ts_ms, price)
        if len(self.history):
            self._replaced.add(column)

    def observe_hourly(self, coin: str, ts_ms: npt.ArrayLike, price: npt.ArrayLike) -> None:
        """Start the coin's slow averages from coarse (hourly) prices before its first price.

        They may come late: the next `extend` then computes the coin's rows again, from the prices that the grid has.
        """
        column = self.column(coin)
        value = np.asarray(price, dtype=np.float64)
        good = are_prices(value)
        self._seeds[column] = volatility.seed_hourly(np.log(value[good]), np.asarray(ts_ms, dtype=np.int64)[good])
        if len(self.history):
            self._dirty.add(column)

    # -- rows out ----------------------------------------------------------------------------------------------------

    def extend(self, until_ms: int) -> Iterator[FeatureBlock]:
        """Compute the grid rows up to the last grid point at or before `until_ms` of which anything can be known.

        So a clock that was wrong for a while leaves no rows behind that lie after all prices.

        Yields:
            Blocks of at most a UTC day. Rows of late and repaired coins come first, over the time that the grid already
            covers.
        """
        self._widen()
        first_ms = None if len(self.history) else self._raw.first()
        own = GridBounds(len(self.roster), first_ms, self._raw.latest(), rebuilds=len(self._dirty | self._replaced))
        self._bounds = self._shared.agree(own)
        if self._bounds.rebuilds and len(self.history):
            yield from self._rebuild()
        end = floor_grid(min(until_ms, self._bounds.latest_ms + PRICE_TOLERANCE_MS))
        start = self._next_point(end)
        length = block_rows(self._bounds.coins) * GRID_STEP_MS
        while start is not None and start <= end:
            stop = min(end, start - start % length + length - GRID_STEP_MS)
            yield self._append(np.arange(start, stop + 1, GRID_STEP_MS))
            start = stop + GRID_STEP_MS

    def _next_point(self, end_ms: int) -> int | None:
        if len(self.history):
            return int(self.history.ts_ms[-1]) + GRID_STEP_MS
        first = self._bounds.first_ms
        if first is None:
            return None
        return min(max(ceil_grid(first), end_ms - self._keep * GRID_STEP_MS), end_ms - _HEAD_START * GRID_STEP_MS)

    def catch_up(self, ts_ms: IntArray, sums: FloatArray, busy: Callable[[], None]) -> None:
        """Complete the grid over a market that has passed, without computing rows.

        Args:
            ts_ms: consecutive grid points (n,), from the first on.
            sums: the market's sums there, as `SharedMarket.add_up` gave them (n, columns).
            busy: called after each block.
        """
        self._bounds = GridBounds(len(self.roster), None, self._raw.latest(), rebuilds=0)
        for start in range(0, len(ts_ms), STEPS_PER_DAY):
            rows = slice(start, start + STEPS_PER_DAY)
            self._complete(ts_ms[rows])
            self._market.append(market_columns(sums[rows]))
            busy()

    def _append(self, ts_ms: IntArray) -> FeatureBlock:
        states, minute_states = self._complete(ts_ms)
        history, rows = self.history, len(ts_ms)
        columns = coin_features(states, history.log_price[-LOOKBACK - rows :])
        minute = minute_features(minute_states, states)
        usable = history.handed_out[-rows:].copy()
        market = self._market_rows(ts_ms, columns, minute, usable)
        self._market.append(market)
        x = whole_rows(columns, market, clock_columns(history.event_ms(slice(-rows, None)), ts_ms[:, None]), minute)
        return FeatureBlock(ts_ms, np.arange(len(self.roster)), x, volatility.vol_fast(states), usable)

    def _complete(self, ts_ms: IntArray) -> tuple[FloatArray, FloatArray]:
        """Add grid points (n,) to the history; the states of 5 minutes and of minutes there."""
        coins = np.arange(len(self.roster))
        if not len(self.history):
            self._start(int(ts_ms[0]) + GRID_STEP_MS * np.arange(-LOOKBACK, 0))
        log_price, event_ms = self._lattice(coins, ts_ms[:, None])
        last, latest_ms = self.history.last(), self._bounds.latest_ms
        states = volatility.run(self._states.steps.rows[-1], log_price, event_ms, *last)
        minute_states = minutes_on_grid(
            self._raw, self._states.minutes.rows[-1], coins, ts_ms, last, latest_ms=latest_ms
        )
        extremes = StepExtremes.of(self._raw, coins, ts_ms, log_price)
        usable = usable_rows(states, log_price)
        self.history.append(ts_ms, log_price, event_ms, volatility.vol_mixed(states), extremes, usable=usable)
        self._states.append(states, minute_states)
        self._raw.forget_before(int(ts_ms[-1]) - RAW_KEEP_MS)
        return states, minute_states

    def _market_rows(self, ts_ms: IntArray, columns: RowArray, minute: RowArray, usable: BoolArray) -> RowArray:
        """The market's columns (n, MARKET_WIDTH): means over the coins of all shards."""
        own = np.concatenate([market_sums(columns, usable), market_minute_sums(minute, usable)], axis=1)
        return market_columns(self._shared.add_up(ts_ms, own))

    def _start(self, ts_ms: IntArray) -> None:
        """Begin with grid points at which nothing is known, so that the first row has rows to look back over."""
        coins = len(self.roster)
        self.history = GridHistory(self._keep, ts_ms, coins)
        self._market = RollingRows(self._keep, np.zeros((len(ts_ms), MARKET_WIDTH), dtype=np.float32))
        self._states = RecentStates(_RECENT, _RECENT_MINUTES, self._initial(np.arange(coins)))

    def _widen(self) -> None:
        """Add empty columns for the coins that joined late."""
        added = len(self.roster) - self.history.coins
        if added and len(self.history):
            self.history.widen(added)
            self._states.widen(added)

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
        coins = np.array(sorted(self._dirty | self._replaced), dtype=np.int64)
        replaced = np.array(sorted(self._replaced), dtype=np.int64)
        self._dirty.clear()
        self._replaced.clear()
        history, ts_ms = self.history, self.history.ts_ms.copy()
        for part in parts(len(replaced)):
            self._renew_prices(replaced[part])
        states, minute_states = self._initial(coins), initial_minute_state(len(coins))
        total, length, latest_ms = len(ts_ms), block_rows(self._bounds.rebuilds), self._bounds.latest_ms
        for start in range(LOOKBACK, total, length):
            rows = slice(start, min(start + length, total))
            log_price, event_ms = history.log_price[start - LOOKBACK : rows.stop, coins], history.event_ms(rows, coins)
            last = log_price[LOOKBACK - 1], history.event_ms(slice(start - 1, start), coins)[0]
            block = volatility.run(states, log_price[LOOKBACK:], event_ms, *last)
            minute_block = minutes_on_grid(self._raw, minute_states, coins, ts_ms[rows], last, latest_ms=latest_ms)
            states, minute_states = block[-1], minute_block[-1]
            history.vol_mixed[rows, coins] = volatility.vol_mixed(block)
            self._states.put(coins, block, minute_block, total - rows.stop)
            columns = coin_features(block, log_price)
            clock, minute = clock_columns(event_ms, ts_ms[rows, None]), minute_features(minute_block, block)
            x = whole_rows(columns, self._market.rows[rows], clock, minute)
            usable = usable_rows(block, log_price[LOOKBACK:])
            fresh = usable & ~history.handed_out[rows, coins]
            history.handed_out[rows, coins] |= usable
            yield FeatureBlock(ts_ms[rows], coins, x, volatility.vol_fast(block), fresh)

    def _renew_prices(self, coins: IntArray) -> None:
        ts_ms = self.history.ts_ms
        log_price, event_ms = self._lattice(coins, ts_ms[:, None])
        log_price[:LOOKBACK], event_ms[:LOOKBACK] = np.nan, -1
        extremes = StepExtremes.of(self._raw, coins, ts_ms, log_price)
        self.history.put_prices(coins, log_price, event_ms, extremes)

    # -- rows as of an origin ----------------------------------------------------------------------------------------

    def at(self, coins: IntArray, origin_ms: IntArray) -> OriginRows:
        """Compute the rows of `coins` (k,) as of their origins (k,); on a grid point they equal the grid's to rounding.

        An origin more than 2 hours older than the grid's end has no row any more: it is not usable, and its volatility
        is the grid's last.
        """
        self._widen()
        return OriginRows.joined([self._at(coins[part], origin_ms[part]) for part in parts(len(coins))])

    def _at(self, coins: IntArray, origin_ms: IntArray) -> OriginRows:
        price, event_ms = self._raw.as_of(coins, origin_ms + GRID_STEP_MS * np.arange(-LOOKBACK, 1)[:, None])
        log_price, history = np.log(price), self.history
        ahead = origin_ms // GRID_STEP_MS - history.ts_ms[-1:] // GRID_STEP_MS
        base = ahead - 1 - _REPLAY + _RECENT
        known = (base >= 0) & (base < _RECENT)
        states = self._states.steps.rows[np.where(known, base, -1), coins]
        news = np.where(known, log_price[-1 - _REPLAY :], np.nan)
        moves = volatility.returns(news[1:], event_ms[-_REPLAY:], news[:-1], event_ms[-1 - _REPLAY : -1])
        states = volatility.move_on(states, moves)
        columns = coin_features(states[None], log_price)
        before = self._states.minutes.rows[np.where(known, np.minimum(base, _RECENT_MINUTES - 1), -1), coins]
        minute_states = minutes_at(self._raw, before, coins, origin_ms, known)
        minute = minute_features(minute_states, states)
        place = np.clip(ahead + len(history) - 1, 0, len(history) - 1)
        clock = clock_columns(event_ms[-1:], origin_ms)
        return OriginRows(
            whole_rows(columns, self._market.rows[place][None], clock, minute[None])[0],
            volatility.vol_fast(states),
            volatility.vol_mixed(states),
            price[-1],
            usable_rows(states, log_price[-1]) & known,
            is_static(states),
            history.extremes.dense_before(place, coins),
        )
