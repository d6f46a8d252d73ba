"""Averages of minute returns against an oracle in plain loops, and on simulated walks polled at different paces."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from core.realised_price import PRICE_TOLERANCE_MS
from core.times import HOUR_MS, MINUTE_MS
from etl.arrays import FloatArray, IntArray
from etl.features.minute_volatility import (
    MINUTE_HALF_LIVES,
    initial_minute_state,
    mean_minute_return,
    minute_averages,
    minute_density,
    run_minutes,
)
from etl.features.raw_prices import RawPrices

START_MS = 1_700_000_100_000
Rows = list[tuple[int, float]]


def _states(coins: list[Rows], points: IntArray) -> FloatArray:
    """States at consecutive minute points (n,) of coins without any price before the first point."""
    raw = RawPrices()
    for number, rows in enumerate(coins):
        raw.append(number, [ts for ts, _ in rows], [price for _, price in rows])
    price, event_ms = raw.as_of(np.arange(len(coins)), points[:, None])
    nothing = np.full(len(coins), np.nan), np.full(len(coins), -1)
    return run_minutes(initial_minute_state(len(coins)), np.log(price), event_ms, *nothing)


def _minutes(rows: Rows, offset_ms: int = 0) -> IntArray:
    first = rows[0][0] // MINUTE_MS * MINUTE_MS + offset_ms
    return np.arange(first, rows[-1][0] + 10 * MINUTE_MS, MINUTE_MS)


def _polls(seed: int) -> Rows:
    """Two hours each of polls of 30 s, 60 s, 5 min and 30 s, uneven, some seconds apart, with repeats and a gap."""
    rng = np.random.default_rng(seed)
    spacing = np.repeat([30.0, 60.0, 300.0, 30.0], [240, 120, 24, 240])
    spacing = 1000 * spacing * rng.uniform(0.5, 1.5, len(spacing))
    spacing[[30, 31, 400]] = 1500, 2500, 40 * MINUTE_MS
    ts = START_MS + np.cumsum(spacing).astype(np.int64)
    log_price = np.cumsum(rng.normal(0, 0.0005, len(ts)) * np.sqrt(spacing / MINUTE_MS))
    log_price[200] += 0.05
    repeat = rng.random(len(ts)) < 0.25
    place = np.maximum.accumulate(np.where(repeat, 0, np.arange(len(ts))))
    return list(zip(ts.tolist(), (100 * np.exp(log_price[place])).tolist(), strict=True))


def _as_of(rows: Rows, ts_ms: int) -> tuple[int, float] | None:
    older = [row for row in rows if ts_ms - PRICE_TOLERANCE_MS <= row[0] <= ts_ms]
    return older[-1] if older else None


def _oracle(rows: Rows, points: list[int]) -> dict[str, float]:
    """Means weighted by elapsed event time, in plain Python: old weights halve each half-life."""
    sums = {n: [0.0, 0.0, 0.0] for n in MINUTE_HALF_LIVES}
    records, record_weight = 0.0, 0.0
    for before, here in itertools.pairwise(_as_of(rows, point) for point in points):
        if before is None or here is None or before[0] == here[0]:
            continue
        minutes = max((here[0] - before[0]) / 60_000, 0.25)
        size = abs(math.log(here[1] / before[1])) / math.sqrt(minutes)
        total, _, weight = sums[MINUTE_HALF_LIVES[-1]]
        if weight:
            size = min(size, max(20 * total / weight, 1e-7))
        for n, (total, square, weight) in sums.items():
            kept = 0.5 ** (minutes / n)
            sums[n] = [
                kept * total + (1 - kept) * size,
                kept * square + (1 - kept) * size**2,
                kept * weight + (1 - kept),
            ]
        kept = 0.5 ** (minutes / 60)
        records = kept * records + (1 - kept) / minutes
        record_weight = kept * record_weight + 1 - kept
    found = {f"abs {n}": total / weight for n, (total, _, weight) in sums.items()}
    found |= {f"root square {n}": math.sqrt(square / weight) for n, (_, square, weight) in sums.items()}
    return {**found, "records a minute": 1000 * (records / record_weight if record_weight >= 0.5 else 0.0)}


@pytest.mark.parametrize("hours", [0.5, 1.9, 3.5, 5.9, 7.0, 9.0])
def test_averages_match_the_slow_oracle(hours: float) -> None:
    """After polls of all paces, with gaps, repeats and a leap: the weighted means of the plain computation."""
    rows = _polls(seed=int(10 * hours))
    points = _minutes(rows)
    points = points[: int(hours * 60)]
    state = _states([rows], points)[-1, 0]
    absolute, square = minute_averages(state)
    found = {f"abs {n}": value for n, value in zip(MINUTE_HALF_LIVES, absolute.tolist(), strict=True)}
    found |= {f"root square {n}": value for n, value in zip(MINUTE_HALF_LIVES, np.sqrt(square).tolist(), strict=True)}
    found["records a minute"] = 1000 * float(minute_density(state))
    assert found == pytest.approx(_oracle(rows, points.tolist()), rel=1e-9, abs=1e-12)


def test_minutes_run_in_parts_give_the_same_bits() -> None:
    """The states after each point do not depend on how the points are divided into calls."""
    rows = _polls(seed=1)
    points = _minutes(rows)
    whole = _states([rows], points)
    raw = RawPrices()
    raw.append(0, [ts for ts, _ in rows], [price for _, price in rows])
    price, event_ms = raw.as_of(np.array([0]), points[:, None])
    log_price = np.log(price)
    parts, state, last = [], initial_minute_state(1), (np.array([np.nan]), np.array([-1]))
    for part in np.array_split(np.arange(len(points)), 17):
        parts.append(run_minutes(state, log_price[part], event_ms[part], *last))
        state, last = parts[-1][-1], (log_price[part[-1]], event_ms[part[-1]])
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_nothing_is_known_before_the_first_return() -> None:
    """Without a price, or with one alone, means are NaN and no record counts."""
    for states in (initial_minute_state(2), _states([[(START_MS, 5.0)]], _minutes([(START_MS, 5.0)]))[-1]):
        assert np.isnan(minute_averages(states)).all()
        assert np.isnan(mean_minute_return(states)).all()
        assert (minute_density(states) == 0).all()


def test_a_leap_counts_at_most_twenty_mean_returns() -> None:
    """A leap of a tenth and one of a half in one minute move the averages alike, and further than ten means do."""
    rows = [(START_MS + MINUTE_MS * n, 100 * math.exp(0.001 * (n % 2))) for n in range(300)]
    after = []
    for size in (0.01, 0.1, 0.5):
        leap = (rows[-1][0] + MINUTE_MS, rows[-1][1] * math.exp(size))
        after.append(_states([[*rows, leap]], _minutes([*rows, leap]))[-1, 0])
    np.testing.assert_allclose(after[1], after[2], rtol=1e-9)
    assert mean_minute_return(after[0]) < mean_minute_return(after[1])


def _walks(coins: int, hours: int, sigma: float, every_s: int) -> list[Rows]:
    """Random walks with `sigma` a minute, polled about every `every_s` seconds, by the same walk at every pace."""
    rng = np.random.default_rng(3)
    steps = hours * 360
    walk = np.cumsum(rng.normal(0, sigma / math.sqrt(6), (coins, steps)), axis=1)
    result = []
    for own in walk:
        at_s = np.arange(15, steps * 10 - every_s, every_s)
        place = (at_s + rng.integers(0, every_s // 4, len(at_s))) // 10
        result.append(list(zip((START_MS + 10_000 * place).tolist(), np.exp(own[place]).tolist(), strict=True)))
    return result


@pytest.mark.parametrize("every_s", [30, 60, 300])
def test_a_random_walk_has_the_same_mean_return_at_every_pace(every_s: int) -> None:
    """Polled every 30 s, 60 s or 300 s, the mean |r| of a minute is that of the walk's law, within four percent."""
    sigma = 0.0008
    walks = _walks(coins=40, hours=30, sigma=sigma, every_s=every_s)
    means = mean_minute_return(_states(walks, _minutes(walks[0]))[-1])
    assert means.mean() == pytest.approx(sigma * math.sqrt(2 / math.pi), rel=0.04)


@pytest.mark.parametrize(("every_s", "records"), [(30, 1.0), (60, 1.0), (120, 0.5), (300, 0.2)])
def test_the_density_is_that_of_the_polls(every_s: int, records: float) -> None:
    """Records a minute, at most one a minute point, whatever the pace."""
    walks = _walks(coins=10, hours=12, sigma=0.001, every_s=every_s)
    assert minute_density(_states(walks, _minutes(walks[0]))[-1]).mean() == pytest.approx(records, rel=0.1)


def test_a_gap_changes_nothing_by_itself() -> None:
    """Hours without a price leave the state as it was; the first return after it spans only prices after it."""
    rows = _polls(seed=4)[:200]
    late = [(rows[-1][0] + 5 * HOUR_MS + MINUTE_MS * n, 500.0 + n) for n in range(2)]
    states = _states([[*rows, *late]], _minutes([*rows, *late]))[:, 0]
    before = _states([rows], _minutes(rows))[-1, 0]
    points = _minutes([*rows, *late])
    np.testing.assert_array_equal(states[points < late[1][0]][-1], before)
    assert mean_minute_return(states[-1]) < 2 * mean_minute_return(before)
    assert (states[-1] != before).any()
