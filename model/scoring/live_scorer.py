"""Scores logged forecasts live: each one once, when its outcome is known.

The forecasts still pending, and the last origin seen of each coin, are published in the same step as the scores
(`scorer_state`), so that a crash at any time neither loses a score nor counts one twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np
import pyarrow as pa

from core.accuracy.scores import SCORE_SCHEMA, add_up
from core.forecast_schema import (
    FORECAST_SCHEMA,
    HORIZONS_MIN,
    KIND_MODEL,
    QUANTILE_COLUMNS,
    REACH_COLUMNS,
    current_kind,
)
from core.publishing.publisher import Publisher
from core.realised_price import is_outcome, realised_extremes
from core.times import FOREVER_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray
from etl.features.raw_prices import RawPrices
from model.scoring.losses import loss_terms
from model.scoring.naive_benchmark import HISTORY_POINTS, NaiveBenchmark
from model.scoring.scorer_state import ScoreState, origins_ms

__all__ = ["GIVE_UP_MS", "LiveScorer", "Prices", "Settled", "settle"]

GIVE_UP_MS: Final = 48 * HOUR_MS
"""A gap this old is not filled any more: its forecasts stay without a score."""


_log = logging.getLogger(__name__)


class Prices(Protocol):
    """The part of the price store that scoring needs (`core.price_store.PriceReader`)."""

    def as_of(self, coin_id: str, ts_ms: int) -> tuple[int, float] | None:
        """Event time and value of the last price at or before `ts_ms`, or None."""

    def range(self, coin_id: str, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        """Event times and prices within [start_ms, end_ms], in order."""

    def thinned(self, coin_id: str, start_ms: int, end_ms: int) -> list[tuple[int, float]]:
        """The last price of each 5-minute interval within [start_ms, end_ms), in order."""


@dataclass(frozen=True)
class Settled:
    """What became of pending forecasts.

    Attributes:
        realised: those with a known outcome, in the column `price_actual`.
        pending: those that still wait.
        missed: number of those that never will have an outcome.
    """

    realised: pa.Table
    pending: pa.Table
    missed: int


def settle(pending: pa.Table, prices: Prices) -> Settled:
    """Match pending forecasts with their outcomes, by the rule of `core.realised_price`.

    A forecast whose outcome falls into a gap stays pending, because a repair may still fill the gap, until its target
    lies `GIVE_UP_MS` before the newest price of any coin. The machine's clock plays no part.

    Args:
        pending: rows of FORECAST_SCHEMA.
        prices: the price store.
    """
    coins = pending["coin"].to_pylist()
    newest = {coin: known[0] for coin in dict.fromkeys(coins) if (known := prices.as_of(coin, FOREVER_MS))}
    target = origins_ms(pending) + pending["horizon_min"].to_numpy().astype(np.int64) * MINUTE_MS
    newest_ms = np.array([newest.get(coin, -1) for coin in coins], dtype=np.int64)
    price_ms, price = np.zeros(len(pending), dtype=np.int64), np.full(len(pending), np.nan)
    for row in np.flatnonzero(target <= newest_ms).tolist():
        price_ms[row], price[row] = prices.as_of(coins[row], int(target[row])) or (0, np.nan)
    actual = np.where(is_outcome(price_ms, target, newest_ms), price, np.nan)
    found = np.isfinite(actual)
    lost = ~found & (target < max(newest.values(), default=0) - GIVE_UP_MS)
    realised = pending.filter(pa.array(found)).append_column("price_actual", pa.array(actual[found]))
    return Settled(realised, pending.filter(pa.array(~found & ~lost)), int(lost.sum()))


class LiveScorer:
    """Reads the published log and appends score rows; only the holder of the pipeline's lock may have one."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._benchmark = NaiveBenchmark()
        self._state = ScoreState.read(publisher)
        self._seen = {part.file for part in publisher.manifest.parts.get("log", ())}
        logged = publisher.read("log", since_ms=self._state.since_ms())
        self._pending = self._state.open_rows(_joined(logged))
        self._state = self._state.seen(self._pending)

    @property
    def pending(self) -> int:
        """Logged forecasts whose outcome is not known yet."""
        return len(self._pending)

    def step(self, prices: Prices) -> pa.Table:
        """Score the forecasts that came due and publish the scores.

        Returns:
            The new rows of SCORE_SCHEMA.

        Raises:
            OSError: the disk refused; the same forecasts are scored in the next step.
            NotReady, DamagedFile: the price store cannot be read now.
        """
        self._take_new_log()
        settled = settle(self._pending, prices)
        if not len(settled.realised) and not settled.missed:
            return SCORE_SCHEMA.empty_table()
        scored = self._score(settled.realised, prices)
        rows = add_up(scored)
        appended = {}
        if rows.num_rows:
            hours = rows["hour"].cast(pa.int64()).to_numpy()
            appended["scores"] = (int(hours.min()), int(hours.max()) + HOUR_MS - 1, rows)
        self._publisher.publish({"score_state": self._state.to_table(settled.pending)}, appended)
        self._pending = settled.pending
        missed = settled.missed + len(settled.realised) - len(scored)
        if missed:
            _log.warning("%d forecasts stay without a score: no price near their target, or no history", missed)
        return rows

    def _take_new_log(self) -> None:
        """Add the log rows published since the last step; a part of a whole day only merges parts seen before."""
        parts = [part for part in self._publisher.manifest.parts.get("log", ()) if part.file not in self._seen]
        if not parts:
            return
        tables = [self._publisher.table(part.file) for part in parts if part.level != "day"]
        fresh = self._state.open_rows(_joined([table for table in tables if table is not None]))
        if len(fresh):
            self._pending = pa.concat_tables([self._pending, fresh]).combine_chunks()
            self._state = self._state.seen(fresh)
        self._seen = {part.file for part in self._publisher.manifest.parts.get("log", ())}

    def _score(self, realised: pa.Table, prices: Prices) -> pa.Table:
        """One row of SCORE_SCHEMA per forecast; none for a coin without two hours of history before the origin."""
        origin = origins_ms(realised)
        moves = np.empty((len(realised), len(QUANTILE_COLUMNS)))
        history = partial(_log_prices, prices)
        keys = zip(realised["coin"].to_pylist(), origin.tolist(), realised["horizon_min"].to_pylist(), strict=True)
        for row, (coin, origin_ms, horizon) in enumerate(keys):
            moves[row] = self._benchmark.quantiles(coin, origin_ms, history)[HORIZONS_MIN.index(horizon)]
        known = np.isfinite(moves[:, 0])
        realised, moves, origin = realised.filter(pa.array(known)), moves[known], origin[known]
        price_origin = realised["price_origin"].to_numpy()
        high, low = _extremes(realised, prices)
        terms = loss_terms(
            price_origin=price_origin,
            quantiles=np.stack([realised[name].to_numpy() for name in QUANTILE_COLUMNS], axis=1),
            naive=price_origin[:, None] * np.exp(moves),
            mean=realised["mean"].to_numpy(),
            p_up=realised["p_up"].to_numpy(),
            reach=np.stack([realised[name].to_numpy() for name in REACH_COLUMNS], axis=1).astype(np.float64),
            is_model=np.array([current_kind(kind) == KIND_MODEL for kind in realised["kind"].to_pylist()], dtype=bool),
            actual=realised["price_actual"].to_numpy(),
            high=high,
            low=low,
        )
        hour = pa.array(origin - origin % HOUR_MS).cast(SCORE_SCHEMA.field("hour").type)
        columns = {"coin": realised["coin"], "hour": hour, "horizon_min": realised["horizon_min"], **terms}
        return pa.table(columns, schema=SCORE_SCHEMA)


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    """One table in FORECAST_SCHEMA; columns that an earlier version did not write are null."""
    rows = pa.concat_tables([FORECAST_SCHEMA.empty_table(), *tables], promote_options="default")
    return rows.select(FORECAST_SCHEMA.names).combine_chunks()


def _extremes(realised: pa.Table, prices: Prices) -> tuple[FloatArray, FloatArray]:
    """Highest and lowest stored prices after each origin up to its target; NaN without any."""
    origin = origins_ms(realised)
    target = origin + realised["horizon_min"].to_numpy().astype(np.int64) * MINUTE_MS
    high, low = np.full(len(origin), np.nan), np.full(len(origin), np.nan)
    places: dict[str, list[int]] = {}
    for place, coin in enumerate(realised["coin"].to_pylist()):
        places.setdefault(coin, []).append(place)
    for coin, rows in places.items():
        known = prices.range(coin, int(origin[rows].min()) + 1, int(target[rows].max()))
        times, values = [ts_ms for ts_ms, _ in known], [price for _, price in known]
        high[rows], low[rows] = realised_extremes(times, values, origin[rows], target[rows])
    return high, low


def _log_prices(prices: Prices, coin: str, until_ms: int) -> FloatArray:
    """Log prices on the 5-minute grid over the 14 days up to `until_ms`, NaN in gaps."""
    last = until_ms - until_ms % GRID_STEP_MS
    grid = last + GRID_STEP_MS * np.arange(1 - HISTORY_POINTS, 1)
    known = prices.thinned(coin, int(grid[0]) - 2 * GRID_STEP_MS, last + 1)
    raw = RawPrices()
    raw.append(0, [ts_ms for ts_ms, _ in known], [price for _, price in known])
    return np.asarray(np.log(raw.as_of(0, grid)[0]))
