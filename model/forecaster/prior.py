"""The shipped prior: volatility behaves alike in every market, so a model can start from another recording's fit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from etl.arrays import FloatArray
from etl.features.columns import FEATURE_NAMES

__all__ = ["SHAPE_LEVELS", "SHIPPED_PRIOR", "Prior"]

SHIPPED_PRIOR: Final = Path(__file__).with_name("prior.json")

SHAPE_LEVELS: Final[tuple[float, ...]] = (
    *(round(0.05 * n, 2) for n in range(1, 18)), 0.88, 0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 0.999,
)  # fmt: skip
"""Levels at which the file stores the quantiles of the scaled moves."""


@dataclass(frozen=True)
class Prior:
    """Coefficients of the ridge and quantiles of the scaled moves, from recordings of other months.

    Attributes:
        coef: ridge coefficients (features, horizons).
        intercept: ridge intercepts (horizons,).
        shape: quantiles of |move| / predicted scale (horizons, SHAPE_LEVELS) of the model.
        baseline_shape: the same of the baseline.
        provenance: recordings and code that the numbers come from.
    """

    coef: FloatArray
    intercept: FloatArray
    shape: FloatArray
    baseline_shape: FloatArray
    provenance: dict[str, Any]

    @classmethod
    def load(cls, path: Path = SHIPPED_PRIOR) -> Prior | None:
        """Read a prior; None when there is no file or it was made for other features."""
        if not path.exists():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["features"] != list(FEATURE_NAMES):
            return None
        arrays = {
            name: np.array(content[name], dtype=np.float64) for name in ("coef", "intercept", "shape", "baseline_shape")
        }
        return cls(**arrays, provenance=content["provenance"])

    def save(self, path: Path) -> None:
        """Write the prior as JSON, five significant digits, one feature per line."""
        parts = {
            "provenance": json.dumps(self.provenance, ensure_ascii=False),
            "features": json.dumps(list(FEATURE_NAMES)),
            **{
                name: "[" + ",\n".join(json.dumps(_short(row)) for row in getattr(self, name)) + "]"
                for name in ("coef", "shape", "baseline_shape")
            },
            "intercept": json.dumps(_short(self.intercept)),
        }
        path.write_text("{\n" + ",\n".join(f'"{k}": {v}' for k, v in parts.items()) + "\n}\n", encoding="utf-8")


def _short(row: npt.ArrayLike) -> list[float]:
    return [float(f"{value:.5g}") for value in np.asarray(row)]
