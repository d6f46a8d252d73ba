"""The yardstick on Synth's task: scales between horizons, which hours are drawn, what is scored."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import synth_yardstick
from bench.synth_score import score
from core.times import DAY_MS, HOUR_MS, MINUTE_MS

START_MS = 1_700_006_400_000
DAYS = 15


def _recording() -> dict[str, tuple[Any, Any]]:
    ts_ms = START_MS + MINUTE_MS * np.arange(DAYS * 1440)
    steps = np.random.default_rng(3).normal(0, 5e-4, len(ts_ms))
    return {"bitcoin": (ts_ms, 100 * np.exp(steps.cumsum()))}


def _constant_scales(recording: dict[str, tuple[Any, Any]], *_: Any) -> Iterator[SimpleNamespace]:
    """Forecasts every half-hour whose 80 % interval is that of a random walk."""
    half_width = 1.28 * 5e-4 * np.sqrt(np.arange(5, 65, 5))
    levels = np.full((1, 12, 9), 100.0)
    levels[0, :, 2], levels[0, :, 6] = 100 * np.exp(-half_width), 100 * np.exp(half_width)
    ts_ms, _ = recording["bitcoin"]
    for origin_ms in range(int(ts_ms[0]), int(ts_ms[-1]) + 1, 30 * MINUTE_MS):
        yield SimpleNamespace(coins=["bitcoin"], origin_ms=np.array([origin_ms]), quantiles=levels)


@pytest.fixture
def constant_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is replaced by forecasts of one constant scale."""
    monkeypatch.setattr(synth_yardstick, "walk_forward", _constant_scales)


def test_scales_between_horizons_grow_with_the_root_of_time() -> None:
    """A random walk's scales at 5 … 60 minutes give its scale at every minute; horizons keep their own scale."""
    horizons = 2.0 * np.sqrt(np.arange(5, 65, 5))
    np.testing.assert_allclose(
        synth_yardstick.minute_scales(horizons[None])[0], 2.0 * np.sqrt(np.arange(1, 61)), rtol=1e-12
    )
    uneven = np.random.default_rng(0).uniform(1, 2, (3, 12))
    np.testing.assert_allclose(synth_yardstick.minute_scales(uneven)[:, 4::5], uneven, rtol=1e-12)


def test_on_a_random_walk_all_score_alike(constant_scales: None) -> None:
    """Where volatility is constant and normal, scaled hours and Brownian paths differ by chance alone."""
    found = synth_yardstick.yardstick(_recording(), None)
    assert list(found) == ["bitcoin"]
    np.testing.assert_allclose(found["bitcoin"].ours.mean(), found["bitcoin"].baselines.mean(axis=0), rtol=0.02)


def test_the_first_hour_scored_has_fourteen_days_before_it_and_the_last_ends_in_time(constant_scales: None) -> None:
    """Half-hours from day 14 on, up to the last one whose sixty minutes were recorded."""
    start_ms = synth_yardstick.yardstick(_recording(), None)["bitcoin"].start_ms
    expected = np.arange(START_MS + 14 * DAY_MS, START_MS + DAYS * DAY_MS - HOUR_MS, 30 * MINUTE_MS)
    assert start_ms.tolist() == expected.tolist()


def test_an_hour_with_a_missing_minute_is_left_out(constant_scales: None) -> None:
    """One minute less: the two half-hourly starts whose hour holds it are not scored, the others are."""
    ts_ms, price = _recording()["bitcoin"]
    gap = int(np.searchsorted(ts_ms, START_MS + 14 * DAY_MS + 165 * MINUTE_MS))
    whole = synth_yardstick.yardstick({"bitcoin": (ts_ms, price)}, None)["bitcoin"].start_ms
    left = synth_yardstick.yardstick({"bitcoin": (np.delete(ts_ms, gap), np.delete(price, gap))}, None)["bitcoin"]
    missed = sorted(set(whole.tolist()) - set(left.start_ms.tolist()))
    assert missed == [START_MS + 14 * DAY_MS + minutes * MINUTE_MS for minutes in (120, 150)]


def test_paths_know_no_price_after_their_start(constant_scales: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other prices after a start leave its ensembles as they are, and change what they are scored against."""
    seen: list[tuple[Any, Any]] = []

    def keep(paths: Any, real: Any) -> float:
        seen.append((paths, real))
        return score(paths, real)

    monkeypatch.setattr(synth_yardstick, "score", keep)
    ts_ms, price = _recording()["bitcoin"]
    synth_yardstick.yardstick({"bitcoin": (ts_ms, price)}, None)
    of_start = slice(3 * 10, 3 * 11)
    first = seen[of_start]
    seen.clear()
    start_ms = START_MS + 14 * DAY_MS + 10 * 30 * MINUTE_MS
    synth_yardstick.yardstick({"bitcoin": (ts_ms, np.where(ts_ms > start_ms, price * 1.5, price))}, None)
    for (paths, real), (again, other) in zip(first, seen[of_start], strict=True):
        np.testing.assert_array_equal(paths, again)
        assert not np.allclose(real, other)


def test_days_add_up_the_scores_of_their_hours() -> None:
    """Two hours of one day and one of the next: sums of ours and of each baseline."""
    scored = synth_yardstick.Scored(
        np.array([START_MS, START_MS + HOUR_MS, START_MS + DAY_MS]),
        np.array([1.0, 2.0, 4.0]),
        np.array([[1.0], [3.0], [5.0]]),
    )
    assert scored.by_day().tolist() == [[3.0, 4.0], [4.0, 5.0]]
