"""The benchmarks run, and say what they promise to say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.figures import Figure, table
from bench.market import Market
from bench.plots import Panel, cost_figure
from bench.soak import slope_per_hour
from bench.suite_watch import ProcessReading, Reading
from bench.yardsticks import bare_fit_cpu_s, naive_loop_cpu_s
from core.price_store import PriceReader
from core.settings import PROJECT
from core.times import DAY_MS

CONTRACT = {"cpu_s", "wall_s", "fit_s", "other_s", "pss_mb", "models_mb", "bytes_written"}


def test_cycle_prints_one_json_object_on_its_last_line(run_bench: Any) -> None:
    """With few coins and rows: all promised fields, positive numbers, a wall time that holds fit and rest."""
    done = run_bench("cycle", "--coins", "3", "--rows", "600", "--history-days", "2", "--cycles", "2", "--json")
    cost = json.loads(done.stdout.splitlines()[-1])
    assert set(cost) >= CONTRACT
    assert all(cost[name] > 0 for name in CONTRACT)
    assert (cost["coins"], cost["rows"], cost["cycles"]) == (3, 600, 2)
    assert cost["fit_s"] < cost["wall_s"]


def test_cycles_run_without_pandas() -> None:
    """Prices, training, forecasts, scores and publication work where pandas is hidden, as in the running suite."""
    code = """
import sys
from core.processes.child import hide_modules
hide_modules("pandas")
from bench.cycle import main
main(["--coins", "3", "--rows", "600", "--history-days", "2", "--cycles", "1", "--json"])
assert "pandas" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["steps_s"]["conferir as previsões"] > 0


def test_cycle_takes_a_history_too_sparse_to_learn_from(run_bench: Any) -> None:
    """Prices hours apart give baseline forecasts, and still cycles that can be measured."""
    done = run_bench("cycle", "--coins", "2", "--rows", "100", "--history-days", "30", "--cycles", "1", "--json")
    assert json.loads(done.stdout.splitlines()[-1])["wall_s"] > 0


def test_yardsticks_print_what_is_asked_for(run_bench: Any) -> None:
    """One JSON object with the costs named by `--only`, and a reason where a peer is not installed."""
    words = ("--coins", "2", "--rows", "300", "--history-days", "1", "--json")
    costs = json.loads(run_bench("yardsticks", "--only", "naive", "--only", "peers", *words).stdout.splitlines()[-1])
    assert set(costs) == {"naive", "peers"}
    assert costs["naive"] > 0
    assert isinstance(costs["peers"], dict) or "CRYPTO_PEERS_PYTHON" in costs["peers"]


def test_floor_prints_every_process(run_bench: Any) -> None:
    """Four processes, each with CPU-seconds and megabytes of its libraries; only the pipeline's are without pandas."""
    floors = json.loads(run_bench("floor", "--repeats", "1", "--json").stdout.splitlines()[-1])
    assert [floor["process"] for floor in floors] == ["collector", "pipeline", "api", "dashboard"]
    assert all(floor["cpu_s"] > 0 and floor["memory_mb"] > 0 for floor in floors)


def test_store_prints_one_json_list(run_bench: Any) -> None:
    """One entry a size, each with poll and queries in milliseconds."""
    done = run_bench("store", "--rows", "5000", "10000", "--json")
    costs = json.loads(done.stdout.splitlines()[-1])
    assert [cost["rows"] for cost in costs] == [5000, 10000]
    assert all(cost["poll_ms"] > 0 and min(cost["query_ms"].values()) > 0 for cost in costs)


def test_an_unknown_benchmark_is_refused_with_the_names(run_bench: Any) -> None:
    """The exit code is 2 and the message lists what there is."""
    assert "cycle" in run_bench("nonsense", code=2).stderr


def test_a_stored_market_holds_evenly_spaced_prices_up_to_its_end(tmp_path: Path) -> None:
    """Rows per coin, spacing and end are those asked for; the same seed gives the same prices."""
    end_ms = 1_760_000_000_000
    for folder in ("one", "two"):
        Market.stored(tmp_path / folder / "crypto.db", coins=2, rows=100, days=1, end_ms=end_ms, seed=7)
    with PriceReader(tmp_path / "one" / "crypto.db") as one, PriceReader(tmp_path / "two" / "crypto.db") as two:
        for coin in one.coins():
            rows = one.range(coin.id)
            assert len(rows) == 100
            assert rows[-1][0] == end_ms
            assert set(np.diff([ts_ms for ts_ms, _ in rows]).tolist()) == {DAY_MS // 100}
            assert rows == two.range(coin.id)


def test_the_yardsticks_really_fit() -> None:
    """More trees cost more; the naive loop of two coins costs something too."""
    assert bare_fit_cpu_s(2_000, 8) > bare_fit_cpu_s(2_000, 1) > 0
    assert naive_loop_cpu_s(2, 200, 1) > 0


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


def test_the_chart_of_the_cost_has_a_point_for_every_value() -> None:
    """Every panel is a curve with its labels in order, drawn from zero."""
    figure = cost_figure([Panel("coins", "x", "abc", [1, 2, 3]), Panel("days", "x", "ab", [0.1, 0.2])])
    assert [list(curve.y) for curve in figure.data] == [[1, 2, 3], [0.1, 0.2]]
    assert [list(curve.x) for curve in figure.data] == [["a", "b", "c"], ["a", "b"]]
    assert figure.layout.yaxis.range[0] == figure.layout.yaxis2.range[0] == 0


def test_the_slope_of_a_soak_comes_from_its_later_half() -> None:
    """A start that takes 100 MB and then 6 MB an hour shows as 6 MB an hour."""

    def reading(minute: int) -> Reading:
        memory = 100.0 + 6.0 * minute / 60 if minute >= 30 else 3.0 * minute
        return Reading(60.0 * minute, {"api": ProcessReading(memory, 9, 4, 1.0, 0, 0)}, 0.0, 0.0)

    readings = [reading(minute) for minute in range(0, 60, 5)]
    assert slope_per_hour(readings, "api", "memory_mb") == pytest.approx(6.0)
    assert slope_per_hour(readings, "api", "open_files") == pytest.approx(0.0)
