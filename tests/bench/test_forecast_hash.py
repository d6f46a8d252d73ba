"""The digest of a backtest's forecasts, and the table of structure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from bench.forecast_hash import forecast_digest
from core.forecast_schema import FORECAST_SCHEMA
from core.settings import PROJECT
from tests.support.workspace import forecast_rows

ORIGIN_MS = 1_760_000_000_000


@pytest.fixture
def forecasts() -> pa.Table:
    """Forecasts of two coins."""
    rows = [row for coin in ("bitcoin", "ethereum") for row in forecast_rows(coin, ORIGIN_MS, 100.0, "demo")]
    return pa.Table.from_pylist(rows, FORECAST_SCHEMA)


def _replaced(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def test_order_and_the_name_of_the_model_do_not_count(forecasts: pa.Table) -> None:
    """Shuffled rows, another kind, version, source and text type give the same digest."""
    other = forecasts.take(np.random.default_rng(0).permutation(len(forecasts)))
    for name in ("kind", "model_version", "source"):
        other = _replaced(other, name, pa.array(["other"] * len(other)))
    other = _replaced(other, "coin", other["coin"].cast(pa.large_string()))
    assert forecast_digest(other) == forecast_digest(forecasts)


@pytest.mark.parametrize("name", ["price_origin", "mean", "q025", "q975", "p_up", "horizon_min", "coin", "origin"])
def test_every_number_counts_to_the_last_bit(forecasts: pa.Table, name: str) -> None:
    """One value that differs in its last bit, or one other key, gives another digest."""
    values = forecasts[name].to_pandas().copy()
    if name == "coin":
        values[0] = "bitcoin-cash"
    elif name == "origin":
        values[0] += pd.Timedelta(milliseconds=1)
    else:
        values[0] = values[0] + 1 if name == "horizon_min" else np.nextafter(values[0], np.inf)
    changed = _replaced(forecasts, name, pa.array(values).cast(forecasts.schema.field(name).type))
    assert pc.sum(pc.not_equal(changed[name], forecasts[name])).as_py() == 1
    assert forecast_digest(changed) != forecast_digest(forecasts)


@pytest.mark.slow
def test_a_file_and_a_fresh_backtest_print_the_same_digest(run_bench: Any, tmp_path: Path) -> None:
    """`--data` runs the backtest with its options, and gives the digest of the file that the backtest writes."""
    times = pd.date_range("2024-03-01", periods=2 * 288, freq="5min", tz="UTC", unit="ms")
    steps = np.random.default_rng(0).normal(0, 0.002, (len(times), 2)).cumsum(axis=0)
    prices = pd.DataFrame(100 * np.exp(steps), index=times.rename("timestamp"), columns=["bitcoin", "ethereum"])
    recording, out = tmp_path / "recording.parquet", tmp_path / "out"
    prices.melt(ignore_index=False, var_name="coin", value_name="price").reset_index().to_parquet(recording)
    words = ("--data", str(recording), "--coins", "bitcoin", "--step-min", "60")
    command = [sys.executable, "-m", "model.backtest", *words, "--out", str(out)]
    subprocess.run(command, cwd=PROJECT, capture_output=True, check=True)
    of_file, of_run = run_bench("forecast_hash", str(out / "forecasts.parquet")), run_bench("forecast_hash", *words)
    assert of_run.split()[:2] == of_file.split()[:2]
    assert of_file.split()[0] == forecast_digest(pq.read_table(out / "forecasts.parquet"))


def test_a_recording_that_cannot_be_read_is_refused(run_bench: Any, tmp_path: Path) -> None:
    """The exit code and the message are those of the backtest."""
    assert "nothing.parquet" in run_bench("forecast_hash", "--data", str(tmp_path / "nothing.parquet"), code=2)


def test_the_table_of_structure_counts_code_and_functions(tmp_path: Path) -> None:
    """Blank lines, comments and docstrings do not count; hidden folders are left out."""
    code = '"""Text."""\n\n# remark\ndef one() -> int:\n    """Text\n    over two lines.\n    """\n    return 1\n'
    for name in ("core", "tests", ".venv"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "module.py").write_text(code, encoding="utf-8")
    command = [sys.executable, str(PROJECT / "bench" / "structure.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, core, tests, totals = done.stdout.splitlines()
    assert core.split() == ["core", "1", "2", "2", "1", "2", "2", "2"]
    assert tests.split()[0] == "tests"
    assert totals.split("  ") == ["product: 2 lines", "bench: 0 lines", "tests: 2 lines"]
