"""The benchmarks run and print the fields that they promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.api import figures
from bench.churn import days_of_changes
from bench.figures import Figure, table
from bench.load import wrk_is_there
from bench.market import Market
from bench.naive_loop import naive_loop_cpu_s
from bench.pipeline_memory import memory_by_hour
from bench.soak import slope_per_hour
from bench.suite_watch import ProcessReading, Reading
from core.price_store import open_reader
from core.settings import PROJECT
from core.times import DAY_MS
from model.forecaster.engine import EngineOptions

CONTRACT = {"cpu_s", "wall_s", "fit_s", "other_s", "pss_mb", "models_mb", "bytes_written"}


def test_cycles_run_without_pandas_and_print_one_json_object() -> None:
    """With few coins and rows, pandas hidden as in the running suite: all promised fields, positive; no naive loop."""
    code = """
import sys
from core.processes.child import hide_modules
hide_modules("pandas")
from bench.cycle import main
main(["--coins", "3", "--rows", "600", "--history-days", "2", "--cycles", "2", "--no-naive", "--json"])
assert "pandas" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    cost = json.loads(done.stdout.splitlines()[-1])
    assert "naive_cpu_s" not in cost
    assert set(cost) >= CONTRACT
    assert all(cost[name] > 0 for name in CONTRACT)
    assert (cost["coins"], cost["rows"], cost["cycles"]) == (3, 600, 2)
    assert cost["fit_s"] < cost["wall_s"]
    assert cost["steps_s"]["scores"] > 0


def test_cycle_takes_a_history_too_sparse_to_learn_from(run_bench: Any) -> None:
    """Prices hours apart give baseline forecasts, and still cycles that can be measured."""
    said = run_bench("cycle", "--coins", "2", "--rows", "100", "--history-days", "30", "--cycles", "1", "--json")
    assert json.loads(said.splitlines()[-1])["wall_s"] > 0


def test_the_memory_of_the_pipeline_is_told_by_the_hour(tmp_path: Path) -> None:
    """A quarter of an hour of cycles has a reading every five minutes, in megabytes."""
    readings = list(memory_by_hour(tmp_path, coins=2, hours=0.25))
    assert [hour for hour, _ in readings] == pytest.approx([0, 1 / 12, 2 / 12, 3 / 12])
    assert all(mb > 10 for _, mb in readings)


def test_weeks_of_changes_are_told_by_the_day() -> None:
    """Two of six coins are replaced each day: after four days, of which an engine keeps one, columns change hands."""
    days = list(days_of_changes(6, 2, 7, EngineOptions(train_days=1, n_trees=2)))
    assert [day.columns for day in days] == [6, 8, 10, 12, 12, 12, 12]
    assert all(day.taught == 6 for day in days)
    assert all(day.state_mb > 0 for day in days)


def test_cycle_compares_itself_with_the_naive_loop(run_bench: Any) -> None:
    """The table names the naive loop and gives a ratio."""
    line = run_bench("cycle", "--coins", "2", "--rows", "300", "--history-days", "1", "--cycles", "1").splitlines()[1]
    assert line.startswith("warm cycle, 2 coins x 300 rows")
    assert "naive loop" in line


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    """`python -m bench WORD…` as a person runs it."""
    command = [sys.executable, "-m", "bench", *words]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_store_prints_one_json_list() -> None:
    """One entry a size and kind of store, each with poll and queries in milliseconds."""
    done = _command("store", "--rows", "5000", "10000", "--json")
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout.splitlines()[-1])
    assert [cost["rows"] for cost in costs if not cost["is_server"]] == [5000, 10000]
    assert all(cost["poll_ms"] > 0 and min(cost["query_ms"].values()) > 0 for cost in costs)


@pytest.mark.slow
def test_the_api_is_compared_with_the_same_bytes() -> None:
    """Each kind of request has its rate, processor time and p99 beside those of the yardstick; no answer is refused."""
    if not wrk_is_there():
        pytest.skip("wrk is not installed")
    size = ("--coins", "4", "--rows", "300", "--hours", "1", "--rounds", "1", "--only", "/historico")
    measured = json.loads(_command("api", *size, "--json").stdout.splitlines()[-1])
    assert list(measured["cases"]) == ["/historico, 1,000 rows", "/historico, 1,000 rows, cold"]
    for loads in (loads for by_connections in measured["cases"].values() for loads in by_connections.values()):
        assert (loads["api"]["refused"], loads["api"]["failed"]) == (0, 0)
        assert min(loads["api"]["per_s"], loads["floor"]["per_s"], loads["api"]["cpu_us"]) > 0
    assert measured["bytes"]["zstd"] < measured["bytes"]["identity"] / 3
    lines = table(figures(measured)).splitlines()
    assert sum("same bytes" in line for line in lines) == 6 * len(measured["cases"])


@pytest.mark.slow
def test_listeners_are_counted_from_publication_to_shutdown(run_bench: Any) -> None:
    """Memory, times to the last listener and the last list, and the end, of a few readers; nobody is cut off."""
    options = ("--listeners", "5", "--coins", "2", "--crowd", "readers", "--json")
    (cost,) = json.loads(run_bench("listeners", *options).splitlines()[-1])
    assert (cost["listeners"], len(cost["delays_s"]), cost["dropped"]) == (5, 5, 0)
    assert min(cost["with_mb"], cost["shutdown_s"], *cost["delays_s"], *cost["list_delays_s"]) > 0


def test_an_unknown_benchmark_is_refused_with_the_names() -> None:
    """The exit code is 2 and the message lists what there is."""
    done = _command("nonsense")
    assert done.returncode == 2
    assert "cycle" in done.stderr


def test_a_stored_market_holds_evenly_spaced_prices_up_to_its_end(tmp_path: Path) -> None:
    """Rows per coin, spacing and end are those asked for; the same seed gives the same prices."""
    end_ms = 1_760_000_000_000
    for folder in ("one", "two"):
        Market.stored(tmp_path / folder / "crypto.db", coins=2, rows=100, days=1, end_ms=end_ms, seed=7)
    with open_reader(tmp_path / "one" / "crypto.db") as one, open_reader(tmp_path / "two" / "crypto.db") as two:
        for coin in one.coins():
            rows = one.range(coin.id)
            assert len(rows) == 100
            assert rows[-1][0] == end_ms
            assert set(np.diff([ts_ms for ts_ms, _ in rows]).tolist()) == {DAY_MS // 100}
            assert rows == two.range(coin.id)


def test_the_naive_loop_is_scaled_to_the_number_of_coins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two coins are fitted; if that took three seconds, ten would take fifteen."""
    monkeypatch.setattr("bench.naive_loop.cpu_s", iter([1.0, 4.0]).__next__)
    assert naive_loop_cpu_s(10, 100, 1) == 15.0


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", 2.0, "s", 3.0), True),
        (Figure("a", 4.0, "s", 3.0), False),
        (Figure("a", 4.0, "s", 0.5, "naive", 10.0), True),
        (Figure("a", 6.0, "s", 0.5, "naive", 10.0), False),
        (Figure("a", 6.0, "s"), None),
    ],
)
def test_a_target_bounds_the_ratio_where_there_is_a_yardstick(figure: Figure, met: bool | None) -> None:
    """Without a yardstick it bounds the value; without a target there is no verdict."""
    assert figure.met is met
    assert ("MISSED" in table([figure])) is (met is False)
    assert json.loads(json.dumps(figure.to_json()))["met"] is met


def test_the_slope_of_a_soak_comes_from_its_later_half() -> None:
    """A start that takes 100 MB and then 6 MB an hour shows as 6 MB an hour."""

    def reading(minute: int) -> Reading:
        memory = 100.0 + 6.0 * minute / 60 if minute >= 30 else 3.0 * minute
        return Reading(60.0 * minute, {"api": ProcessReading(50.0, memory, 9, 4, 1.0, 0, 0)}, 0.0, 0.0)

    readings = [reading(minute) for minute in range(0, 60, 5)]
    assert slope_per_hour(readings, "api", "private_mb") == pytest.approx(6.0)
    assert slope_per_hour(readings, "api", "open_files") == pytest.approx(0.0)
