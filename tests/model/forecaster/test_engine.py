"""The engine as a whole: nothing looks ahead, nothing breaks on strange prices, noise stays noise."""

from __future__ import annotations

import io
from dataclasses import replace

import joblib
import numpy as np
import numpy.typing as npt
import pytest

from core.forecast_schema import HORIZONS_MIN
from core.times import DAY_MS, GRID_STEP_MS
from etl.features.columns import FEATURE_NAMES
from model.forecaster.engine import EngineOptions, EngineState, ForecastEngine
from model.forecaster.forecasts import Forecasts
from model.forecaster.prior import Prior

START_MS = 1_700_006_400_000
SMALL = EngineOptions(train_days=2, n_trees=8, min_rows=300)

FloatArray = npt.NDArray[np.float64]
Market = dict[str, tuple[npt.NDArray[np.int64], FloatArray]]


def _market(seed: int, hours: int, coins: int = 4, step_ms: int = GRID_STEP_MS) -> Market:
    """Random walks with a log-normal volatility that has a memory of some hours."""
    rng = np.random.default_rng(seed)
    rows = hours * 3_600_000 // step_ms
    ts = START_MS + step_ms * np.arange(rows)
    common = rng.normal(0, 0.02, rows)
    result: Market = {}
    for coin in range(coins):
        level, shock = np.zeros(rows), rng.normal(0, 0.06, rows)
        for row in range(1, rows):
            level[row] = 0.99 * level[row - 1] + common[row] + shock[row]
        r = 0.002 * np.exp(level) * rng.normal(0, 1, rows) * np.sqrt(step_ms / GRID_STEP_MS)
        result[f"coin{coin}"] = (ts, 100.0 * np.exp(np.cumsum(r)))
    return result


def _walk(
    market: Market,
    origins: list[int],
    options: EngineOptions = SMALL,
    refit_h: int = 6,
    engine: ForecastEngine | None = None,
) -> list[Forecasts]:
    """Feed prices as time goes by; forecast at each origin."""
    engine = engine or ForecastEngine(options)
    fed = dict.fromkeys(market, 0)
    made = []
    for origin in origins:
        for coin, (ts, price) in market.items():
            upto = int(np.searchsorted(ts, origin, side="right"))
            engine.grid.observe(coin, ts[fed[coin] : upto], price[fed[coin] : upto])
            fed[coin] = upto
        engine.advance(origin)
        if engine.model.refit_ms is None or origin - engine.model.refit_ms >= refit_h * 3_600_000:
            engine.refit(origin)
        made.append(engine.forecast({coin: int(ts[fed[coin] - 1]) for coin, (ts, _) in market.items() if fed[coin]}))
    return made


def _origins(first_h: int, last_h: int, step_min: int) -> list[int]:
    return list(range(START_MS + first_h * 3_600_000, START_MS + last_h * 3_600_000, step_min * 60_000))


def _assert_sane(forecasts: Forecasts) -> None:
    assert np.isfinite(forecasts.quantiles).all()
    assert (forecasts.quantiles > 0).all()
    assert (np.diff(forecasts.quantiles, axis=2) > 0).all()
    width = np.log(forecasts.quantiles[..., -1] / forecasts.quantiles[..., 0])
    assert (np.diff(width, axis=1) >= -1e-12).all()
    assert ((forecasts.p_up >= 0) & (forecasts.p_up <= 1)).all()
    assert (forecasts.reach >= 0).all()
    assert (np.diff(forecasts.reach, axis=1) >= 0).all()
    assert (np.diff(forecasts.reach, axis=2) >= 0).all()
    move = np.log(forecasts.quantiles / forecasts.price_origin[:, None, None])
    assert (forecasts.reach[..., -1] >= np.maximum(move[..., -1], -move[..., 0])).all()


@pytest.mark.parametrize(("cut_minutes", "prior"), [(0, None), (3, Prior.load())])
def test_prices_after_an_origin_change_nothing_before_it(cut_minutes: int, prior: Prior | None) -> None:
    """With every price after some time changed, all forecasts up to it are the same bits, refits included."""
    market = _market(seed=1, hours=60, step_ms=60_000)
    cut = START_MS + 46 * 3_600_000 + cut_minutes * 60_000
    rng = np.random.default_rng(2)
    changed = {
        coin: (ts, np.where(ts <= cut, price, price * rng.uniform(0.5, 2.0, len(ts))))
        for coin, (ts, price) in market.items()
    }
    origins = [*_origins(14, 46, 97), cut, *_origins(47, 50, 61)]
    walks = (_walk(prices, origins, engine=ForecastEngine(SMALL, prior)) for prices in (market, changed))
    for before, after in zip(*walks, strict=True):
        same = all(
            np.array_equal(getattr(before, name), getattr(after, name), equal_nan=True)
            for name in ("quantiles", "is_model", "reach", "activity_percentile")
        )
        assert same == bool((before.origin_ms <= cut).all())
        _assert_sane(after)


def test_prices_after_an_origin_change_no_activity_before_it() -> None:
    """After three days, when percentiles are known: the same bits up to a cut with every later price changed."""
    market = _market(seed=16, hours=80)
    cut = START_MS + 72 * 3_600_000
    rng = np.random.default_rng(3)
    changed = {
        coin: (ts, np.where(ts <= cut, price, price * rng.uniform(0.5, 2.0, len(ts))))
        for coin, (ts, price) in market.items()
    }
    origins = [*_origins(16, 72, 197), cut, *_origins(74, 80, 61)]
    whole, other = _walk(market, origins), _walk(changed, origins)
    early = len(origins) - len(_origins(74, 80, 61))
    assert np.isfinite(whole[early - 1].activity_percentile).all()
    for before, after in zip(whole[:early], other[:early], strict=True):
        np.testing.assert_array_equal(before.activity_percentile, after.activity_percentile)
    assert not np.array_equal(whole[-1].activity_percentile, other[-1].activity_percentile)


def test_the_same_seed_gives_the_same_forecasts_on_any_number_of_threads() -> None:
    """One thread and two give bit-identical forecasts and corrections by the forest, another seed other corrections."""
    market = _market(seed=3, hours=40)
    origins = _origins(30, 36, 55)
    engines = [ForecastEngine(replace(SMALL, n_jobs=jobs, seed=seed)) for jobs, seed in ((1, 0), (2, 0), (1, 1))]
    first, second, _ = (_walk(market, origins, engine=engine)[-1] for engine in engines)
    assert first.is_model.any()
    np.testing.assert_array_equal(first.quantiles, second.quantiles)
    corrections = [pending.forest for engine in engines if (pending := engine.state().pending)]
    assert np.isfinite(corrections[0]).all()
    np.testing.assert_array_equal(corrections[0], corrections[1])
    assert not np.array_equal(corrections[0], corrections[2])


def test_a_random_walk_gets_no_drift_and_calibrated_intervals() -> None:
    """On simulated walks the centre is the last price, and each interval covers what it promises."""
    market = _market(seed=4, hours=24 * 9, coins=8)
    forecasts = _walk(market, _origins(72, 24 * 9 - 2, 55), EngineOptions(train_days=7, n_trees=8), refit_h=24)
    inside = np.zeros((4, 2))
    for made in forecasts:
        np.testing.assert_array_equal(made.mean, np.repeat(made.price_origin[:, None], 12, axis=1))
        for row, coin in enumerate(made.coins):
            ts, price = market[coin]
            actual = price[np.searchsorted(ts, made.origin_ms[row] + 60_000 * np.array(HORIZONS_MIN), side="right") - 1]
            for level in range(4):
                low, high = made.quantiles[row, :, 3 - level], made.quantiles[row, :, 5 + level]
                inside[level] += ((actual >= low) & (actual <= high)).sum(), len(actual)
    covered = 100 * inside[:, 0] / inside[:, 1]
    assert covered == pytest.approx([50, 80, 90, 95], abs=2.5)
    assert np.mean([made.is_model.mean() for made in forecasts]) > 0.8


def test_minutes_of_data_are_enough_for_the_baseline() -> None:
    """Ten minutes after the first price every coin has a finite baseline forecast; a coin without prices has none."""
    market = _market(seed=5, hours=1, step_ms=60_000)
    engine = ForecastEngine()
    for coin, (ts, price) in market.items():
        engine.grid.observe(coin, ts[:10], price[:10])
    now = START_MS + 9 * 60_000
    engine.advance(now)
    report = engine.refit(now)
    made = engine.forecast({**dict.fromkeys(market, now), "unheard-of": now})
    assert not report.fitted
    assert list(made.coins) == list(market)
    assert not made.is_model.any()
    _assert_sane(made)


def _strange_market(hours: int) -> Market:
    market = _market(seed=6, hours=hours, coins=3)
    ts = market["coin0"][0]
    rng = np.random.default_rng(7)
    jump = market["coin1"][1].copy()
    jump[len(ts) - 10 :] *= 0.8
    frozen = market["coin2"][1].copy()
    frozen[len(ts) - 40 :] = frozen[len(ts) - 40]
    keep = np.ones(len(ts), dtype=bool)
    keep[100:260] = False
    keep[len(ts) - 30 : len(ts) - 5] = False
    return {
        **market,
        "jump": (ts, jump),
        "frozen": (ts, frozen),
        "dead": (ts, np.full(len(ts), 3.0)),
        "stable": (ts, np.round(1.0 + rng.normal(0, 0.00004, len(ts)), 4)),
        "gaps": (ts[keep], market["coin0"][1][keep] * 2),
        "tiny": (ts, market["coin0"][1] * 1e-9),
    }


def test_static_and_erratic_coins_get_sensible_intervals() -> None:
    """A 20 % crash, frozen, dead and stable prices, and gaps give finite positive intervals of sensible width."""
    market = _strange_market(hours=40)
    made = _walk(market, [*_origins(30, 40, 60), START_MS + 40 * 3_600_000 - GRID_STEP_MS])[-1]
    assert set(made.coins) == set(market)
    _assert_sane(made)
    width = dict(zip(made.coins, np.log(made.quantiles[:, -1, -1] / made.quantiles[:, -1, 0]), strict=True))
    ordinary = ("coin0", "coin1", "coin2", "jump", "frozen", "gaps", "tiny")
    assert all(0.002 < width[coin] < 0.9 for coin in ordinary)
    modelled = {
        coin: bool(np.isfinite(said).all()) for coin, said in zip(made.coins, made.model_quantiles, strict=True)
    }
    assert all(modelled[coin] for coin in ordinary)
    assert 1e-5 < width["stable"] < 0.002
    assert 0 < width["dead"] < 0.001
    kinds = dict(zip(made.coins, made.is_model, strict=True))
    assert not kinds["dead"]
    assert not kinds["stable"]


def test_the_baseline_is_published_for_a_coin_on_which_the_model_lost() -> None:
    """One coin's model is made to lose: its baseline is published, and nothing changes for the others."""
    market = _market(seed=10, hours=60)
    engine = ForecastEngine(SMALL)
    for coin, (ts, price) in market.items():
        engine.grid.observe(coin, ts, price)
    end = START_MS + 60 * 3_600_000 - GRID_STEP_MS
    engine.advance(end)
    engine.refit(end)
    coins = np.arange(len(market))
    now = np.full(len(coins), end)
    made = []
    for lost in (np.zeros(len(coins)), np.where(coins == 0, 1e9, 0.0)):
        engine.model.gate.learn(now, coins, lost, np.full(len(coins), 1e6))
        made.append(engine.forecast(dict.fromkeys(market, end)))
    assert made[0].is_model.all()
    assert made[1].is_model.tolist() == [False, True, True, True]
    np.testing.assert_array_equal(made[1].quantiles[0], made[0].baseline_quantiles[0])
    np.testing.assert_array_equal(made[1].reach[0], made[0].baseline_reach[0])
    np.testing.assert_array_equal(made[1].quantiles[1:], made[0].quantiles[1:])


def test_the_activity_of_a_coin_is_judged_by_its_own_hours() -> None:
    """Unknown in the first two days, then low in calm hours and 100 after the greatest burst of all."""
    market = _market(seed=15, hours=100, coins=2)
    ts, price = market["coin0"]
    agitated = np.where(np.arange(len(ts)) >= 98 * 12, 12.0, 1.0)
    market["coin0"] = ts, 100 * np.exp(np.cumsum(agitated * np.diff(np.log(price), prepend=np.log(price[0]))))
    first, calm, burst = _walk(market, [START_MS + hours * 3_600_000 - GRID_STEP_MS for hours in (50, 98, 100)])
    assert np.isnan(first.activity_percentile).all()
    assert 0 <= calm.activity_percentile[0] < 100
    assert burst.activity_percentile[0] == 100
    assert burst.activity_percentile[1] < 100


def test_a_forest_without_evidence_has_no_share() -> None:
    """Just grown, the forest changes no forecast; with a share, as evidence would give it, it changes all of them."""
    market = _market(seed=14, hours=20)
    end = START_MS + 20 * 3_600_000 - GRID_STEP_MS
    made = []
    for use_forest, share in ((False, 0.0), (True, 0.0), (True, 0.5)):
        engine = ForecastEngine(replace(SMALL, use_forest=use_forest))
        _walk(market, [end], engine=engine)
        engine.model.activity.forest_share.share += share
        made.append(engine.forecast(dict.fromkeys(market, end)).model_quantiles)
    assert np.isfinite(made[0]).all()
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[1] != made[2]).any(axis=2).all()


def test_prices_between_grid_points_change_forecasts_of_a_model_with_a_prior() -> None:
    """With the same 5-minute prices but other ones in between, every model's interval differs, no baseline does."""
    market = _market(seed=17, hours=20, step_ms=60_000)
    end = START_MS + 19 * 3_600_000
    calm = {coin: (ts, np.repeat(price[::5], 5)) for coin, (ts, price) in market.items()}
    lively, still = (_walk(prices, [end], engine=ForecastEngine(SMALL, Prior.load()))[0] for prices in (market, calm))
    np.testing.assert_array_equal(lively.baseline_quantiles, still.baseline_quantiles)
    assert (lively.model_quantiles != still.model_quantiles).any(axis=2).all()


def test_partly_known_outcomes_do_not_spoil_the_fit() -> None:
    """Rows before a gap know only their first horizons; models fitted after it forecast every coin."""
    market = _market(seed=13, hours=60)
    ts, price = market["coin0"]
    there = (ts < START_MS + 40 * 3_600_000) | (ts >= START_MS + 42 * 3_600_000)
    market["coin0"] = ts[there], price[there]
    made = _walk(market, _origins(50, 60, 60))[-1]
    assert np.isfinite(made.model_quantiles).all()


def test_training_rows_older_than_the_window_are_forgotten() -> None:
    """With a window of two days the rows of at most three calendar days stay, however long the walk."""
    market = _market(seed=12, hours=120, coins=2)
    engine = ForecastEngine(SMALL)
    for coin, (ts, price) in market.items():
        engine.grid.observe(coin, ts, price)
    days = []
    for hours in (50, 85, 120):
        now = START_MS + hours * 3_600_000 - GRID_STEP_MS
        engine.advance(now)
        days.append(engine.refit(now).days)
    assert days[0] > 1.0
    assert max(days) <= 3.0


@pytest.mark.parametrize(
    ("prior", "step_ms", "stop_h"),
    [(None, GRID_STEP_MS, 40), (Prior.load(), GRID_STEP_MS, 40), (Prior.load(), 60_000, 20)],
)
def test_a_restored_engine_forecasts_like_one_that_never_stopped(
    prior: Prior | None, step_ms: int, stop_h: int
) -> None:
    """Forecasts after a restart, with prices observed again, equal those of an engine that never stopped."""
    market = _market(seed=8, hours=stop_h + 8, step_ms=step_ms)
    middle, end = (START_MS + hours * 3_600_000 for hours in (stop_h, stop_h + 4))
    whole = ForecastEngine(SMALL, prior)
    for coin, (ts, price) in market.items():
        whole.grid.observe(coin, ts[ts <= middle], price[ts <= middle])
    whole.advance(middle)
    whole.refit(middle)
    stored = _through_joblib(whole.state())
    again = ForecastEngine.from_state(stored)
    made = []
    for engine, since in ((whole, middle), (again, -1)):
        for coin, (ts, price) in market.items():
            engine.grid.observe(coin, ts[(ts > since) & (ts <= end)], price[(ts > since) & (ts <= end)])
        engine.advance(end)
        engine.refit(end)
        made.append(engine.forecast(dict.fromkeys(market, end)))
    for name in ("quantiles", "reach", "activity_percentile"):
        np.testing.assert_array_equal(getattr(made[0], name), getattr(made[1], name))


def test_a_clock_that_was_ahead_for_a_moment_costs_nothing_that_was_learned() -> None:
    """Once it is right again, the model forecasts, and learns from each grid point as if it never had been wrong."""
    market = _market(seed=4, hours=44)
    engines = [ForecastEngine(SMALL, Prior.load()) for _ in range(2)]
    reports = []
    for engine, ahead_ms in zip(engines, (0, 30 * DAY_MS), strict=True):
        for hour in (40, 42):
            now = START_MS + hour * 3_600_000
            for coin, (ts, price) in market.items():
                engine.grid.observe(coin, ts[ts <= now], price[ts <= now])
            for clock in (now + ahead_ms, now) if hour == 40 else (now,):
                engine.advance(clock)
                report = engine.refit(clock)
        reports.append(report)
        assert engine.forecast(dict.fromkeys(market, now)).is_model.all()
        assert engine.state().learned_ms == now
    assert reports[1].fitted
    assert reports[1].rows == pytest.approx(reports[0].rows, abs=4 * len(market))


def test_a_start_with_a_clock_that_is_ahead_costs_nothing_that_was_learned() -> None:
    """A restored engine that reads no price, because its clock is months ahead, keeps its rows and stores them."""
    market = _market(seed=4, hours=44)
    now = START_MS + 41 * 3_600_000
    engine = ForecastEngine(SMALL, Prior.load())
    _walk(market, [now], engine=engine)
    rows = engine.model.activity.rows
    ahead = ForecastEngine.from_state(engine.state())
    ahead.advance(now + 90 * DAY_MS)
    assert ahead.refit(now + 90 * DAY_MS).rows == rows > 0
    again = ForecastEngine.from_state(ahead.state())
    assert _walk(market, [now + GRID_STEP_MS], engine=again)[-1].is_model.all()


def test_prices_that_were_lost_since_are_not_learned_twice() -> None:
    """An engine that has learned further than the prices reach now still knows how far."""
    market = _market(seed=5, hours=42)
    engine, now = ForecastEngine(SMALL, Prior.load()), START_MS + 41 * 3_600_000
    rows = []
    for upto in (now, now - 3_600_000, now):
        for coin, (ts, price) in market.items():
            engine.grid.observe(coin, ts[ts <= upto], price[ts <= upto])
        engine.advance(now)
        assert engine.state().learned_ms == now
        rows.append(engine.refit(now).rows)
        engine = ForecastEngine.from_state(engine.state())
    assert len(set(rows)) == 1


def _through_joblib(state: EngineState) -> EngineState:
    buffer = io.BytesIO()
    joblib.dump(state, buffer, compress=3)
    buffer.seek(0)
    restored = joblib.load(buffer)
    assert isinstance(restored, EngineState)
    return restored


def test_feature_rows_are_handed_over_once() -> None:
    """Each usable row comes once, one per coin and grid point, also when the grid grows between two takes."""
    market = _market(seed=9, hours=20)
    engine = ForecastEngine(SMALL)
    for coin, (ts, price) in market.items():
        engine.grid.observe(coin, ts, price)
    end = START_MS + 20 * 3_600_000 - GRID_STEP_MS
    engine.advance(end - 6 * GRID_STEP_MS)
    first = engine.take_rows()["features"]
    engine.advance(end)
    second = engine.take_rows()["features"]
    assert first.column_names[3:] == list(FEATURE_NAMES)
    assert second.num_rows == 6 * len(market)
    keys = [(row["coin"], row["ts"]) for table in (first, second) for row in table.select(["coin", "ts"]).to_pylist()]
    assert len(keys) == len(set(keys))
    assert engine.take_rows()["features"].num_rows == 0


def test_a_back_filled_day_is_enough_with_a_prior() -> None:
    """Prices at uneven times leave few whole rows: enough with a prior, too few without one."""
    rng = np.random.default_rng(3)
    market = {
        coin: (ts + np.rint(rng.normal(0, 25_000, len(ts))).astype(np.int64), price)
        for coin, (ts, price) in _market(3, 25, coins=10).items()
    }
    now = max(int(ts[-1]) for ts, _ in market.values())
    forecasts = {}
    for name, prior in (("prior", Prior.load()), ("nothing", None)):
        engine = ForecastEngine(prior=prior)
        for coin, (ts, price) in market.items():
            engine.grid.observe(coin, ts, price)
        engine.advance(now)
        assert engine.refit(now).fitted is (prior is not None)
        forecasts[name] = engine.forecast({coin: int(ts[-1]) for coin, (ts, _) in market.items()})
    assert forecasts["prior"].is_model.all()
    assert not forecasts["nothing"].is_model.any()


@pytest.mark.parametrize("lives_on", [True, False])
def test_a_gap_longer_than_the_forests_sample_does_not_stop_forecasts(lives_on: bool) -> None:
    """Prices stop for longer than rows are sampled but not for the whole window; then they, and forecasts, return.

    So it is for an engine that refits through the gap, and for one that is restored after it.
    """
    options = EngineOptions(train_days=6, sample_days=1, n_trees=4)
    last, first = START_MS + 40 * 3_600_000, START_MS + 112 * 3_600_000
    market = {
        coin: (ts[(ts <= last) | (ts >= first)], price[(ts <= last) | (ts >= first)])
        for coin, (ts, price) in _market(seed=18, hours=24 * 6).items()
    }
    engine = ForecastEngine(options, Prior.load())
    before = _walk(market, [last], engine=engine)[-1]
    rows = engine.model.activity.rows
    engine = engine if lives_on else ForecastEngine.from_state(engine.state())
    after = _walk(market, [*(_origins(46, 112, 360) if lives_on else []), first + 20 * 3_600_000], engine=engine)[-1]
    assert before.is_model.all()
    assert after.is_model.all()
    assert engine.model.activity.rows > rows


def test_a_coin_that_joins_with_a_restart_is_learned_as_one_that_joins_without() -> None:
    """Its back-filled day, older than what was stored, gives the same training rows and half-hours, each once."""
    market = _market(seed=19, hours=52)
    stop, end = START_MS + 50 * 3_600_000, START_MS + 51 * 3_600_000
    joined = market.pop("coin3")
    living = ForecastEngine(SMALL, Prior.load())
    _walk(market, [stop], engine=living)
    restored = ForecastEngine.from_state(_through_joblib(living.state()))
    living.take_rows()
    found = []
    for engine, since in ((living, stop), (restored, -1)):
        for coin, (ts, price) in {**market, "coin3": joined}.items():
            fed = (ts > (end - DAY_MS if coin == "coin3" else since)) & (ts <= end)
            engine.grid.observe(coin, ts[fed], price[fed])
        engine.advance(end)
        engine.refit(end)
        hours = engine.take_rows()["scaled_hours"]
        keys = sorted(zip(hours["coin"].to_pylist(), hours["origin"].to_pylist(), strict=True))
        pending = engine.state().pending
        assert pending is not None
        found.append((keys, engine.model.activity.rows, pending.usable.tolist()))
        assert np.isfinite(engine.forecast({"coin3": end}).activity_percentile).all()
    assert found[0] == found[1]
    assert len(set(found[0][0])) == len(found[0][0])
    assert [coin for coin, _ in found[0][0]].count("coin3") >= 44
