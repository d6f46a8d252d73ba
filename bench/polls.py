"""What a collector would have stored of a recording: polls at uneven times, with the source's noise and repeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from core.times import DAY_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.recordings.recording import PriceHistory

__all__ = ["NOISE", "REPEATS", "first_start", "irregular", "polled", "spans_minutes"]

NOISE: Final = 4e-4
REPEATS: Final = 0.25
"""Standard deviation of CoinGecko's price around an exchange's close (4 basis points), and the share of polls that
repeat the value before: measured on 60 polls of 98 coins."""

_JITTER_MS: Final = 25_000
"""Standard deviation around five minutes, as in the source's charts."""

_UNEVEN: Final = 0.25
"""A poll comes up to a quarter of the interval late."""


def polled(
    recording: PriceHistory, every_s: int, seed: int = 0, noise: float = 0.0, repeats: float = 0.0
) -> PriceHistory:
    """Polls of a one-minute recording.

    Args:
        recording: closes a minute apart.
        every_s: seconds between two polls, up to a quarter more. The price between two closes is the earlier one.
        seed: of times, noise and repeats.
        noise: standard deviation of the log price around the close; it differs from coin to coin by half.
        repeats: share of polls that repeat the value before at a new time.
    """
    return dict(_polls(recording, every_s, np.random.default_rng(seed), noise, repeats))


def _polls(
    recording: PriceHistory, every_s: int, rng: np.random.Generator, noise: float, repeats: float
) -> Iterator[tuple[str, tuple[IntArray, FloatArray]]]:
    for coin, (ts, price) in recording.items():
        step_ms = every_s * 1000
        planned = np.arange(int(ts[0]), int(ts[-1]), step_ms)
        times = planned + rng.integers(0, max(int(_UNEVEN * step_ms), 1), len(planned))
        place = np.searchsorted(ts, times, side="right") - 1
        fresh = (place >= 0) & (times - ts[place] < 2 * MINUTE_MS)
        times, place = times[fresh], place[fresh]
        seen = price[place] * np.exp(rng.normal(0.0, noise * rng.uniform(0.5, 1.5), len(times)))
        repeat = rng.random(len(times)) < repeats
        repeat[:1] = False
        last_fresh = np.maximum.accumulate(np.where(repeat, 0, np.arange(len(times))))
        yield coin, (times, seen[last_fresh])


def spans_minutes(recording: PriceHistory) -> bool:
    """Whether the prices lie about a minute apart."""
    return bool(np.median([np.median(np.diff(ts)) for ts, _ in recording.values()]) < 2 * MINUTE_MS)


def first_start(ts: IntArray, price: FloatArray, start: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """The prices that a collector started at `start` has of a one-minute recording in its first five hours."""
    filled = np.arange(start - DAY_MS, start, 5 * MINUTE_MS)
    polls = start + np.cumsum(rng.integers(25_000, 75_000, 5 * 72))
    jittered = filled + np.rint(rng.normal(0, _JITTER_MS, len(filled))).astype(np.int64)
    times = np.unique(np.concatenate([jittered[jittered < start], polls]))
    return times, price[np.searchsorted(ts, times, side="right") - 1]


def irregular(recording: PriceHistory, poll_days: int = 6, seed: int = 0) -> PriceHistory:
    """The prices that a collector would have stored of a one-minute recording.

    A back-fill of one price in about five minutes; then, for the last `poll_days`, polls about a minute apart, one in
    ten of which repeats the price before; gaps of 12 minutes to 5 hours in both.
    """
    rng = np.random.default_rng(seed)
    result = {}
    for coin, (ts, price) in recording.items():
        change = int(ts[-1]) - poll_days * DAY_MS
        filled = np.arange(int(ts[0]), change, 5 * MINUTE_MS) + rng.integers(
            0, 90_000, -(-(change - int(ts[0])) // (5 * MINUTE_MS))
        )
        polls = change + np.cumsum(rng.integers(45_000, 75_000, poll_days * 1_440))
        times = np.concatenate([filled, polls[polls < ts[-1]]])
        for begin in rng.integers(int(ts[0]), int(ts[-1]), 24):
            times = times[(times < begin) | (times > begin + rng.integers(12, 300) * MINUTE_MS)]
        seen = price[np.searchsorted(ts, times, side="right") - 1]
        repeats = np.flatnonzero((rng.random(len(times)) < 0.1) & (times > change))
        seen[repeats] = seen[repeats - 1]
        result[coin] = (times, seen)
    return result
