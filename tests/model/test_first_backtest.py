"""The accuracy page has something to say as soon as the first back-fill is complete, and it is labelled as backtest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from core.forecast_schema import FORECAST_SCHEMA, HORIZONS_MIN
from core.price_store import Coin, Price, open_writer
from core.processes.health_schema import COLLECTOR, CollectorProgress, ProcessState
from core.processes.heartbeat import Heartbeat
from core.reading.readers import Readers
from core.settings import Settings, load_settings
from core.times import GRID_STEP_MS, HOUR_MS, now_ms
from core.workspace import open_workspace
from model.first_backtest import backtest_history
from model.forecaster.engine import EngineOptions
from model.loop.backtest_process import FirstBacktest
from model.loop.session import Session, open_session


def _walk(seed: int, steps: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.001, steps)))


def test_a_day_of_prices_is_scored_at_every_horizon() -> None:
    """From the ninth hour on each coin has forecasts with outcomes, at all twelve horizons."""
    times = now_ms() // GRID_STEP_MS * GRID_STEP_MS - GRID_STEP_MS * np.arange(288)[::-1]
    recording = {"bitcoin": (times, _walk(0, 288)), "solana": (times, _walk(1, 288))}
    rows, forecasts = backtest_history(recording, EngineOptions())
    assert set(rows["coin"].to_pylist()) == {"bitcoin", "solana"}
    assert set(rows["horizon_min"].to_pylist()) == set(HORIZONS_MIN)
    assert sum(rows["n"].to_pylist()) > 2 * 12 * 20
    assert set(forecasts["horizon_min"].to_pylist()) == {60}
    assert forecasts.num_rows > 2 * 20


def test_the_pipeline_runs_it_once_when_the_back_fill_is_complete(tmp_path: Path) -> None:
    """It waits for the back-fill, publishes its scores separately from the live ones, and runs only once."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    now = now_ms()
    _store(settings, 200)
    with Heartbeat(settings.run_dir, COLLECTOR) as collector, open_session(settings) as session:
        session.pull(now)
        collector.state(ProcessState.COLLECTING, CollectorProgress(coins=1, backfill_done=0, backfill_total=1))
        with FirstBacktest(session) as backtest:
            backtest.step()
            assert backtest._process is None
            collector.state(ProcessState.COLLECTING, CollectorProgress(coins=1, backfill_done=1, backfill_total=1))
            backtest.step()
            assert len(_folders(settings)) == 1
            _wait(backtest, session)
        assert _folders(settings) == []
        metrics = Readers(settings).metrics()
        assert metrics.live is None
        assert metrics.backtest is not None
        assert metrics.backtest.overall.forecasts > 100
        past = Readers(settings).backtested("bitcoin", 0, now)
        assert len(past) > 8
        assert past[0].origin_ms > past[-1].origin_ms
        assert any(forecast.actual is not None for forecast in past)
        with FirstBacktest(session) as again:
            again.step()
            assert again._process is None


@pytest.mark.parametrize(
    ("steps", "coins", "starts"), [(200, 1, True), (90, 1, False), (200, 0, False), (200, None, False)]
)
def test_it_starts_after_a_restart_whose_queue_is_empty(
    tmp_path: Path, steps: int, coins: int | None, starts: bool
) -> None:
    """A collector that has nothing left to fill counts none; it must know its coins, and one have eight hours."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    _store(settings, steps)
    with Heartbeat(settings.run_dir, COLLECTOR) as collector, open_session(settings) as session:
        session.pull(now_ms())
        collector.state(ProcessState.COLLECTING, CollectorProgress(coins=coins))
        with FirstBacktest(session) as backtest:
            backtest.step()
            assert (backtest._process is not None) == starts


def test_what_a_killed_pipeline_left_goes_at_the_next_start(tmp_path: Path) -> None:
    """The folder of its unfinished backtest, and a new one is not made before a backtest starts."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    left = open_workspace(settings).root / ".first-backtest-abc"
    left.mkdir()
    (left / "scores.parquet").touch()
    with open_session(settings) as session, FirstBacktest(session) as backtest:
        backtest.step()
        assert _folders(settings) == []


def test_it_says_nothing_of_hours_with_live_forecasts(tmp_path: Path) -> None:
    """Its scores end with the hour before the first live forecast."""
    with _live_session(tmp_path, since_h=3) as (session, live_since_ms):
        with FirstBacktest(session) as backtest:
            _wait(backtest, session)
        scores = session.publisher.table(session.publisher.manifest.entries["backtest"].file)
        assert scores is not None
        hours = set(scores["hour"].cast("int64").to_pylist())
        assert len(hours) > 2
        assert max(hours) + HOUR_MS <= live_since_ms


def test_it_does_not_start_where_all_history_is_live(tmp_path: Path) -> None:
    """With live forecasts from the eighth hour on it would have nothing to say."""
    with _live_session(tmp_path, since_h=9) as (session, _), FirstBacktest(session) as backtest:
        backtest.step()
        assert backtest._process is None


@contextmanager
def _live_session(tmp_path: Path, *, since_h: int) -> Iterator[tuple[Session, int]]:
    """A session with prices of 16 hours and a complete back-fill; live forecasts began `since_h` hours ago."""
    settings = load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    _store(settings, 200)
    now = now_ms()
    since_ms = now - since_h * HOUR_MS
    with Heartbeat(settings.run_dir, COLLECTOR) as collector, open_session(settings) as session:
        session.pull(now)
        collector.state(ProcessState.COLLECTING, CollectorProgress(coins=1))
        session.publisher.publish(appended={"log": (since_ms, now, FORECAST_SCHEMA.empty_table())})
        yield session, since_ms


def _wait(backtest: FirstBacktest, session: Session) -> None:
    """Step until the result is published, or a minute has passed."""
    deadline = time.monotonic() + 60
    while "backtest" not in session.publisher.manifest.entries and time.monotonic() < deadline:
        backtest.step()
        time.sleep(0.1)


def _store(settings: Settings, steps: int) -> None:
    """Prices of bitcoin at so many steps of 5 minutes before now."""
    now = now_ms()
    with open_writer(open_workspace(settings).database) as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin", 1, now)])
        times = now - 20_000 - GRID_STEP_MS * np.arange(steps)[::-1]
        writer.store(Price("bitcoin", int(ts), float(price)) for ts, price in zip(times, _walk(2, steps), strict=True))


def _folders(settings: Settings) -> list[Path]:
    """The folders that backtests write to."""
    return [path for path in settings.data_dir.rglob("*-backtest-*") if path.is_dir()]
