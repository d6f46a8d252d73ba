"""CoinGecko's own cadence laid over a market: each coin moves about once a minute, at moments of its own."""

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
    """`market` seen once a minute and coin: events fall on whole seconds, and now and then some minutes are missed.

    A price shown is a true price of `market` at its event time, which is mostly less than 90 s and never more than
    5 minutes back. Like the market itself it is a pure function of time.
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
        """What is played, and at which cadence."""
        return {**self._market.describe(), "cadence": "live"}

    def _event(self, rows: IntArray, minute: IntArray) -> IntArray:
        late_s = (uniforms(self._late[rows], minute) * _MAX_LATE_S).astype(np.int64)
        return np.asarray(minute * MINUTE_MS + late_s * 1000)
