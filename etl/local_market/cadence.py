"""CoinGecko's cadence: each coin gets a new price about once a minute, at its own seconds."""

from __future__ import annotations

from typing import Final

import numpy as np

from core.times import MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.local_market.market import Market, MarketView
from etl.local_market.noise import stream_keys, uniforms

__all__ = ["LiveCadence"]

_MAX_LATE_S: Final = 40
_MISSED: Final = 0.12
_MAX_MISSED: Final = 3


class LiveCadence(MarketView):
    """Shows a market with about one new price per coin and minute, on whole seconds; some minutes are skipped.

    A price is the true price of `market` at its event time, which is usually less than 90 s and at most 5 minutes old.
    Like the market itself, it is a pure function of time.
    """

    def __init__(self, market: Market) -> None:
        super().__init__(market)
        ids = [coin.id for coin in market.coins]
        self._late = stream_keys(0, ids, "cadence/late")
        self._missed = stream_keys(0, ids, "cadence/missed")

    def event_times(self, rows: IntArray, times_ms: IntArray) -> IntArray:
        """The newest event of each row at or before each time."""
        minute = times_ms // MINUTE_MS
        minute = minute - (self._event(rows, minute) > times_ms)
        for _ in range(_MAX_MISSED):
            minute = minute - (uniforms(self._missed[rows], minute) < _MISSED)
        return self._market.event_times(rows, self._event(rows, minute))

    def prices(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """The price of the newest event, in US dollars."""
        return self._market.prices(rows, self.event_times(rows, times_ms))

    def describe(self) -> dict[str, object]:
        """The market's description with its cadence."""
        return {**self._market.describe(), "cadence": "live"}

    def _event(self, rows: IntArray, minute: IntArray) -> IntArray:
        late_s = (uniforms(self._late[rows], minute) * _MAX_LATE_S).astype(np.int64)
        return np.asarray(minute * MINUTE_MS + late_s * 1000)
