"""Recorded prices from a file that nobody vouches for: Parquet, CSV, the project's own exports, or a crypto.db.

Every row is checked before anything is played; the first wrong one ends the reading with its file, row and column.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from core.errors import BadInput
from core.times import DAY_MS, iso
from etl.arrays import BoolArray, FloatArray, IntArray
from etl.local_market.coin_names import Coin, coin_named
from etl.local_market.market import CURRENCIES
from etl.recordings.files import Table, read_table

__all__ = ["Recording", "Series", "load_recording"]

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_EARLIEST_MS: Final = 1_230_768_000_000
_LATEST_MS: Final = 7_258_118_400_000
_DEAREST: Final = 1e15


@dataclass(frozen=True)
class Series:
    """One coin's rows in the order of time: moments, prices, and the volume of the 24 hours before each."""

    ts_ms: IntArray
    price: FloatArray
    volume: FloatArray


@dataclass(frozen=True)
class Recording:
    """Checked prices of some coins; `sha256` is that of the file, `currency` that of the prices."""

    coins: tuple[Coin, ...]
    series: tuple[Series, ...]
    sha256: str
    currency: str = "usd"

    @property
    def start(self) -> int:
        """Moment of the first row, in UTC milliseconds."""
        return min(int(series.ts_ms[0]) for series in self.series)

    @property
    def end(self) -> int:
        """Moment of the last row, in UTC milliseconds."""
        return max(int(series.ts_ms[-1]) for series in self.series)

    @property
    def play_start(self) -> int:
        """The first moment at which every coin has 24 hours of history.

        Raises:
            BadInput: there is none before the recording ends.
        """
        last = max(range(len(self.coins)), key=lambda row: int(self.series[row].ts_ms[0]))
        moment_ms = int(self.series[last].ts_ms[0]) + DAY_MS
        if moment_ms >= self.end:
            raise BadInput(
                f"a gravação não tem 24 h de história de '{self.coins[last].id}' antes do fim ({iso(self.end)}): "
                "escolha outras moedas com --coins, ou o início com --replay-start"
            )
        return moment_ms

    def largest(self, count: int) -> Recording:
        """The same recording with its `count` typically largest coins alone, or all where there are fewer."""
        ranked = sorted(self.coins, key=lambda coin: (coin.rank, coin.id))
        return self.only([coin.id for coin in ranked[:count]])

    def only(self, coin_ids: Sequence[str]) -> Recording:
        """The same recording with these coins alone.

        Raises:
            BadInput: one of them was not recorded.
        """
        rows = {coin.id: row for row, coin in enumerate(self.coins)}
        for coin_id in coin_ids:
            if coin_id not in rows:
                known = ", ".join(sorted(rows)[:40])
                raise BadInput(f"a gravação não tem a moeda '{coin_id}'; tem: {known}")
        chosen = [rows[coin_id] for coin_id in coin_ids]
        return Recording(
            tuple(self.coins[row] for row in chosen),
            tuple(self.series[row] for row in chosen),
            self.sha256,
            self.currency,
        )


def load_recording(path: Path) -> Recording:
    """Read and check the recording at `path`: Parquet, CSV, or a crypto.db.

    Raises:
        BadInput: the file cannot be read, or a row is wrong; one Portuguese line with file, row and column.
    """
    table = read_table(path)
    _check(path, table)
    ids, place = np.unique(np.array([coin_id.lower() for coin_id in table.ids]), return_inverse=True)
    codes = place[table.coin]
    order = np.lexsort((np.arange(len(codes)), table.ts_ms, codes))
    parts = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    series = tuple(_series(table, part) for part in parts)
    return Recording(
        coins=tuple(_coin(str(coin_id), one, table.currency) for coin_id, one in zip(ids, series, strict=True)),
        series=series,
        sha256=sha256,
        currency=table.currency,
    )


def _coin(coin_id: str, series: Series, currency: str) -> Coin:
    """The coin with what was typical of it in this recording."""
    return replace(coin_named(coin_id), price_usd=float(np.median(series.price)) / CURRENCIES[currency])


def _check(path: Path, table: Table) -> None:
    """Refuse the first row that cannot be true."""
    if not len(table.row):
        raise BadInput(f"{path.name}: não há nenhuma linha de preços")
    if table.currency not in CURRENCIES:
        raise BadInput(f"{path.name}: moeda de cotação desconhecida: '{table.currency}'")
    wrong_time = (table.ts_ms < _EARLIEST_MS) | (table.ts_ms > _LATEST_MS)
    _refuse(path, table, "time", wrong_time, "não é um horário plausível em UTC")
    wrong_price = ~((table.price > 0) & (table.price < _DEAREST))
    _refuse(path, table, "price", wrong_price, "não é um preço possível")
    for place in np.unique(table.coin):
        coin_id = table.ids[place]
        if not _ID.fullmatch(coin_id.lower()):
            row, column = table.row[np.argmax(table.coin == place)], table.columns["coin"]
            raise BadInput(f"{path.name}: linha {row}, coluna '{column}': '{coin_id[:40]}' não é um id do CoinGecko")


def _refuse(path: Path, table: Table, purpose: str, wrong: BoolArray, reason: str) -> None:
    if wrong.any():
        first = int(np.argmax(wrong))
        value = (table.price if purpose == "price" else table.ts_ms)[first]
        raise BadInput(f"{path.name}: linha {table.row[first]}, coluna '{table.columns[purpose]}': {value} {reason}")


def _series(table: Table, rows: IntArray) -> Series:
    """One coin's rows; of several with one moment the last in the file holds."""
    ts_ms = table.ts_ms[rows]
    last = np.append(ts_ms[1:] != ts_ms[:-1], True)
    rows, ts_ms = rows[last], ts_ms[last]
    volume = np.where(table.volume[rows] >= 0, table.volume[rows], np.nan)
    return Series(ts_ms, table.price[rows], volume if table.daily_volume else _over_a_day(ts_ms, volume))


def _over_a_day(ts_ms: IntArray, volume: FloatArray) -> FloatArray:
    """Sums of the 24 hours that end with each row; NaN where no row has a volume."""
    if not np.isfinite(volume).any():
        return volume
    total = np.concatenate([[0.0], np.cumsum(np.nan_to_num(volume))])
    first = np.searchsorted(ts_ms, ts_ms - DAY_MS, side="right")
    return np.asarray(total[1:] - total[first])
