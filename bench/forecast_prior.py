"""`python -m bench forecast_prior [FILE …] [--out FILE]`: train model/forecaster/prior.npz from recordings.

Without files, all recordings in the folder named by CRYPTO_TEST_DATA. Every recording weighs the same, so that a crash
of six weeks says as much as five months of calm. Only coefficients, weights and quantiles leave this script, no price.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from bench.prior_rows import RecordingRows, TrainingRows, gather
from core.times import DAY_MS
from etl.arrays import FloatArray, RowArray
from etl.features.columns import BASE_FEATURES, FEATURE_NAMES
from etl.features.minute_columns import MINUTE_SIGNAL
from etl.features.targets import STEP_ROOTS, STEPS
from model.forecaster.networks import NetworkEnsemble
from model.forecaster.prior import SHAPE_LEVELS, SHIPPED_PRIOR, LinearModel, Prior, minute_inputs
from model.forecaster.training_data import SufficientStatistics
from model.forecaster.volatility_models import VolatilityRidge

__all__ = ["compute", "main", "recordings_of", "strangers", "unseen_by"]

_ALPHA: Final = 0.02
_MINUTE_ALPHA: Final = 0.01
_NETWORKS: Final = 3
_HIDDEN: Final = (64, 32)
_DECAY: Final = 1.0
_SHARE: Final = 0.9
_RATES: Final = ((1e-3, 8), (3e-4, 2), (1e-4, 2))
"""Learning rates and epochs, chosen with whole recordings left out (docs/forecasting.md): four times the epochs
overfit, a third underfits; a rate that falls at the end averages the noise of the steps.
"""

_APART_MS: Final = 14 * DAY_MS
_BASE: Final = len(BASE_FEATURES)


def recordings_of(folder: Path) -> list[Path]:
    """All recordings in a folder, in order of their names."""
    return sorted(folder.glob("*.parquet"))


def strangers(judged: Sequence[RecordingRows], others: Sequence[RecordingRows]) -> list[RecordingRows]:
    """The recordings that share no day with any of `judged`, nor come within 14 days of one."""
    return [
        other
        for other in others
        if all(other.start_ms > one.end_ms + _APART_MS or other.end_ms < one.start_ms - _APART_MS for one in judged)
    ]


def unseen_by(judged: Sequence[str], recordings: Sequence[RecordingRows]) -> Prior:
    """The prior for judging some recordings, named by their files: trained on those that are strangers to all."""
    return compute(strangers([one for one in recordings if one.name in judged], recordings))


def compute(recordings: Sequence[RecordingRows]) -> Prior:
    """The prior of some recordings."""
    linear = _linear([TrainingRows.joined([one.whole, one.cold]) for one in recordings])
    networks = _networks(recordings, linear)
    minutes, centre = _minutes([one.minutes for one in recordings if one.minutes is not None], linear, networks)
    shapes = [_shapes(one.whole, linear, networks) for one in recordings]
    shape, baseline_shape = (np.mean([pair[n] for pair in shapes], axis=0) for n in range(2))
    provenance = {
        "made_by": "python -m bench forecast_prior",
        "what": "the log activity and quantiles of scaled absolute moves; see docs/forecasting.md",
        "recordings": [{"name": one.name, "sha256": one.sha256} for one in recordings],
    }
    return Prior(linear, networks, minutes, centre, shape, baseline_shape, provenance)


def _ridge(parts: Sequence[tuple[npt.ArrayLike, FloatArray]], alpha: float) -> LinearModel:
    """A ridge in which every part weighs the same."""
    means = []
    for x, y in parts:
        total = SufficientStatistics.of(x, y)
        means.append(SufficientStatistics(total.xx / total.rows, total.xy / total.rows))
    ridge = VolatilityRidge(alpha=alpha).fit_statistics(sum(means[1:], start=means[0]))
    return LinearModel(ridge.coef_, ridge.intercept_)


def _linear(parts: Sequence[TrainingRows]) -> LinearModel:
    return _ridge([(rows.x[:, :_BASE], rows.activity.astype(np.float64)) for rows in parts], _ALPHA)


def _networks(recordings: Sequence[RecordingRows], linear: LinearModel) -> NetworkEnsemble:
    rows = TrainingRows.joined([part for one in recordings for part in (one.whole, one.cold)])
    x = rows.x[:, :_BASE]
    centre, spread = x.mean(axis=0), np.sqrt(np.maximum(x.var(axis=0), 1e-6))
    residual = (rows.activity - linear.predict(x)).astype(np.float32)
    fitted = [_fit((x - centre) / spread, residual, seed) for seed in range(_NETWORKS)]
    layers = [list(zip(one.coefs_, one.intercepts_, strict=True)) for one in fitted]
    return NetworkEnsemble(x.min(axis=0), x.max(axis=0), centre, spread, layers, _SHARE)


def _fit(inputs: RowArray, residual: RowArray, seed: int) -> MLPRegressor:
    network = MLPRegressor(
        hidden_layer_sizes=_HIDDEN, alpha=_DECAY, batch_size=1024, random_state=seed, warm_start=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are chosen: more of them overfit
        for rate, epochs in _RATES:
            network.set_params(learning_rate_init=rate, max_iter=epochs).fit(inputs, residual)
    return network


def _minutes(
    parts: Sequence[TrainingRows], linear: LinearModel, networks: NetworkEnsemble
) -> tuple[LinearModel, FloatArray]:
    """What prices a minute apart add, and the centre of their columns; nothing without such recordings."""
    if not parts:
        inputs = minute_inputs(np.zeros((1, len(FEATURE_NAMES)), np.float32), np.zeros(1)).shape[1]
        return LinearModel(np.zeros((inputs, STEPS)), np.zeros(STEPS)), np.zeros(1)
    columns = slice(_BASE, FEATURE_NAMES.index(MINUTE_SIGNAL))
    centre = np.mean([rows.x[:, columns].mean(axis=0, dtype=np.float64) for rows in parts], axis=0)
    residuals = []
    for rows in parts:
        base = rows.x[:, :_BASE]
        residual = rows.activity - linear.predict(base) - networks.predict(base)
        residuals.append((minute_inputs(rows.x, centre), residual))
    return _ridge(residuals, _MINUTE_ALPHA), centre


def _shapes(rows: TrainingRows, linear: LinearModel, networks: NetworkEnsemble) -> tuple[FloatArray, FloatArray]:
    base = rows.x[:, :_BASE]
    scaled = np.abs(rows.move) / (rows.vol_fast[:, None] * STEP_ROOTS)
    sizes = scaled / np.exp(linear.predict(base) + networks.predict(base))
    own, baseline = (np.quantile(values, SHAPE_LEVELS, axis=0).T for values in (sizes, scaled))
    return own, baseline


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the prior and write it."""
    parser = argparse.ArgumentParser(prog="python -m bench forecast_prior", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=SHIPPED_PRIOR)
    options = parser.parse_args(arguments)
    files = options.files or recordings_of(Path(os.environ.get("CRYPTO_TEST_DATA", "-")))
    if not files:
        parser.error("no recordings: name files, or set CRYPTO_TEST_DATA")
    begin = time.perf_counter()
    compute([gather(file) for file in files]).save(options.out)
    seconds = time.perf_counter() - begin
    print(f"{options.out}: {options.out.stat().st_size} bytes from {len(files)} recordings in {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
