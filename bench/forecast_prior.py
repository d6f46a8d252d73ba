"""`python -m bench forecast_prior [FILE …] [--out FILE]`: compute model/forecaster/prior.json from recordings.

Without files, the 5-minute recordings in the folder named by CRYPTO_TEST_DATA. Every recording weighs the same, so
that a crash of six weeks says as much as five months of calm. Only coefficients and quantiles leave this script, no
price.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from core.times import DAY_MS
from etl.arrays import FloatArray, RowArray
from etl.features.feature_grid import FeatureBlock, FeatureGrid
from etl.features.targets import STEP_ROOTS, STEPS, Outcomes, outcomes
from etl.recordings.recording import read_recording
from model.forecaster.prior import SHAPE_LEVELS, SHIPPED_PRIOR, Prior
from model.forecaster.training_data import SufficientStatistics
from model.forecaster.volatility_models import VolatilityRidge

__all__ = ["compute", "main"]

_ALPHA: Final = 0.02


def compute(files: Sequence[Path]) -> Prior:
    """The prior of some recordings (Parquet or CSV, see etl.recordings)."""
    moments = []
    for file in files:
        parts = [SufficientStatistics.of(x, activity) for x, activity, _, _ in _rows(file)]
        total = sum(parts[1:], start=parts[0])
        moments.append(SufficientStatistics(total.xx / total.rows, total.xy / total.rows))
    ridge = VolatilityRidge(alpha=_ALPHA).fit_statistics(sum(moments[1:], start=moments[0]))
    shapes = [_shapes(file, ridge) for file in files]
    shape, baseline_shape = (np.mean([pair[n] for pair in shapes], axis=0) for n in range(2))
    provenance = {
        "made_by": "python -m bench.forecast_prior",
        "what": "coefficients of the log activity, quantiles of scaled absolute moves; see docs/forecasting.md",
        "recordings": [{"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()} for file in files],
    }
    return Prior(ridge.coef_, ridge.intercept_, shape, baseline_shape, provenance)


def _rows(file: Path) -> Iterator[tuple[RowArray, FloatArray, FloatArray, FloatArray]]:
    """Yield, day by day, the usable rows: features, activity, log moves, fast volatility."""
    prices = read_recording(file).prices
    days = max(int(ts[-1] - ts[0]) for ts, _ in prices.values()) // DAY_MS + 3
    grid = FeatureGrid(history_days=days)
    for coin, (ts, price) in prices.items():
        grid.observe(coin, ts, price)
    end = max(int(ts[-1]) for ts, _ in prices.values())
    waiting: FeatureBlock | None = None
    for block in grid.extend(end):
        if waiting is not None:
            what = _outcomes(grid, waiting)
            whole = waiting.usable & np.isfinite(what.activity).all(axis=-1) & np.isfinite(what.move).all(axis=-1)
            yield waiting.x[whole], what.activity[whole], what.move[whole], waiting.vol_fast[whole]
        waiting = block


def _outcomes(grid: FeatureGrid, block: FeatureBlock) -> Outcomes:
    first = int(np.searchsorted(grid.ts_ms, block.ts_ms[0]))
    window = slice(first, first + len(block.ts_ms) + STEPS)
    return outcomes(grid.log_price[window], grid.event_ms[window], block.vol_fast)


def _shapes(file: Path, ridge: VolatilityRidge) -> tuple[FloatArray, FloatArray]:
    sizes, baseline = [], []
    for x, _, move, vol_fast in _rows(file):
        scaled = np.abs(move) / (vol_fast[:, None] * STEP_ROOTS)
        baseline.append(scaled.astype(np.float32))
        if len(x):
            sizes.append((scaled / np.exp(ridge.predict(x))).astype(np.float32))
    own, base = (np.quantile(np.concatenate(p), SHAPE_LEVELS, axis=0).T.astype(np.float64) for p in (sizes, baseline))
    return own, base


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute the prior and write it."""
    parser = argparse.ArgumentParser(prog="python -m bench forecast_prior", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=SHIPPED_PRIOR)
    options = parser.parse_args(arguments)
    files = options.files or sorted(Path(os.environ.get("CRYPTO_TEST_DATA", "-")).glob("spot_5m_*.parquet"))
    if not files:
        parser.error("no recordings: name files, or set CRYPTO_TEST_DATA")
    prior = compute(files)
    prior.save(options.out)
    print(f"{options.out}: {options.out.stat().st_size} bytes from {len(files)} recordings")
    return 0


if __name__ == "__main__":
    sys.exit(main())
