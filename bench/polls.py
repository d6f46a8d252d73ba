"""What a collector would have stored of a recording: polls at uneven times, with the source's noise and repeats."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from core.times import MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.recordings.recording import PriceHistory

__all__ = ["NOISE", "REPEATS", "polled", "spans_minutes"]

NOISE: Final = 4e-4
REPEATS: Final = 0.25
"""Standard deviation of CoinGecko's price around an exchange's close (4 basis points), and the share of polls that
repeat the value before: measured on 60 polls of 98 coins."""

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
