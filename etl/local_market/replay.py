"""Plays a recording as the present: recorded time t is shown at t + (epoch - start of playing)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.errors import BadInput
from core.times import iso
from core.wording import message
from etl.arrays import FloatArray, IntArray
from etl.local_market.coin_names import MarketCoin, coin_named
from etl.local_market.market import CURRENCIES
from etl.recordings.recording import Recording

__all__ = ["ReplayMarket", "largest"]

_MAX_CAP_USD = 1.3e12


def largest(recording: Recording, count: int) -> Recording:
    """The recording with its `count` largest coins, by typical rank; all coins if there are fewer."""
    return recording.only(sorted(recording.series, key=lambda coin_id: (coin_named(coin_id).rank, coin_id))[:count])


class ReplayMarket:
    """A market that plays `recording` from `epoch_ms` on; a restart with the same epoch continues it.

    The recorded time `play_start_ms` is shown at the epoch (default: the first time with 24 hours of history for every
    coin). Each recorded price is the latest one until the next; the last one stays.

    Raises:
        BadInput: the recording cannot be played from there.
    """

    def __init__(self, recording: Recording, epoch_ms: int, play_start_ms: int | None = None) -> None:
        if recording.currency not in CURRENCIES:
            raise BadInput(message("recording.unknown_currency", file=recording.name, currency=recording.currency[:40]))
        start = recording.play_start if play_start_ms is None else play_start_ms
        if not recording.start <= start < recording.end:
            raise BadInput(
                message(
                    "recording.start_outside", start=iso(start), first=iso(recording.start), last=iso(recording.end)
                )
            )
        self._recording = recording
        self._start = start
        self._offset = epoch_ms - start
        self._to_usd = 1.0 / CURRENCIES[recording.currency]
        self._series = tuple(recording.series.values())
        self._coins = tuple(
            replace(coin_named(coin_id), price_usd=float(np.median(series.price)) * self._to_usd)
            for coin_id, series in recording.series.items()
        )
        self._supply = np.array(
            [_MAX_CAP_USD * coin.rank**-1.65 / coin.price_usd for coin in self._coins], dtype=np.float64
        )

    @property
    def coins(self) -> tuple[MarketCoin, ...]:
        """The coins recorded."""
        return self._coins

    @property
    def supply(self) -> FloatArray:
        """Circulating supply of each row in coins, estimated from typical ranks: recordings do not have it."""
        return self._supply

    @property
    def ends_ms(self) -> int:
        """Time at which the last recorded price is shown, in UTC milliseconds."""
        return self._recording.end + self._offset

    def event_times(self, rows: IntArray, times_ms: IntArray) -> IntArray:
        """Shown time of the latest recorded row at each time; the time itself before the first row."""
        events = np.array(times_ms, dtype=np.int64)
        for row in np.unique(rows):
            here = np.flatnonzero(rows == row)
            place = self._place(int(row), times_ms[here])
            seen = place >= 0
            events[here[seen]] = self._series[row].ts_ms[place[seen]] + self._offset
        return events

    def prices(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """Price of the latest recorded row in US dollars; NaN before the first."""
        return self._values("price", rows, times_ms)

    def volumes(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """24-hour volume of the latest recorded row in US dollars; NaN if none was recorded."""
        return self._values("volume", rows, times_ms)

    def history_start_ms(self, row: int, now_ms: int) -> int:
        """Shown time of the first recorded row."""
        del now_ms
        return int(self._series[row].ts_ms[0]) + self._offset

    def describe(self) -> dict[str, object]:
        """What is played: recorded times, offset to the present, and end."""
        recording = self._recording
        return {
            "source": "replay",
            "hash": recording.sha256,
            "start": iso(recording.start),
            "end": iso(recording.end),
            "playing_start": iso(self._start),
            "offset_ms": self._offset,
            "ends_at": iso(self.ends_ms),
            "replay_ends_ms": self.ends_ms,
            "coins": len(self._coins),
        }

    def _place(self, row: int, times_ms: IntArray) -> IntArray:
        recorded = self._series[row].ts_ms
        return np.asarray(np.searchsorted(recorded, times_ms - self._offset, side="right") - 1)

    def _values(self, name: str, rows: IntArray, times_ms: IntArray) -> FloatArray:
        values = np.full(len(rows), np.nan)
        for row in np.unique(rows):
            here = np.flatnonzero(rows == row)
            place = self._place(int(row), times_ms[here])
            seen = place >= 0
            column: FloatArray = getattr(self._series[row], name)
            values[here[seen]] = column[place[seen]] * self._to_usd
        return values
