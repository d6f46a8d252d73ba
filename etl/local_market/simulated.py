"""The simulated market: endless, seeded, and a pure function of seed, coin and time.

The log price of a coin is `beta * common factor + own random walk`. Every walk is built from the top down, so that any
second of any year takes the same time to compute:

- Every 512 days the walk has a random level (a pin) with half the variance of a walk over 512 days. Two pins differ as
  much as the ends of a random walk, but prices stay bounded in the long run. The resulting mean reversion is a
  thousandth of a day's movement per day, too little to forecast.
- Brownian bridges connect the pins: over 512 days, then over 24 hours, 60 minutes and 60 seconds. The variances of
  their steps carry volatility clustering (in days, hours and minutes) and the daily pattern.
- Jumps are added at single seconds, without any sign before.

A stablecoin moves slightly around one dollar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from etl.arrays import FloatArray, IntArray
from etl.local_market.coin_names import STABLECOINS, MarketCoin
from etl.local_market.noise import Keys, bridge, normals, smooth, stream_keys, uniforms

__all__ = ["SimulatedMarket"]

_HISTORY_DAYS: Final = 14
"""Length of the history before now."""

_BLOCK_DAYS: Final = 512
_FACTOR_DAILY: Final = 0.02
_DAY_S: Final = 86_400
_JUMP_CHANCE: Final = 0.2
_STABLE_TREMOR: Final = 4e-4
_PURPOSES: Final = ("pin", "day", "hour", "minute", "second", "slow", "hourly", "fast", "jump", "trait", "volume")
_RHYTHM: Final = np.exp(
    0.35 * np.cos(2 * np.pi * (np.arange(24) - 14.5) / 24) + 0.12 * np.cos(4 * np.pi * (np.arange(24) - 14.5) / 24)
)
"""Relative variance of each UTC hour, highest when Europe and America are both active."""


@dataclass(frozen=True, slots=True)
class _Block:
    """512 days of all walks: level at each midnight, variance of each day, jumps."""

    path: FloatArray
    variance: FloatArray
    jumps: FloatArray
    jump_seconds: IntArray
    jumps_before: FloatArray


@dataclass(frozen=True, slots=True)
class _Panel:
    """One day in hours or one hour in minutes: path (walks, k + 1) and variance of the steps (walks, k)."""

    path: FloatArray
    variance: FloatArray


class SimulatedMarket:
    """An endless market of `coins`; the same seed, coin and time always give the same price.

    Safe for several threads. The prices of a coin do not depend on the other coins.
    """

    def __init__(self, coins: tuple[MarketCoin, ...], seed: int = 0) -> None:
        self._coins = coins
        self._seed = seed
        names = ("*", *(coin.id for coin in coins))
        self._keys = {purpose: stream_keys(seed, names, purpose)[:, None] for purpose in _PURPOSES}
        rank = np.array([coin.rank for coin in coins], dtype=np.float64)
        trait = uniforms(self._keys["trait"], np.arange(3))[1:]
        self._price = np.array([coin.price_usd for coin in coins])
        self._stable = np.array([coin.id in STABLECOINS for coin in coins])
        self._beta = 0.85 + 0.4 * trait[:, 0] + 0.03 * np.log(rank)
        own_daily = (0.008 + 0.006 * np.log(rank)) * (0.8 + 0.4 * trait[:, 1])
        self._daily = np.concatenate([[_FACTOR_DAILY], own_daily])
        self._supply = np.asarray(1.3e12 * rank**-1.65 / self._price)
        self._turnover = np.where(self._stable, 0.5, 0.02 + 0.1 * trait[:, 2])
        self._block = lru_cache(maxsize=4)(self._make_block)
        self._day = lru_cache(maxsize=40)(self._make_day)
        self._hour = lru_cache(maxsize=64)(self._make_hour)

    @property
    def coins(self) -> tuple[MarketCoin, ...]:
        """The coins; the row of a coin is its place here."""
        return self._coins

    @property
    def supply(self) -> FloatArray:
        """Circulating supply of each row, in coins."""
        return self._supply

    def event_times(self, rows: IntArray, times_ms: IntArray) -> IntArray:
        """Every full second, because prices change once per second."""
        del rows
        return np.asarray(times_ms // 1000 * 1000)

    def prices(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """Price at each time in US dollars; never NaN."""
        seconds = times_ms // 1000
        walks = np.concatenate([rows + 1, np.zeros_like(rows)])
        own, shared = np.split(self._walk(walks, np.concatenate([seconds, seconds])), 2)
        log_price = own + self._beta[rows] * shared
        stable = self._stable[rows]
        if stable.any():
            log_price[stable] = self._tremor(rows[stable] + 1, seconds[stable])
        return np.asarray(self._price[rows] * np.exp(log_price))

    def volumes(self, rows: IntArray, times_ms: IntArray) -> FloatArray:
        """Volume of the last 24 hours in US dollars."""
        days = times_ms / (_DAY_S * 1000)
        shared, own = self._keys["slow"][0], self._keys["volume"][rows + 1, 0]
        activity = 0.25 * smooth(shared, days / 2) + 0.2 * smooth(own, days / 1.5) + 0.05 * smooth(own, days * 8)
        return np.asarray(self._supply[rows] * self._price[rows] * self._turnover[rows] * np.exp(activity))

    def history_start_ms(self, row: int, now_ms: int) -> int:
        """Fourteen days before `now_ms`."""
        del row
        return now_ms - _HISTORY_DAYS * _DAY_S * 1000

    def describe(self) -> dict[str, object]:
        """Source and seed."""
        return {"source": "demo", "seed": self._seed, "coins": len(self._coins)}

    @property
    def ends_ms(self) -> int | None:
        """A simulated market has no end."""
        return None

    def _walk(self, walks: IntArray, seconds: IntArray) -> FloatArray:
        """Level of each walk at each second: from the coarsest panel with that second, plus the jumps."""
        level = np.empty(len(seconds))
        on_hour = seconds % 3600 == 0
        on_minute = (seconds % 60 == 0) & ~on_hour
        between = ~(on_hour | on_minute)
        if on_hour.any():
            level[on_hour] = self._on_hours(walks[on_hour], seconds[on_hour] // 3600)
        if on_minute.any():
            level[on_minute] = self._on_minutes(walks[on_minute], seconds[on_minute] // 60)[0]
        if between.any():
            level[between] = self._on_seconds(walks[between], seconds[between])
        return level + self._jumps(walks, seconds)

    def _on_hours(self, walks: IntArray, hours: IntArray) -> FloatArray:
        level = np.empty(len(hours))
        for day, here in _grouped(hours // 24):
            level[here] = self._day(day).path[walks[here], hours[here] - 24 * day]
        return level

    def _on_minutes(self, walks: IntArray, minutes: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Level at the start and end of each minute, and the variance between."""
        start, end, variance = np.empty((3, len(minutes)))
        for hour, here in _grouped(minutes // 60):
            panel, minute = self._hour(hour), minutes[here] - 60 * hour
            start[here] = panel.path[walks[here], minute]
            end[here] = panel.path[walks[here], minute + 1]
            variance[here] = panel.variance[walks[here], minute]
        return start, end, variance

    def _on_seconds(self, walks: IntArray, seconds: IntArray) -> FloatArray:
        minutes, second = seconds // 60, seconds % 60
        start, end, variance = self._on_minutes(walks, minutes)
        noise = normals(self._keys["second"][walks], minutes[:, None] * 60 + np.arange(60))
        path = bridge(noise, np.repeat(variance[:, None] / 60, 60, axis=1), start, end)
        return np.asarray(path[np.arange(len(seconds)), second])

    def _jumps(self, walks: IntArray, seconds: IntArray) -> FloatArray:
        total = np.empty(len(seconds))
        days = seconds // _DAY_S
        for number, here in _grouped(days // _BLOCK_DAYS):
            block, walk, offset = self._block(number), walks[here], days[here] % _BLOCK_DAYS
            happened = seconds[here] % _DAY_S >= block.jump_seconds[walk, offset]
            total[here] = block.jumps_before[walk, offset] + np.where(happened, block.jumps[walk, offset], 0.0)
        return total

    def _tremor(self, walks: IntArray, seconds: IntArray) -> FloatArray:
        keys: Keys = self._keys["minute"][walks, 0]
        waves = ((30 * _DAY_S, 0.5), (2 * _DAY_S, 0.5), (10_800, 0.4), (240, 0.3), (17, 0.15))
        return _STABLE_TREMOR * sum((share * smooth(keys, seconds / period) for period, share in waves), np.zeros(1))

    def _make_block(self, number: int) -> _Block:
        days = number * _BLOCK_DAYS + np.arange(_BLOCK_DAYS)
        variance = self._daily[:, None] ** 2 * self._clusters("slow", days / 1.0, ((2, 0.28), (9, 0.28), (40, 0.20)))
        size, seconds = self._draw_jumps(days)
        jumps_before = np.concatenate([np.zeros((len(size), 1)), np.cumsum(size, axis=1)], axis=1)
        spread = self._daily * np.sqrt(_BLOCK_DAYS / 2)
        pins = normals(self._keys["pin"], np.array([number, number + 1])) * spread[:, None]
        noise = normals(self._keys["day"], days)
        path = bridge(noise, variance, pins[:, 0], pins[:, 1] - jumps_before[:, -1])
        return _Block(path, variance, size, seconds, jumps_before)

    def _draw_jumps(self, days: IntArray) -> tuple[FloatArray, IntArray]:
        """Size (0: none) and second of each walk's jump on each day; both directions are equally likely."""
        happens, sign, size, second = (uniforms(self._keys["jump"], 4 * days + part) for part in range(4))
        magnitude = self._daily[:, None] * (0.25 - 0.5 * np.log(size))
        jumps = np.where(happens < _JUMP_CHANCE, np.where(sign < 0.5, -magnitude, magnitude), 0.0)
        return jumps, np.asarray((second * _DAY_S).astype(np.int64))

    def _make_day(self, day: int) -> _Panel:
        number, offset = divmod(day, _BLOCK_DAYS)
        block = self._block(number)
        hours = day * 24 + np.arange(24)
        shape = _RHYTHM * self._clusters("hourly", hours / 1.0, ((2, 0.25), (7, 0.25)))
        return self._divide("hour", hours, shape, block, offset)

    def _make_hour(self, hour: int) -> _Panel:
        day = self._day(hour // 24)
        column = hour % 24
        minutes = hour * 60 + np.arange(60)
        shape = self._clusters("fast", minutes / 1.0, ((4, 0.25), (25, 0.25)))
        return self._divide("minute", minutes, shape, day, column)

    def _divide(self, purpose: str, index: IntArray, shape: FloatArray, whole: _Block | _Panel, step: int) -> _Panel:
        """Divide one step of `whole` into smaller ones; `shape` divides its variance."""
        variance = shape / np.cumsum(shape, axis=1)[:, -1:] * whole.variance[:, step, None]
        noise = normals(self._keys[purpose], index)
        return _Panel(bridge(noise, variance, whole.path[:, step], whole.path[:, step + 1]), variance)

    def _clusters(self, purpose: str, position: FloatArray, waves: tuple[tuple[float, float], ...]) -> FloatArray:
        """Relative variance (walks, k) with mean 1: the exponential of slow waves, shared ones and own ones."""
        keys = self._keys[purpose]
        log_variance = np.zeros((len(keys), len(position)))
        for number, (period, scale) in enumerate(waves):
            phase = position / period + 1_000_003.0 * number
            log_variance += 2 * scale * (0.8 * smooth(keys[:1], phase) + 0.6 * smooth(keys, phase + 0.5))
        spread = sum(4 * scale**2 for _, scale in waves)
        return np.asarray(np.exp(log_variance - spread / 2))


def _grouped(values: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Each distinct value with its places."""
    order = np.argsort(values, kind="stable")
    distinct, count = np.unique(values, return_counts=True)
    end = np.cumsum(count)
    for value, first, last in zip(distinct, end - count, end, strict=True):
        yield int(value), order[first:last]
