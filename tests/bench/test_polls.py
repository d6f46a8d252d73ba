"""Polls of a recording: times, values, noise and repeats."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.polls import polled, spans_minutes
from core.times import HOUR_MS, MINUTE_MS
from etl.recordings.recording import PriceHistory

START_MS = 1_700_006_400_000


def _recording(hours: int = 24, coins: int = 3, every_ms: int = MINUTE_MS) -> PriceHistory:
    """Closes whose values are all different; one coin has a gap of three hours and starts late."""
    ts = START_MS + every_ms * np.arange(hours * HOUR_MS // every_ms)
    rng = np.random.default_rng(0)
    recording = {f"coin{n}": (ts, 100 * np.exp(np.cumsum(rng.normal(0, 0.001, len(ts))))) for n in range(coins)}
    there = (ts > START_MS + HOUR_MS) & ((ts < START_MS + 5 * HOUR_MS) | (ts > START_MS + 8 * HOUR_MS))
    return {**recording, "coin0": (ts[there], recording["coin0"][1][there])}


@settings(max_examples=25)
@given(every_s=st.integers(1, 900), seed=st.integers(0, 99), repeats=st.floats(0, 0.9))
def test_times_increase_and_stay_within_the_recording(every_s: int, seed: int, repeats: float) -> None:
    """Every coin is polled at strictly increasing times, none before its first close and none long after its last."""
    recording = _recording(hours=9)
    for coin, (ts, price) in polled(recording, every_s, seed, noise=0.001, repeats=repeats).items():
        assert len(ts) == len(price) > 0
        assert (np.diff(ts) > 0).all()
        assert ts[0] >= recording[coin][0][0]
        assert ts[-1] <= recording[coin][0][-1] + 2 * MINUTE_MS


@pytest.mark.parametrize("every_s", [30, 60, 300])
def test_without_noise_and_repeats_a_poll_sees_the_last_close(every_s: int) -> None:
    """Each value is the newest close at or before its poll, at most two minutes old; the pace is the one asked for."""
    recording = _recording()
    for coin, (ts, price) in polled(recording, every_s).items():
        closes_ms, closes = recording[coin]
        for moment, seen in zip(ts.tolist()[::7], price.tolist()[::7], strict=True):
            known = closes_ms <= moment
            assert seen == closes[known][-1]
            assert moment - closes_ms[known][-1] < 2 * MINUTE_MS
        assert np.median(np.diff(ts)) == pytest.approx(1000 * every_s, rel=0.05)


def test_repeats_repeat_the_value_before_at_a_new_time() -> None:
    """About the asked share of polls has the value of the poll before; all others see their close."""
    recording = _recording()
    plain, repeating = polled(recording, 60), polled(recording, 60, repeats=0.3)
    for coin, (ts, price) in repeating.items():
        closes_ms, closes = recording[coin]
        fresh = price == closes[np.searchsorted(closes_ms, ts, side="right") - 1]
        assert np.mean(~fresh) == pytest.approx(0.3, abs=0.05)
        np.testing.assert_array_equal(price[1:][~fresh[1:]], price[:-1][~fresh[1:]])
        assert fresh[0]
        assert len(plain[coin][0]) == pytest.approx(len(ts), rel=0.01)


def test_noise_has_the_asked_size_and_no_direction() -> None:
    """Over many coins the log difference to the close has mean 0 and about the asked standard deviation."""
    recording = _recording(hours=12, coins=40)
    noise = []
    for coin, (ts, price) in polled(recording, 60, seed=3, noise=5e-4).items():
        closes_ms, closes = recording[coin]
        noise.append(np.log(price / closes[np.searchsorted(closes_ms, ts, side="right") - 1]))
    deviations = [own.std() for own in noise]
    assert np.mean(deviations) == pytest.approx(5e-4, rel=0.2)
    assert 0.4 * 5e-4 < min(deviations) < max(deviations) < 1.6 * 5e-4
    assert np.concatenate(noise).mean() == pytest.approx(0, abs=2e-5)


def test_the_seed_fixes_the_polls() -> None:
    """The same seed gives the same times and values, another one others."""
    first, same, other = (polled(_recording(hours=9), 60, seed, noise=1e-4, repeats=0.2) for seed in (1, 1, 2))
    for coin in first:
        for number in range(2):
            np.testing.assert_array_equal(first[coin][number], same[coin][number])
        assert not np.array_equal(first[coin][0], other[coin][0])


@pytest.mark.parametrize(("every_s", "expected"), [(30, True), (60, True), (300, False), (3600, False)])
def test_a_recording_spans_minutes_when_its_prices_do(every_s: int, expected: bool) -> None:
    """Prices a minute apart or closer do, five minutes apart they do not; a gap does not matter."""
    assert spans_minutes(_recording(every_ms=1000 * every_s)) is expected
