"""Live scores count every logged forecast once: through restarts, gaps, repairs, crashes and compaction."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest

from core.accuracy.scores import add_up
from core.accuracy.summary import summarise
from core.errors import EXIT_REFUSED
from core.forecast_schema import (
    ACTIVITY_PERCENTILE,
    FORECAST_SCHEMA,
    HORIZONS_MIN,
    KIND_BASELINE,
    KIND_MODEL,
    QUANTILE_COLUMNS,
    REACH_COLUMNS,
)
from core.price_store import Coin, Price, open_reader, open_writer
from core.processes.lifecycle import hold_lock
from core.publishing.publisher import Publisher
from core.settings import PROJECT, load_settings
from core.times import DAY_MS, GRID_STEP_MS, HOUR_MS, MINUTE_MS
from core.wording import Message
from core.workspace import open_workspace
from model.loop.forecast_log import ForecastLog
from model.score import main
from model.scoring.live_scorer import GIVE_UP_MS, LiveScorer
from model.scoring.naive_benchmark import naive_quantiles
from tests.support.outcomes import plain_outcome

NOON = 20_000 * DAY_MS + 12 * HOUR_MS


class World:
    """A price store, a publisher with its log, and a scorer, as the pipeline has them."""

    def __init__(self, folder: Path, coins: tuple[str, ...] = ("bitcoin",), history_h: int = 24) -> None:
        self.folder, self.coins = folder, coins
        self.writer = open_writer(folder / "crypto.db")
        self.writer.update_coins([Coin(coin, coin[:3], coin, rank) for rank, coin in enumerate(coins)])
        self.reader = open_reader(folder / "crypto.db")
        self.rng = random.Random(7)
        for coin in coins:
            self.prices(coin, NOON - history_h * HOUR_MS, NOON)
        self.restart()

    def close(self) -> None:
        """Close files and release locks."""
        self.reader.close()
        self.writer.close()

    def restart(self) -> None:
        """Start as a new process that reads everything from the disk."""
        self.publisher = Publisher(self.folder / "processed")
        self.forecast_log = ForecastLog(self.publisher, NOON, retention_days=90)
        self.scorer = LiveScorer(self.publisher)

    def prices(self, coin: str, start_ms: int, end_ms: int, step_ms: int = GRID_STEP_MS) -> None:
        """Store prices within [start_ms, end_ms]."""
        moments = range(start_ms, end_ms + 1, step_ms)
        self.writer.store([Price(coin, ts_ms, 100.0 * self.rng.uniform(0.99, 1.01)) for ts_ms in moments])

    def forecast(self, coin: str, origin_ms: int, kind: str = KIND_MODEL) -> None:
        """Log a forecast of the price in force at its origin."""
        known = self.reader.as_of(coin, origin_ms)
        assert known is not None
        numbers = {"price_origin": known[1], "mean": known[1], "p_up": 0.6}
        numbers |= {name: known[1] * (0.98 + 0.005 * k) for k, name in enumerate(QUANTILE_COLUMNS)}
        numbers |= {name: 0.003 * (1 + k) for k, name in enumerate(REACH_COLUMNS)}
        names = {"coin": coin, "kind": kind, "model_version": "1", "source": "demo", "created_at": origin_ms}
        rows = [{**numbers, **names, "origin": origin_ms, "horizon_min": horizon} for horizon in HORIZONS_MIN]
        latest = pa.Table.from_pylist(rows, schema=FORECAST_SCHEMA)
        self.forecast_log.publish(latest, None, origin_ms)

    def scores(self) -> pa.Table:
        """All published score rows, one per cell."""
        tables = self.publisher.read("scores")
        return add_up(pa.concat_tables(tables)) if tables else None

    def counts(self) -> Counter[tuple[str, int, int]]:
        """(coin, hour, horizon) → forecasts scored."""
        table = self.scores()
        rows = [] if table is None else table.to_pylist()
        hour = [round(row["hour"].timestamp() * 1000) for row in rows]
        return Counter(
            {(row["coin"], h, row["horizon_min"]): round(row["n"]) for row, h in zip(rows, hour, strict=True)}
        )

    def expected(self) -> Counter[tuple[str, int, int]]:
        """The same by plain loops over the log and the stored prices."""
        found: Counter[tuple[str, int, int]] = Counter()
        stored = {coin: self.reader.range(coin) for coin in self.coins}
        for row in pa.concat_tables(self.publisher.read("log")).to_pylist():
            origin_ms = round(row["origin"].timestamp() * 1000)
            known = stored[row["coin"]]
            times, values = [ts_ms for ts_ms, _ in known], [price for _, price in known]
            if plain_outcome(times, values, origin_ms + row["horizon_min"] * MINUTE_MS, times[-1]) is not None:
                found[row["coin"], origin_ms - origin_ms % HOUR_MS, row["horizon_min"]] += 1
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One coin with a day of history."""
    made = World(tmp_path)
    yield made
    made.close()


def test_short_horizons_are_scored_as_they_mature(world: World) -> None:
    """Twenty minutes after the origin the first four horizons have their score, the others wait."""
    world.forecast("bitcoin", NOON)
    assert world.scorer.step(world.reader).num_rows == 0
    world.prices("bitcoin", NOON + MINUTE_MS, NOON + 20 * MINUTE_MS, MINUTE_MS)
    rows = world.scorer.step(world.reader)
    assert rows["horizon_min"].to_pylist() == [5, 10, 15, 20]
    assert world.scorer.pending == 8
    assert world.scorer.step(world.reader).num_rows == 0


def test_outcomes_are_asked_for_all_at_once(tmp_path: Path) -> None:
    """Scoring asks a store as often for forecasts of three coins as for those of one, but for their histories."""
    asked = []
    for coins in (("bitcoin",), ("bitcoin", "solana", "tether")):
        world = World(tmp_path / str(len(coins)), coins)
        for coin in coins:
            world.forecast(coin, NOON)
            world.prices(coin, NOON + GRID_STEP_MS, NOON + HOUR_MS)
        prices = Mock(wraps=world.reader)
        assert world.scorer.step(prices).num_rows == 12 * len(coins)
        asked.append(Counter(name for name, _, _ in prices.method_calls))
        assert asked[-1].pop("thinned") == len(coins)
        world.close()
    assert asked[0] == asked[1] == {"as_of_each": 2, "since": 1}


def test_a_score_is_that_of_outcome_and_benchmark(world: World) -> None:
    """The naive loss comes from the quantiles up to the last renewal, the error from the price at the target."""
    world.forecast("bitcoin", NOON)
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + HOUR_MS)
    rows = {row["horizon_min"]: row for row in world.scorer.step(world.reader).to_pylist()}
    known = dict(world.reader.range("bitcoin"))
    history = np.log([price for ts_ms, price in known.items() if ts_ms <= NOON])
    naive = np.exp(naive_quantiles(history)) - 1
    for place, horizon in enumerate(HORIZONS_MIN):
        move = known[NOON + horizon * MINUTE_MS] / known[NOON] - 1
        assert rows[horizon]["abs_error"] == pytest.approx(abs(move))
        width = 10 * (max(naive[place, 2] - move, 0) + max(move - naive[place, 6], 0))
        assert rows[horizon]["winkler_80_naive"] == pytest.approx(naive[place, 6] - naive[place, 2] + width)


def test_a_touched_level_is_seen_between_the_targets(world: World) -> None:
    """One price far up, a minute after the origin, counts as touched at all horizons and as beyond at none."""
    world.forecast("bitcoin", NOON)
    price = dict(world.reader.range("bitcoin"))[NOON]
    world.writer.store([Price("bitcoin", NOON + MINUTE_MS, 1.1 * price)])
    world.writer.store([Price("bitcoin", NOON + MINUTE_MS * k, price) for k in range(2, 61)])
    rows = world.scorer.step(world.reader)
    assert rows["levels"].to_pylist() == [1.0] * 12
    assert rows["touched"].to_pylist() == [0.5] * 12
    assert rows["beyond"].to_pylist() == [0.0] * 12
    assert min(rows["touch_brier"].to_pylist()) > 0


@pytest.mark.parametrize(("kind", "made"), [("forest", 1.0), (KIND_MODEL, 1.0), (KIND_BASELINE, 0.0)])
def test_the_log_of_the_first_release_scores_the_same(world: World, kind: str, made: float) -> None:
    """Rows of kind "forest", as version 0.1.0 logged them, count as forecasts of the model."""
    world.forecast("bitcoin", NOON, kind)
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + HOUR_MS)
    assert world.scorer.step(world.reader)["forest"].to_pylist() == [made] * len(HORIZONS_MIN)


def test_a_log_without_reach_is_scored_and_merged_with_newer_parts(world: World) -> None:
    """Parts that lack the columns of reach and activity give the same scores, alone and merged with parts that do."""
    world.forecast("bitcoin", NOON)
    (part,) = world.publisher.read("log")
    old = part.drop_columns([*REACH_COLUMNS, ACTIVITY_PERCENTILE])
    world.publisher.publish(appended={"log": (NOON + GRID_STEP_MS, NOON + GRID_STEP_MS, _moved(old, GRID_STEP_MS))})
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + 2 * HOUR_MS)
    rows = world.scorer.step(world.reader)
    assert rows["n"].to_pylist() == [2.0] * 12
    assert rows["levels"].to_pylist() == [1.0] * 12
    world.forecast_log.tidy(NOON + 3 * HOUR_MS)
    (merged,) = world.publisher.read("log")
    assert merged.schema.names == FORECAST_SCHEMA.names
    assert world.counts() == world.expected()


def _moved(rows: pa.Table, later_ms: int) -> pa.Table:
    """The rows with later origins."""
    origin = pa.array([ts_ms + later_ms for ts_ms in rows["origin"].cast(pa.int64()).to_pylist()])
    return rows.set_column(
        rows.schema.get_field_index("origin"),
        rows.schema.field("origin"),
        origin.cast(rows.schema.field("origin").type),
    )


def test_a_restart_loses_no_score_and_repeats_none(world: World) -> None:
    """Forecasts open before the restart are scored after it; scored ones are not scored again."""
    world.forecast("bitcoin", NOON)
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + 20 * MINUTE_MS)
    world.scorer.step(world.reader)
    world.forecast("bitcoin", NOON + 20 * MINUTE_MS)
    world.restart()
    assert world.scorer.step(world.reader).num_rows == 0
    world.prices("bitcoin", NOON + 25 * MINUTE_MS, NOON + 2 * HOUR_MS)
    world.restart()
    world.scorer.step(world.reader)
    assert world.counts() == world.expected()
    assert world.scorer.pending == 0


def test_forecasts_into_a_gap_are_scored_once_it_is_repaired(world: World) -> None:
    """With prices that arrive a day late, only the target within the tolerance of the last price is scored before."""
    world.forecast("bitcoin", NOON)
    world.prices("bitcoin", NOON + DAY_MS, NOON + DAY_MS)
    assert world.scorer.step(world.reader)["horizon_min"].to_pylist() == [5]
    world.restart()
    assert world.scorer.pending == 11
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + HOUR_MS)
    assert world.scorer.step(world.reader).num_rows == 11
    assert world.counts() == world.expected()


def test_forecasts_into_a_lasting_gap_are_dropped(world: World) -> None:
    """A forecast without an outcome is dropped after two days of later prices."""
    world.forecast("bitcoin", NOON)
    world.prices("bitcoin", NOON + HOUR_MS + GIVE_UP_MS + 1, NOON + HOUR_MS + GIVE_UP_MS + 1)
    world.scorer.step(world.reader)
    assert world.scorer.pending == 0
    world.restart()
    assert world.scorer.pending == 0
    assert world.counts() == {("bitcoin", NOON, 5): 1}


def test_a_coin_without_history_has_no_score(tmp_path: Path) -> None:
    """Without two hours of moves there is no benchmark; the forecast is dropped and not asked about again."""
    world = World(tmp_path, history_h=1)
    world.forecast("bitcoin", NOON)
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + HOUR_MS)
    assert world.scorer.step(world.reader).num_rows == 0
    assert world.scorer.pending == 0
    world.close()


def test_a_young_coin_is_scored_with_the_history_it_has(tmp_path: Path) -> None:
    """Three hours of history that began after the last renewal are enough for a benchmark."""
    world = World(tmp_path, history_h=0)
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + 4 * HOUR_MS)
    world.forecast("bitcoin", NOON + 3 * HOUR_MS)
    assert world.scorer.step(world.reader).num_rows == 12
    world.close()


def test_many_new_benchmarks_are_spread_over_steps(tmp_path: Path) -> None:
    """With one benchmark a step each step scores one coin more, and in the end each forecast counts once."""
    coins = ("bitcoin", "solana", "tether")
    world = World(tmp_path, coins)
    for coin in coins:
        world.forecast(coin, NOON)
        world.prices(coin, NOON + GRID_STEP_MS, NOON + HOUR_MS)
    world.scorer = LiveScorer(world.publisher, renewals=1)
    assert [world.scorer.step(world.reader).num_rows for _ in range(4)] == [12, 12, 12, 0]
    assert world.scorer.pending == 0
    assert world.counts() == world.expected()
    world.close()


def test_a_full_disk_loses_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When publishing fails, the same forecasts are scored in the next step, once."""
    world.forecast("bitcoin", NOON)
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + HOUR_MS)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("core.publishing.publisher.write_json", refuse)
        with pytest.raises(OSError, match="No space"):
            world.scorer.step(world.reader)
    assert world.scorer.step(world.reader).num_rows == 12
    world.restart()
    world.scorer.step(world.reader)
    assert world.counts() == world.expected()


def test_a_lost_state_never_counts_a_forecast_twice(world: World) -> None:
    """With a damaged state, hours already scored are skipped and later ones are scored."""
    for minutes in (0, 30, 60):
        world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + minutes * MINUTE_MS)
        world.forecast("bitcoin", NOON + minutes * MINUTE_MS)
    world.scorer.step(world.reader)
    before = world.counts()
    state = world.publisher.manifest.entries["score_state"].file
    (world.publisher.folder / state).write_bytes(b"broken")
    for _ in range(2):
        world.restart()
        world.prices("bitcoin", NOON + 65 * MINUTE_MS, NOON + 3 * HOUR_MS)
        world.scorer.step(world.reader)
    after, full = world.counts(), world.expected()
    assert all(after[key] == before[key] for key in before)
    assert all(after[key] <= full[key] for key in after)
    assert all(after[key] == full[key] for key in full if key[1] > NOON)


@pytest.mark.parametrize("seed", range(3))
def test_each_forecast_counts_once_under_random_faults(tmp_path: Path, seed: int) -> None:
    """Random polls, gaps, repairs, restarts, crashes and compaction end with the scores that plain loops expect."""
    rng = random.Random(seed)
    coins = ("bitcoin", "solana", "tether")
    world = World(tmp_path, coins)
    now = NOON
    gaps: list[tuple[str, int, int]] = []
    for _ in range(25):
        now += rng.choice([1, 3, 5, 8, 20]) * MINUTE_MS
        for coin in coins:
            last = world.reader.as_of(coin, 2**62)
            assert last is not None
            if rng.random() < 0.25:
                gaps.append((coin, last[0] + MINUTE_MS, now - MINUTE_MS))
            else:
                world.prices(coin, last[0] + MINUTE_MS, now, rng.choice([1, 2]) * MINUTE_MS)
                newest = world.reader.as_of(coin, 2**62)
                assert newest is not None
                world.forecast(coin, newest[0])
        match rng.randrange(6):
            case 0:
                world.restart()
            case 1:
                world.forecast_log.tidy(now)
            case 2 if gaps:
                world.prices(*gaps.pop(rng.randrange(len(gaps))), MINUTE_MS)
            case _:
                world.scorer.step(world.reader)
    for gap in gaps:
        world.prices(*gap, MINUTE_MS)
    world.scorer.step(world.reader)
    world.restart()
    world.scorer.step(world.reader)
    assert world.counts() == world.expected()
    block = summarise(world.scores())
    assert block is not None
    assert block.overall.forecasts > 100
    world.close()


def _settings(tmp_path: Path) -> dict[str, str]:
    return {"CRYPTO_DATA_DIR": str(tmp_path / "data"), "CRYPTO_MODELS_DIR": str(tmp_path / "models")}


def test_the_single_step_scores_and_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m model.score` prints its scores, and at the second call that nothing is left."""
    for name, value in (_settings(tmp_path) | {"CRYPTO_SOURCE": "demo"}).items():
        monkeypatch.setenv(name, value)
    workspace = open_workspace(load_settings())
    workspace.processed.mkdir(parents=True)
    world = World(workspace.root)
    assert workspace.store == workspace.root / "crypto.db"
    world.forecast("bitcoin", NOON)
    world.prices("bitcoin", NOON + GRID_STEP_MS, NOON + 30 * MINUTE_MS)
    assert main([]) == 0
    first = capsys.readouterr().out
    assert "30 min" in first
    assert "todos         6" in first
    assert "6 previsões ainda aguardam" in first
    assert main([]) == 0
    assert "Nenhuma previsão nova" in capsys.readouterr().out
    lock = hold_lock(workspace.processed / "pipeline.lock", Message("lock.pipeline"))
    assert main([]) == EXIT_REFUSED
    assert "já está em uso" in capsys.readouterr().err
    lock.release()
    world.close()


def test_the_single_step_without_prices_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything was collected the step ends with exit code 2 and one sentence."""
    for name, value in (_settings(tmp_path) | {"CRYPTO_SOURCE": "demo"}).items():
        monkeypatch.setenv(name, value)
    assert PROJECT not in tmp_path.parents
    assert main([]) == EXIT_REFUSED
    assert capsys.readouterr().err == "Erro: ainda não há preços guardados\n"
