"""The shape of a stored model: it cannot change without a new STATE_FORMAT."""

from __future__ import annotations

import hashlib

import numpy as np

from core.times import GRID_STEP_MS, HOUR_MS
from model.forecaster.engine import EngineOptions, EngineState, ForecastEngine
from model.forecaster.prior import Prior
from model.loop.registry import STATE_FORMAT

PINNED = {7: "9ba3dbe0cc1d91b23e904e886ff805d0f0bf9b936c10f72ec6a16f292cd81ad3"}
"""STATE_FORMAT → digest of the shape that it stands for."""

OWN_PACKAGES = ("model.", "etl.", "core.")
START_MS = 1_700_000_100_000


def _state() -> EngineState:
    """A state in which every part is present: networks, ridge, forest, shares, drift, pending rows."""
    rng = np.random.default_rng(0)
    engine = ForecastEngine(EngineOptions(train_days=8, n_trees=2), Prior.load())
    ts_ms = START_MS + GRID_STEP_MS * np.arange(8 * 288)
    for coin in ("bitcoin", "ethereum"):
        engine.grid.observe(coin, ts_ms, 100.0 * np.exp(np.cumsum(rng.normal(0, 0.001, len(ts_ms)))))
    now_ms = int(ts_ms[-1]) + HOUR_MS
    engine.advance(now_ms)
    engine.refit(now_ms)
    return engine.state()


def _shape(root: object) -> list[str]:
    """Class and attribute names of every object of our own packages that is reachable from `root`, sorted."""
    found: set[str] = set()
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list | tuple | set | frozenset):
            waiting += value
        elif type(value).__module__.startswith(OWN_PACKAGES):
            attributes = vars(value)
            found.add(f"{type(value).__module__}.{type(value).__qualname__}: {', '.join(sorted(attributes))}")
            waiting += attributes.values()
    return sorted(found)


def test_the_shape_of_a_stored_model_is_the_one_of_its_format() -> None:
    """Classes and attributes in a full engine state are those pinned for STATE_FORMAT."""
    shape = _shape(_state())
    digest = hashlib.sha256("\n".join(shape).encode()).hexdigest()
    lines = "\n".join(shape)
    assert PINNED.get(STATE_FORMAT) == digest, f"raise STATE_FORMAT and pin the new digest {digest} of:\n{lines}"


def test_the_pinned_shape_covers_every_learned_part() -> None:
    """No class of the forecaster that is stored is missing from the state the digest is made of."""
    names = {line.partition(":")[0].rpartition(".")[2] for line in _shape(_state())}
    assert names == {
        "ActivityHistory",
        "ActivityModel",
        "BaselineGate",
        "Calibration",
        "CoinGroups",
        "EngineOptions",
        "EngineState",
        "EvidenceShare",
        "LinearModel",
        "NetworkEnsemble",
        "OnlineModel",
        "PendingRows",
        "PointForecast",
        "Prior",
        "ReachCalibration",
        "RollingForest",
        "SizeHistogram",
        "SufficientStatistics",
        "TrainingStore",
        "VolatilityRidge",
        "_Day",
    }
