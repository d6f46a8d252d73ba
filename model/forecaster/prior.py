"""The shipped prior: volatility behaves alike in every market, so a model can start from what other months taught."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from etl.arrays import FloatArray, RowArray
from etl.features.columns import BASE_FEATURES, FEATURE_NAMES
from etl.features.minute_columns import MINUTE_SHARE, MINUTE_SIGNAL
from model.forecaster.networks import Layer, NetworkEnsemble

__all__ = ["SHAPE_LEVELS", "SHIPPED_PRIOR", "LinearModel", "Prior", "minute_inputs"]

SHIPPED_PRIOR: Final = Path(__file__).with_name("prior.npz")

SHAPE_LEVELS: Final[tuple[float, ...]] = (
    *(round(0.05 * n, 2) for n in range(1, 18)), 0.88, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.999,
)  # fmt: skip
"""Levels at which the file stores the quantiles of the scaled moves."""

_BASE: Final = len(BASE_FEATURES)
_SHARE: Final = FEATURE_NAMES.index(MINUTE_SHARE)
_SIGNAL: Final = FEATURE_NAMES.index(MINUTE_SIGNAL)
_MINUTES: Final = slice(_BASE, _SIGNAL)


@dataclass(frozen=True)
class LinearModel:
    """Coefficients (inputs, outputs) and intercepts (outputs,)."""

    coef: FloatArray
    intercept: FloatArray

    def predict(self, x: npt.ArrayLike) -> FloatArray:
        """Outputs (n, outputs) for rows `x` (n, inputs)."""
        return np.asarray(np.asarray(x, dtype=np.float64) @ self.coef + self.intercept)


def minute_inputs(x: RowArray, centre: FloatArray) -> FloatArray:
    """Inputs (n, inputs) of the correction by minutes for rows `x` (n, FEATURE_NAMES).

    The more of a minute's variance is noise, the less all of them say: the signal's share multiplies them.

    Args:
        x: rows with prices a minute apart.
        centre: ordinary values of the minute columns.
    """
    signal = x[:, _SIGNAL, None].astype(np.float64)
    return np.concatenate([signal * x[:, :_BASE], signal * (x[:, _MINUTES] - centre), signal], axis=1)


@dataclass(frozen=True)
class Prior:
    """What recordings of other months taught: a linear model, networks on its residual, and one more for minutes.

    Attributes:
        linear: the log activity from BASE_FEATURES.
        networks: what the linear model leaves, from the same columns.
        minutes: what both leave, from `minute_inputs`, for rows with prices a minute apart.
        minute_centre: ordinary values of the minute columns.
        shape: quantiles of |move| / predicted scale (horizons, SHAPE_LEVELS) of the model.
        baseline_shape: the same of the baseline.
        provenance: recordings and code that the numbers come from.
    """

    linear: LinearModel
    networks: NetworkEnsemble
    minutes: LinearModel
    minute_centre: FloatArray
    shape: FloatArray
    baseline_shape: FloatArray
    provenance: dict[str, Any]

    def offset(self, x: RowArray) -> FloatArray:
        """What the networks add (n, STEPS) to a linear model of rows `x` (n, FEATURE_NAMES)."""
        return self.networks.predict(x[:, :_BASE])

    def minute_correction(self, x: RowArray) -> FloatArray:
        """What minutes add (n, STEPS) for rows `x` (n, FEATURE_NAMES); 0 where prices are too sparse."""
        share = x[:, _SHARE, None].astype(np.float64)
        result: FloatArray = np.zeros((len(x), len(self.minutes.intercept)))
        known = np.flatnonzero(share)
        result[known] = share[known] * self.minutes.predict(minute_inputs(x[known], self.minute_centre))
        return result

    @staticmethod
    def digest(path: Path = SHIPPED_PRIOR) -> str:
        """First part of the SHA-256 of a prior's file, "none" without one: which prior a stored model was made with."""
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else "none"

    @classmethod
    def load(cls, path: Path = SHIPPED_PRIOR) -> Prior | None:
        """Read a prior; None when there is no file or it was made for other features.

        The file is a numpy archive without pickled objects: `header` is JSON (features, share, provenance), the other
        arrays are named like the attributes, `network_2_weights_0` being the first layer of the third network.
        """
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            if header["features"] != list(FEATURE_NAMES):
                return None
            arrays = {name: stored[name] for name in stored.files if name != "header"}
        wide = {name: value.astype(np.float64) for name, value in arrays.items()}
        narrow = {name: value.astype(np.float32) for name, value in arrays.items()}
        bounds = {name: narrow[name] for name in ("low", "high", "centre", "spread")}
        return cls(
            linear=LinearModel(wide["linear_coef"], wide["linear_intercept"]),
            networks=NetworkEnsemble(**bounds, networks=_networks(narrow), share=header["share"]),
            minutes=LinearModel(wide["minutes_coef"], wide["minutes_intercept"]),
            minute_centre=wide["minute_centre"],
            shape=wide["shape"],
            baseline_shape=wide["baseline_shape"],
            provenance=header["provenance"],
        )

    def save(self, path: Path) -> None:
        """Write the prior: networks with half-precision numbers, everything else with single precision."""
        header = {"features": list(FEATURE_NAMES), "share": self.networks.share, "provenance": self.provenance}
        arrays = {
            "linear_coef": self.linear.coef,
            "linear_intercept": self.linear.intercept,
            "minutes_coef": self.minutes.coef,
            "minutes_intercept": self.minutes.intercept,
            "minute_centre": self.minute_centre,
            "shape": self.shape,
            "baseline_shape": self.baseline_shape,
            **{name: getattr(self.networks, name) for name in ("low", "high", "centre", "spread")},
        }
        single: dict[str, Any] = {name: np.asarray(value, dtype=np.float32) for name, value in arrays.items()}
        half: dict[str, Any] = {
            f"network_{number}_{what}_{place}": np.asarray(layer[part], dtype=np.float16)
            for number, layers in enumerate(self.networks.networks)
            for place, layer in enumerate(layers)
            for part, what in enumerate(("weights", "biases"))
        }
        np.savez_compressed(path, header=np.array(json.dumps(header, ensure_ascii=False)), **single, **half)


def _networks(arrays: dict[str, RowArray]) -> Sequence[Sequence[Layer]]:
    networks: list[list[Layer]] = []
    while f"network_{len(networks)}_weights_0" in arrays:
        layers: list[Layer] = []
        while (name := f"network_{len(networks)}_weights_{len(layers)}") in arrays:
            layers.append((arrays[name], arrays[name.replace("weights", "biases")]))
        networks.append(layers)
    return networks
