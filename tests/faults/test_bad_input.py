"""Invalid input is refused with one clear line and an exit code other than 0; nothing is half done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.settings import PROJECT, Settings
from core.times import MINUTE_MS
from tests.support.ports import reserve_port

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

START_MS = 1_700_000_000_000
Tell = Callable[..., None]

OPTIONS = (
    ("--interval", "nan"),
    ("--interval", "1e999"),
    ("--interval", "4.9"),
    ("--interval", "9" * 5000),
    ("--seed", "-1"),
    ("--seed", "9" * 400),
    ("--coins", "../../etc/passwd"),
    ("--coins", "bitcoin;rm -rf"),
    ("--coins", "top:0"),
    ("--currency", "us dollars"),
    ("--api-port", "0"),
    ("--api-port", "8501"),
    ("--api-port", "1e3"),
    ("--host", "0.0.0.0"),  # noqa: S104 - it must be refused without a token
    ("--host", "no such host"),
    ("--source", "bitcoin"),
    ("--replay", "no such file.csv"),
    ("--replay-start", "tomorrow"),
    ("--demo", "--source", "coingecko"),
    ("--unknown",),
)
VARIABLES = (
    ("CRYPTO_RETENTION_DAYS", "1"),
    ("CRYPTO_CALLS_PER_MINUTE", "inf"),
    ("CRYPTO_COINGECKO_KEY", "white space"),
    ("CRYPTO_API_TOKEN", "ção"),
    ("CRYPTO_COINGECKO_PLAN", "demo"),
    ("CRYPTO_LOG_LEVEL", "LOUD"),
)


def run(folder: Path, *words: str, **variables: str) -> tuple[int, str]:
    """Run a command; return its exit code and its output."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("CRYPTO_")}
    environment |= {f"CRYPTO_{name.upper()}": "" for name in Settings.model_fields}
    environment |= {"CRYPTO_DATA_DIR": str(folder / "data"), "CRYPTO_MODELS_DIR": str(folder / "models")}
    done = subprocess.run(
        [sys.executable, *words],
        cwd=PROJECT,
        env={**environment, **variables, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def is_one_clear_line(text: str) -> bool:
    """Whether the text starts with `Erro:`, fits a screen and has no traceback; a pointer to --help may follow."""
    lines = text.splitlines()
    return (
        lines[0].startswith("Erro: ")
        and len(lines) <= 2
        and all(len(line) < 400 for line in lines)
        and "Traceback" not in text
    )


def test_options_and_variables_that_make_no_sense(tmp_path: Path, tell: Tell) -> None:
    """Each of them is refused before any process starts or any file is written."""
    cases: list[tuple[tuple[str, ...], dict[str, str]]] = [(words, {}) for words in OPTIONS]
    cases += [((), {name: value}) for name, value in VARIABLES]
    for words, variables in cases:
        code, text = run(tmp_path, "run_all.py", *words, "--no-browser", **variables)
        assert code not in (0, 1), (words, variables, text)
        assert is_one_clear_line(text), (words, variables, text)
        assert "white space" not in text
        assert "ção'" not in text
    assert list(tmp_path.iterdir()) == []
    tell("options and variables that make no sense", len(cases), len(cases))


def million(change: Callable[[dict[str, list[object]]], object], path: Path) -> Path:
    """Write a recording of a million rows whose last row is invalid."""
    rows = 1_000_000
    columns: dict[str, list[object]] = {
        "timestamp": [START_MS + row * MINUTE_MS for row in range(rows)],
        "coin": ["bitcoin"] * rows,
        "price": np.full(rows, 100.0).tolist(),
    }
    change(columns)
    pq.write_table(pa.table(columns), path)
    return path


def test_invalid_recordings_are_rejected(tmp_path: Path, tell: Tell) -> None:
    """Wrong columns, bytes, numbers and times are refused, even after a million good rows; the file is named."""
    folder = tmp_path / "empty"
    folder.mkdir()
    texts = {
        "nothing.csv": b"",
        "bytes.csv": b"timestamp,coin,price\n2024-01-01,bitcoin,\xff\xfe\n",
        "columns.csv": b"when,what,much\n1,2,3\n",
        "number.csv": b"timestamp,coin,price\n2024-01-01,bitcoin,12,5\n",
        "formula.csv": b"timestamp,coin,price\n2024-01-01,bitcoin,=1+1\n",
        "moment.csv": b"timestamp,coin,price\n99999-01-01,bitcoin,1\n",
        "huge.csv": b"timestamp,coin,price\n" + b"9" * 30 + b",bitcoin,1\n",
        "name.csv": b"timestamp,coin,price\n2024-01-01,../../x,1\n",
        "long.csv": b"timestamp,coin,price\n2024-01-01," + b"x" * 300_000 + b",1\n",
        "zeros.parquet": b"PAR1" + bytes(5000) + b"PAR1",
        "zeros.db": b"SQLite format 3\x00" + bytes(5000),
    }
    paths = [folder]
    for name, content in texts.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    paths += [
        million(lambda columns: columns["price"].__setitem__(-1, float("nan")), tmp_path / "nan.parquet"),
        million(lambda columns: columns["price"].__setitem__(-1, -1.0), tmp_path / "negative.parquet"),
        million(lambda columns: columns["timestamp"].__setitem__(-1, 2**62), tmp_path / "far.parquet"),
        million(lambda columns: columns["coin"].__setitem__(-1, "\x00"), tmp_path / "coin.parquet"),
    ]
    for path in paths:
        code, text = run(tmp_path, "-m", "etl.simulator", "--port", "0", "--replay", str(path))
        assert code not in (0, 1), (path, text)
        assert is_one_clear_line(text), (path, text)
        assert path.name in text
    tell("invalid recordings", len(paths), len(paths))


def test_an_invalid_recording_ends_the_suite(tmp_path: Path, tell: Tell) -> None:
    """A recording that the market server refuses ends the suite; no price and no model is written."""
    path = tmp_path / "bad.csv"
    path.write_text("timestamp,coin,price\n2024-01-01,bitcoin,nan\n")
    api_port, dashboard_port = str(reserve_port()), str(reserve_port())
    words = ("--replay", str(path), "--no-browser", "--api-port", api_port, "--dashboard-port", dashboard_port)
    code, text = run(tmp_path, "run_all.py", *words)
    assert code not in (0, 1)
    assert "Traceback" not in text
    assert "bad.csv: linha 2" in text
    assert not list(tmp_path.rglob("crypto.db"))
    assert not list(tmp_path.rglob("*.joblib"))
    tell("a suite with an invalid recording", 1, 1)
