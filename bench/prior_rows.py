"""Rows of recordings that the prior is trained on: whole histories, cold starts, and prices a minute apart."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from bench.polls import NOISE, REPEATS, polled, spans_minutes
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS
from etl.arrays import FloatArray, RowArray
from etl.features.columns import FEATURE_NAMES
from etl.features.feature_grid import FeatureGrid
from etl.features.feature_rows import FeatureBlock
from etl.features.minute_columns import MINUTE_SHARE
from etl.features.targets import STEPS, Outcomes, outcomes
from etl.recordings.recording import PriceHistory, read_recording

__all__ = ["RecordingRows", "TrainingRows", "gather"]

_WHOLE_ROWS: Final = 60_000
_COLD_ROWS: Final = 15_000
_MINUTE_ROWS: Final = 20_000
"""Rows taken of a recording, evenly thinned: with whole history, after a cold start, of each kind of polls."""

_COLD_EVERY_DAYS: Final = 4
_COLD_HOURS: Final = 48
_SHARE: Final = FEATURE_NAMES.index(MINUTE_SHARE)


@dataclass(frozen=True)
class TrainingRows:
    """n usable rows whose outcomes are known.

    Attributes:
        x: features (n, FEATURE_NAMES).
        activity: log activity (n, STEPS).
        move: log moves (n, STEPS).
        vol_fast: fast volatility (n,).
    """

    x: RowArray
    activity: RowArray
    move: RowArray
    vol_fast: RowArray

    def __len__(self) -> int:
        return len(self.x)

    def thinned(self, most: int) -> TrainingRows:
        """At most `most` rows, evenly spread."""
        keep = np.linspace(0, len(self) - 1, min(most, len(self))).astype(np.int64)
        return TrainingRows(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[TrainingRows]) -> TrainingRows:
        """The rows of all parts (at least one)."""
        return cls(**{field.name: np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(cls)})


@dataclass(frozen=True)
class RecordingRows:
    """What one recording teaches.

    Attributes:
        name, sha256: its file.
        start_ms, end_ms: its span.
        whole: rows with all of its history behind them.
        cold: rows after 12 to 48 hours of prices.
        minutes: rows with prices a minute apart, as recorded and as CoinGecko would tell them; None without them.
    """

    name: str
    sha256: str
    start_ms: int
    end_ms: int
    whole: TrainingRows
    cold: TrainingRows
    minutes: TrainingRows | None


def gather(file: Path) -> RecordingRows:
    """Compute the rows of a recording (Parquet or CSV, see etl.recordings)."""
    prices = read_recording(file).prices
    start_ms, end_ms = _span(prices)
    minutes = None
    walked = _walk(prices)
    if spans_minutes(prices):
        noisy = _walk(polled(prices, 60, seed=1, noise=NOISE, repeats=REPEATS))
        minutes = TrainingRows.joined([_with_minutes(rows).thinned(_MINUTE_ROWS) for rows in (walked, noisy)])
    return RecordingRows(
        name=file.name,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        start_ms=start_ms,
        end_ms=end_ms,
        whole=walked.thinned(_WHOLE_ROWS),
        cold=_cold_rows(prices).thinned(_COLD_ROWS),
        minutes=minutes,
    )


def _span(prices: PriceHistory) -> tuple[int, int]:
    return min(int(ts[0]) for ts, _ in prices.values()), max(int(ts[-1]) for ts, _ in prices.values())


def _with_minutes(rows: TrainingRows) -> TrainingRows:
    known = np.flatnonzero(rows.x[:, _SHARE] >= 1.0)
    return TrainingRows(**{field.name: getattr(rows, field.name)[known] for field in fields(rows)})


def _cold_rows(prices: PriceHistory) -> TrainingRows:
    start_ms, end_ms = _span(prices)
    parts = []
    for number, day in enumerate(range(start_ms, end_ms - 3 * DAY_MS, _COLD_EVERY_DAYS * DAY_MS)):
        start = day - day % DAY_MS + DAY_MS + 5 * number % 24 * HOUR_MS
        seen = {}
        for coin, (ts, price) in prices.items():
            rows = (ts >= start) & (ts <= start + _COLD_HOURS * HOUR_MS)
            if rows.any():
                seen[coin] = ts[rows], price[rows]
        if seen:
            parts.append(_walk(seen))
    return TrainingRows.joined(parts)


def _walk(prices: PriceHistory) -> TrainingRows:
    """Every n-th usable row of each coin; prices come day by day, so that those a minute apart count."""
    start_ms, end_ms = _span(prices)
    grid = FeatureGrid(history_days=(end_ms - start_ms) // DAY_MS + 3)
    stride = max(1, round(sum(len(ts) for ts, _ in prices.values()) / (10 * _WHOLE_ROWS)))
    fed = dict.fromkeys(prices, 0)
    waiting: deque[FeatureBlock] = deque()
    parts: list[TrainingRows] = []
    for now in range(start_ms - start_ms % DAY_MS + DAY_MS, end_ms + DAY_MS, DAY_MS):
        for coin, (ts, price) in prices.items():
            upto = int(np.searchsorted(ts, now, side="right"))
            grid.observe(coin, ts[fed[coin] : upto], price[fed[coin] : upto])
            fed[coin] = upto
        waiting.extend(grid.extend(min(now, end_ms)))
        parts.extend(_matured(grid, waiting, stride))
    rest = [_beginning(block, _known_until(grid)) for block in waiting]
    parts.extend(_rows(grid, block, stride) for block in rest if len(block.ts_ms))
    return TrainingRows.joined(parts)


def _matured(grid: FeatureGrid, waiting: deque[FeatureBlock], stride: int) -> Iterator[TrainingRows]:
    """Take the blocks whose outcomes lie within the grid."""
    while waiting and waiting[0].ts_ms[-1] <= _known_until(grid):
        yield _rows(grid, waiting.popleft(), stride)


def _known_until(grid: FeatureGrid) -> int:
    return int(grid.history.ts_ms[-1]) - STEPS * GRID_STEP_MS


def _beginning(block: FeatureBlock, until_ms: int) -> FeatureBlock:
    """The rows of a block up to a time."""
    rows = int(np.searchsorted(block.ts_ms, until_ms, side="right"))
    return FeatureBlock(block.ts_ms[:rows], block.coins, block.x[:rows], block.vol_fast[:rows], block.usable[:rows])


def _rows(grid: FeatureGrid, block: FeatureBlock, stride: int) -> TrainingRows:
    what = _outcomes(grid, block)
    turn = (block.ts_ms[:, None] // GRID_STEP_MS + block.coins) % stride == 0
    whole = np.isfinite(what.activity).all(axis=-1) & np.isfinite(what.move).all(axis=-1)
    row, column = np.nonzero(block.usable & turn & whole)
    return TrainingRows(
        block.x[row, column],
        what.activity[row, column].astype(np.float32),
        what.move[row, column].astype(np.float32),
        block.vol_fast[row, column].astype(np.float32),
    )


def _outcomes(grid: FeatureGrid, block: FeatureBlock) -> Outcomes:
    first = int(np.searchsorted(grid.history.ts_ms, block.ts_ms[0]))
    window = slice(first, first + len(block.ts_ms) + STEPS)
    log_price: FloatArray = grid.history.log_price[window]
    return outcomes(log_price[:, block.coins], grid.history.event_ms(window, block.coins), block.vol_fast)
