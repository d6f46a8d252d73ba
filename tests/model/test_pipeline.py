"""The loop forecasts from what is stored, resumes after a restart, and goes on when something breaks under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from api.state import suite_state
from core.errors import AlreadyRunning, NotReady
from core.forecast_schema import HORIZONS_MIN
from core.price_store import Coin, Price, open_writer
from core.processes.health_schema import PIPELINE, ProcessState, Step
from core.processes.heartbeat import Heartbeat, read_health
from core.publishing.manifest import ManifestReader
from core.reading.readers import Readers
from core.settings import Settings, load_settings
from core.times import GRID_STEP_MS, HOUR_MS, MINUTE_MS, now_ms
from core.wording import LANGUAGES
from core.workspace import open_workspace
from model.loop.executor import OneProcess
from model.loop.restart_backoff import RestartBackoff
from model.loop.session import open_session
from model.pipeline import Pipeline
from model.train import SAVE_EVERY_MS

COINS = ("bitcoin", "ethereum", "solana")
STEPS = 24 * 12


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a simulated market in a fresh folder."""
    return load_settings(source="demo", data_dir=tmp_path / "data", models_dir=tmp_path / "models")


def _fill(settings: Settings, now: int, steps: int = STEPS, seed: int = 0, coins: tuple[str, ...] = COINS) -> None:
    """Store a random walk of `steps` 5-minute prices for each coin, the newest 20 seconds old."""
    generator = np.random.default_rng(seed)
    with open_writer(open_workspace(settings).database) as writer:
        writer.update_coins(Coin(coin, coin[:3], coin.title(), rank, now) for rank, coin in enumerate(coins))
        for coin in coins:
            prices = 100 * np.exp(np.cumsum(generator.normal(0, 0.001, steps)))
            times = now - 20_000 - GRID_STEP_MS * np.arange(steps)[::-1]
            writer.store(Price(coin, int(ts_ms), float(price)) for ts_ms, price in zip(times, prices, strict=True))


@contextmanager
def _pipeline(settings: Settings) -> Iterator[Pipeline]:
    with Heartbeat(settings.run_dir, PIPELINE) as heartbeat, open_session(settings) as session:
        yield Pipeline(session, heartbeat)


def test_without_prices_the_loop_waits(settings: Settings) -> None:
    """Before the first poll a cycle forecasts nothing and raises nothing."""
    with _pipeline(settings) as pipeline:
        assert pipeline.cycle(now_ms()) is False
        assert read_health(settings.run_dir, PIPELINE).state is ProcessState.WAITING_FOR_PRICES


def test_a_cycle_publishes_forecasts_of_every_coin(settings: Settings) -> None:
    """Each coin gets twelve horizons with positive monotone quantiles, and one logged forecast per slot."""
    now = now_ms()
    _fill(settings, now)
    with _pipeline(settings) as pipeline:
        assert pipeline.cycle(now) is True
    readers = Readers(settings)
    views = readers.forecasts()
    assert set(views) == set(COINS)
    for coin, view in views.items():
        assert [step.horizon_min for step in view.steps] == list(HORIZONS_MIN)
        assert view.origin_ms == now - 20_000
        for step in view.steps:
            values = list(step.quantiles.values())
            assert values == sorted(values)
            assert 0 < values[0] < values[-1]
        assert len(readers.logged(coin, 0, now, 10)) == 1


def test_many_coins_are_forecast_before_their_history_is_learned(settings: Settings) -> None:
    """With 40 coins and no model, all are forecast and logged before the engine learns their history."""
    now = now_ms()
    coins = tuple(f"coin-{number}" for number in range(40))
    _fill(settings, now, coins=coins)
    with _pipeline(settings) as pipeline:
        pipeline.session.forecast_early(now)
        readers = Readers(settings)
        early = readers.forecasts()
        assert pipeline.session.executor.origins == {}
        assert set(early) == set(coins)
        assert {view.origin_ms for view in early.values()} == {now - 20_000}
        pipeline.cycle(now)
    assert set(readers.forecasts()) == set(coins)
    assert len(readers.logged(coins[0], 0, now, 10)) == 1


def test_one_poll_is_enough_for_a_baseline_forecast(settings: Settings) -> None:
    """With a single price of each coin there is already a forecast with an interval that is not empty."""
    now = now_ms()
    _fill(settings, now, steps=1)
    with _pipeline(settings) as pipeline:
        assert pipeline.cycle(now) is True
    view = Readers(settings).forecast("bitcoin")
    assert view.kind == "baseline"
    assert view.steps[-1].quantiles["q10"] < view.price_origin < view.steps[-1].quantiles["q90"]


def test_a_cycle_without_new_prices_republishes_with_the_same_origin(settings: Settings) -> None:
    """`created_ms` advances, the origin stays, and the log keeps one forecast."""
    now = now_ms()
    _fill(settings, now)
    readers = Readers(settings)
    with _pipeline(settings) as pipeline:
        pipeline.cycle(now)
        first = readers.forecast("bitcoin")
        pipeline.cycle(now + 30_000)
        second = readers.forecast("bitcoin")
    assert (second.origin_ms, second.created_ms) == (first.origin_ms, first.created_ms + 30_000)
    assert len(readers.logged("bitcoin", 0, now, 10)) == 1


def test_a_restart_resumes_from_the_stored_model(settings: Settings) -> None:
    """The second process forecasts with the first one's model and does not log the slot again."""
    now = now_ms()
    _fill(settings, now)
    with _pipeline(settings) as pipeline:
        pipeline.cycle(now)
        pipeline.session.save_model()
        version = pipeline.session.model_version
    with _pipeline(settings) as pipeline:
        assert pipeline.session.model_version == version
        pipeline.cycle(now + MINUTE_MS)
    readers = Readers(settings)
    assert readers.forecast("bitcoin").model_version == version
    assert len(readers.logged("bitcoin", 0, now, 10)) == 1


def test_the_model_is_stored_at_once_and_then_every_quarter_of_an_hour(settings: Settings) -> None:
    """A new model is saved after its first training, then every half hour, also when the clock was set back."""
    now = now_ms()
    _fill(settings, now, 3 * STEPS)
    versions = []
    with _pipeline(settings) as pipeline:
        for moment in (now, now + MINUTE_MS, now + SAVE_EVERY_MS, now + SAVE_EVERY_MS - HOUR_MS):
            pipeline.cycle(moment)
            versions.append(pipeline.session.model_version)
        assert len(list(pipeline.session.workspace.models.glob("*.joblib"))) == 3
    assert versions[0] == versions[1] != versions[2] != versions[3]
    assert "0" not in versions


def test_a_failed_model_save_is_retried_on_the_next_cycle(settings: Settings) -> None:
    """While a file is in the folder's place the cycle reports it; the next cycle saves without waiting half an hour."""
    now = now_ms()
    _fill(settings, now, 3 * STEPS)
    with _pipeline(settings) as pipeline:
        models = pipeline.session.workspace.models
        models.rename(models.with_name("away"))
        models.touch()
        pipeline.cycle(now)
        assert Step.SAVING in read_health(settings.run_dir, PIPELINE).progress.failed_steps
        models.unlink()
        models.with_name("away").rename(models)
        pipeline.cycle(now + MINUTE_MS)
        assert read_health(settings.run_dir, PIPELINE).progress.failed_steps == {}
        assert len(list(models.glob("*.joblib"))) == 1


def test_a_repeating_error_is_retried_with_doubling_pauses(settings: Settings) -> None:
    """A stored state that always fails is tried after 30, 60, 120 s; without it the next try succeeds."""
    now, seconds = now_ms(), [0.0]
    _fill(settings, now)
    with _pipeline(settings) as pipeline:
        pipeline.restarts = RestartBackoff(30.0, lambda: seconds[0])
        pipeline.cycle(now)
        executor = pipeline.session.executor
        assert isinstance(executor, OneProcess)
        executor.engine.model.gate = None  # type: ignore[assignment]  # a state that cannot take prices
        pipeline.session.save_model()
        pipeline.session.restart_engine()
        tried = []
        for second in range(0, 300, 10):
            seconds[0] = float(second)
            before = read_health(settings.run_dir, PIPELINE).counters.get("errors", 0)
            pipeline.cycle(now + 1000 * second)
            health = read_health(settings.run_dir, PIPELINE)
            tried += [second] if health.counters.get("errors", 0) > before else []
            assert Step.FEATURES in health.progress.failed_steps
        assert tried == [0, 30, 90, 210]
        for path in pipeline.session.workspace.models.iterdir():
            path.unlink()
        pipeline.session.restart_engine()
        seconds[0] = 450.0
        assert pipeline.cycle(now + 450_000) is True
        assert read_health(settings.run_dir, PIPELINE).progress.failed_steps == {}


def test_rows_learned_again_after_a_failure_are_not_written_twice(settings: Settings) -> None:
    """An engine that starts again from the stored prices offers its rows again: each one is published once."""
    now = now_ms() // GRID_STEP_MS * GRID_STEP_MS + 30_000
    _fill(settings, now)
    with _pipeline(settings) as pipeline:
        pipeline.cycle(now)
        session = pipeline.session
        for path in session.workspace.models.iterdir():
            path.unlink()
        session.restart_engine()
        pipeline.cycle(now + 30_000)
        for name, time in (("features", "ts"), ("scaled_hours", "origin")):
            rows = [row for table in session.publisher.read(name, ["coin", time]) for row in table.to_pylist()]
            assert len(rows) == len({(row["coin"], row[time]) for row in rows}) > 0


def test_two_pipelines_never_share_a_folder(settings: Settings) -> None:
    """The second one is refused while the first one works."""
    with _pipeline(settings), pytest.raises(AlreadyRunning), _pipeline(settings):
        pass


def test_a_disk_error_is_reported_and_the_loop_recovers(settings: Settings) -> None:
    """While the output folder is unusable the health file names the failed step; then forecasts appear again."""
    now = now_ms()
    _fill(settings, now)
    processed = open_workspace(settings).processed
    with _pipeline(settings) as pipeline:
        pipeline.cycle(now)
        version = ManifestReader(processed).current().version
        processed.rename(processed.with_name("away"))
        processed.write_text("in the way")
        assert pipeline.cycle(now + 30_000) is False
        trouble = read_health(settings.run_dir, PIPELINE).progress.failed_steps
        assert Step.FORECASTS in trouble
        processed.unlink()
        processed.with_name("away").rename(processed)
        assert pipeline.cycle(now + 60_000) is True
        assert read_health(settings.run_dir, PIPELINE).progress.failed_steps == {}
    assert ManifestReader(processed).current().version > version


def test_a_replaced_database_is_opened_again(settings: Settings) -> None:
    """When the collector sets a damaged database aside, forecasts follow the new one."""
    now = now_ms()
    _fill(settings, now - HOUR_MS)
    database = open_workspace(settings).database
    with _pipeline(settings) as pipeline:
        pipeline.cycle(now)
        for path in database.parent.glob("crypto.db*"):
            path.rename(path.with_name("old-" + path.name))
        _fill(settings, now, seed=1)
        assert pipeline.cycle(now) is True
    assert Readers(settings).forecast("bitcoin").origin_ms == now - 20_000


def test_the_loop_waits_while_a_new_database_is_empty(settings: Settings) -> None:
    """The last forecasts stay published until the new database has prices; then only its history counts."""
    now = now_ms()
    _fill(settings, now - HOUR_MS)
    database = open_workspace(settings).database
    with _pipeline(settings) as pipeline:
        pipeline.cycle(now)
        for path in database.parent.glob("crypto.db*"):
            path.rename(path.with_name("old-" + path.name))
        with open_writer(database) as writer:
            writer.update_coins(Coin(coin, coin[:3], coin.title(), rank, now) for rank, coin in enumerate(COINS))
        assert pipeline.cycle(now) is False
        assert set(Readers(settings).forecasts()) == set(COINS)
        _fill(settings, now, seed=1)
        assert pipeline.cycle(now) is True
    assert Readers(settings).forecast("bitcoin").origin_ms == now - 20_000


def test_a_forecast_is_scored_once_its_hour_has_passed(settings: Settings) -> None:
    """When prices of the next hour arrive, all twelve horizons of each coin are in the scores, and only once."""
    now = now_ms()
    start = now - 2 * HOUR_MS
    _fill(settings, start)
    with _pipeline(settings) as pipeline:
        pipeline.cycle(start)
    with open_writer(open_workspace(settings).database) as writer:
        times = range(start + GRID_STEP_MS, now, GRID_STEP_MS)
        writer.store(Price(coin, ts_ms, 100.0) for coin in COINS for ts_ms in times)
    for _ in range(2):
        with _pipeline(settings) as pipeline:
            pipeline.cycle(now)
            pipeline.cycle(now)
    live = Readers(settings).metrics().live
    assert live is not None
    assert live.overall.forecasts == len(COINS) * len(HORIZONS_MIN)
    assert set(live.by_horizon) == set(HORIZONS_MIN)


def test_settings_of_the_model_reach_the_live_engine_and_replace_a_stored_model(settings: Settings) -> None:
    """A stored model goes on with the same settings; with another window or seed the engine learns again."""
    now = now_ms()
    _fill(settings, now)
    with _pipeline(settings) as pipeline:
        pipeline.cycle(now)
        pipeline.session.save_model()
        version = pipeline.session.model_version
    with open_session(settings) as same:
        assert same.model_version == version
    changed = settings.model_copy(update={"train_days": 3})
    with open_session(changed) as session:
        options = session.options
        assert (options.train_days, options.seed, session.model_version) == (3, settings.seed, "0")


def test_another_store_is_read_from_its_beginning_also_if_the_first_try_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until a pull has succeeded, prices of the store before may be those that the grids have."""
    seen: list[bool] = []

    def pull(_prices: object, _now_ms: int, *, again: bool) -> int:
        seen.append(again)
        if len(seen) == 1:
            raise NotReady("busy")
        return 0

    _fill(settings, now_ms(), steps=1)
    with open_session(settings) as session:
        monkeypatch.setattr(session.executor, "pull", pull)
        with pytest.raises(NotReady):
            session.pull(now_ms())
        session.pull(now_ms())
        session.pull(now_ms())
    assert seen == [True, True, False]


def test_the_seed_reaches_the_live_engine(tmp_path: Path) -> None:
    """CRYPTO_SEED seeds the forest of the live engine, as it seeds the backtest's."""
    settings = load_settings(source="demo", seed=7, data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    with open_session(settings) as session:
        assert session.options.seed == 7


@pytest.mark.parametrize(("source", "named"), [("coingecko", True), ("demo", False)])
def test_a_calendar_that_has_ended_is_named_by_status(
    source: str, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With live prices the log warns at the start, and /status names list and file; simulated ones know no calendar."""
    monkeypatch.setattr("model.pipeline.LAST_DAYS", {"employment": date(2001, 5, 4)})
    settings = load_settings(source=source, data_dir=tmp_path / "data", models_dir=tmp_path / "models")
    _fill(settings, now_ms(), steps=1)
    with _pipeline(settings) as pipeline:
        assert any("employment (2001-05-04)" in text for text in caplog.messages) is named
        assert pipeline.cycle(now_ms())
        for language in LANGUAGES:
            text = suite_state(settings, Readers(settings), "1.0", language).pipeline.mensagem
            assert ("employment (2001-05-04)" in text and "us_announcements.toml" in text) is named
