"""An ensemble of small neural networks, trained beforehand, evaluated in plain numpy.

A network adds to the linear model what its inputs say together: volatility behaves alike in every market, so what holds
over many recordings holds in the next. Inputs are clipped at what training saw. A row with an input far outside gets
nothing from the networks: there the linear model speaks alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from etl.arrays import BoolArray, FloatArray, RowArray

__all__ = ["NetworkEnsemble"]

_TOLERANCE: Final = 0.1
"""An input is out of range beyond what training saw by more than a tenth of the range."""

_MIN_SLACK: Final = 0.1
"""The same for inputs that hardly changed in training."""

Layer = tuple[RowArray, RowArray]
"""Weights (inputs, outputs) and biases (outputs,)."""


@dataclass(frozen=True)
class NetworkEnsemble:
    """Multilayer perceptrons with rectified hidden layers; the forecast is `share` times the mean of their outputs.

    Source: Rumelhart, Hinton and Williams (1986), "Learning representations by back-propagating errors"; pooled over
    markets as in Zhang, Zhang, Cucuringu and Qian (2024), "Volatility forecasting with machine learning and intraday
    commonality", arXiv:2202.08962.

    Attributes:
        low, high: bounds of the inputs in training (inputs,).
        centre, spread: what the inputs are standardised with (inputs,).
        networks: layers of each network, from the inputs to the outputs.
        share: factor of their mean.
    """

    low: RowArray
    high: RowArray
    centre: RowArray
    spread: RowArray
    networks: Sequence[Sequence[Layer]]
    share: float

    def in_range(self, x: RowArray) -> BoolArray:
        """Mask (n,) of the rows `x` (n, inputs) that are like those of the training."""
        slack = np.maximum(_TOLERANCE * (self.high - self.low), _MIN_SLACK)
        return np.asarray(((x >= self.low - slack) & (x <= self.high + slack)).all(axis=-1))

    def predict(self, x: RowArray) -> FloatArray:
        """Outputs (n, outputs) for rows `x` (n, inputs); 0 where a row is out of range."""
        inputs = ((np.clip(x, self.low, self.high) - self.centre) / self.spread).astype(np.float32)
        total = np.asarray(sum(_forward(inputs, layers) for layers in self.networks), dtype=np.float64)
        return np.where(self.in_range(x)[:, None], self.share / len(self.networks) * total, 0.0)


def _forward(rows: RowArray, layers: Sequence[Layer]) -> RowArray:
    for weights, biases in layers[:-1]:
        rows = np.maximum(rows @ weights + biases, np.float32(0.0))
    weights, biases = layers[-1]
    return np.asarray(rows @ weights + biases)
