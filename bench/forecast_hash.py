"""`python -m bench forecast_hash FORECASTS.parquet`: one SHA-256 over the numbers of a backtest's forecasts.

Two releases that print the same digest for the same recording and options forecast the same, to the last bit. With
`--data RECORDING` instead of the file, the backtest runs first; what follows goes to `python -m model.backtest`.
Compare on one machine with the same number of BLAS threads (`OPENBLAS_NUM_THREADS`): it sets the order of summation,
which changes the last bit of a few quantiles.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.forecast_schema import QUANTILE_COLUMNS
from core.settings import PROJECT

__all__ = ["forecast_digest", "main"]

_KEY: Final = ("coin", "origin", "horizon_min")
_NUMBERS: Final = ("price_origin", "mean", *QUANTILE_COLUMNS, "p_up")


def forecast_digest(forecasts: pa.Table) -> str:
    """SHA-256 of keys, prices, quantiles and `p_up`.

    Neither the order of the rows nor what names the model (kind, version, time of creation, source) counts.

    Args:
        forecasts: rows with the columns of `core.forecast_schema`; others are ignored.
    """
    rows = forecasts.select([*_KEY, *_NUMBERS]).sort_by([(name, "ascending") for name in _KEY])
    digest = hashlib.sha256("\n".join(rows["coin"].cast(pa.string()).to_pylist()).encode())
    origin_ms = rows["origin"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64())
    for column in (origin_ms, rows["horizon_min"].cast(pa.int64())):
        digest.update(np.asarray(column).astype("<i8").tobytes())
    for name in _NUMBERS:
        digest.update(np.asarray(rows[name]).astype("<f8").tobytes())
    return digest.hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print digest, number of forecasts and where they come from."""
    parser = argparse.ArgumentParser(prog="python -m bench forecast_hash", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path, help="forecasts.parquet of a backtest")
    source.add_argument("--data", nargs=argparse.REMAINDER, metavar="RECORDING", help="then options of the backtest")
    given = parser.parse_args(arguments)
    if given.file:
        _print(given.file, str(given.file))
        return 0
    if not given.data:
        parser.error("--data names a recording")
    recording, *options = given.data
    with tempfile.TemporaryDirectory() as folder:
        words = ["--data", str(Path(recording).resolve()), *options, "--out", folder]
        command = [sys.executable, "-m", "model.backtest", *words]
        done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            _print(Path(folder) / "forecasts.parquet", " ".join(given.data))
    return done.returncode


def _print(file: Path, name: str) -> None:
    forecasts = pq.read_table(file)
    print(f"{forecast_digest(forecasts)}  {len(forecasts)} forecasts  {name}")
