"""What each forecast lost against its outcome, and the sums of it that are published.

All losses are in simple returns (price / price at the origin − 1), so that coins are comparable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from core.contract import INTERVALS, KIND_FOREST, QUANTILE_COLUMNS, QUANTILES
from core.errors import BadInput
from core.metrics import SCORE_SCHEMA, SCORE_SUMS

__all__ = ["FORECAST_COLUMNS", "NAIVE_COLUMNS", "brier", "losses", "pinball", "score_rows", "winkler"]

NAIVE_COLUMNS: Final = tuple(f"naive_{column}" for column in QUANTILE_COLUMNS)
"""The yardstick's quantiles as prices, beside those of the forecast."""

FORECAST_COLUMNS: Final = (
    "coin",
    "origin",
    "horizon_min",
    "price_origin",
    "mean",
    *QUANTILE_COLUMNS,
    "p_up",
    "kind",
    "price_actual",
)

_NO_CALL: Final = 1e-9
"""A probability of a rise this close to one half calls no direction."""

FloatArray = npt.NDArray[np.float64]


def pinball(quantiles: FloatArray, outcome: FloatArray, levels: Sequence[float] = QUANTILES) -> FloatArray:
    """Pinball loss averaged over the quantiles (n, k) of each of n forecasts; in expectation least at the true ones.

    Twice this mean approximates the continuous ranked probability score.

    Sources: Koenker and Bassett (1978), "Regression quantiles"; Gneiting and Raftery (2007), "Strictly proper scoring
    rules, prediction, and estimation", section 6.
    """
    level = np.asarray(levels)
    error = outcome[:, None] - quantiles
    return np.asarray(np.maximum(level * error, (level - 1) * error).mean(axis=1))


def winkler(low: FloatArray, high: FloatArray, outcome: FloatArray, percent: int) -> FloatArray:
    """Width of the central `percent` % interval plus 2 / (1 − percent / 100) times the distance of a miss.

    Source: Winkler (1972), "A decision-theoretic approach to interval estimation".
    """
    miss = np.maximum(low - outcome, 0.0) + np.maximum(outcome - high, 0.0)
    return np.asarray(high - low + 2 / (1 - percent / 100) * miss)


def brier(p_up: FloatArray, move: FloatArray) -> FloatArray:
    """Squared distance of the probability of a rise from what came: 1 for a rise, 0 for a fall or no move.

    Source: Brier (1950), "Verification of forecasts expressed in terms of probability".
    """
    return np.asarray((p_up - (move > 0)) ** 2)


def losses(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of SCORE_SUMS for each forecast of `frame` whose outcome is known, beside coin, origin and horizon.

    Args:
        frame: FORECAST_COLUMNS and NAIVE_COLUMNS; rows without `price_actual` or without a yardstick are left out.

    Raises:
        BadInput: a column is missing.
    """
    missing = [column for column in (*FORECAST_COLUMNS, *NAIVE_COLUMNS) if column not in frame.columns]
    if missing:
        raise BadInput(f"faltam colunas nas previsões: {', '.join(missing)}")
    known = frame[frame["price_actual"].notna() & frame[NAIVE_COLUMNS[0]].notna()]
    origin = known["price_origin"].to_numpy(dtype=np.float64)
    own = known[list(QUANTILE_COLUMNS)].to_numpy(dtype=np.float64) / origin[:, None] - 1
    naive = known[list(NAIVE_COLUMNS)].to_numpy(dtype=np.float64) / origin[:, None] - 1
    move = known["price_actual"].to_numpy(dtype=np.float64) / origin - 1
    point = known["mean"].to_numpy(dtype=np.float64) / origin - 1
    columns = {
        "n": np.ones(len(known)),
        **_spread_losses(own, naive, move),
        "abs_error": np.abs(point - move),
        "abs_error_naive": np.abs(move),
        **_direction(known["p_up"].to_numpy(dtype=np.float64), move),
        "forest": (known["kind"] == KIND_FOREST).to_numpy(dtype=np.float64),
    }
    return pd.concat(
        [known[["coin", "origin", "horizon_min"]], pd.DataFrame(columns, index=known.index)[list(SCORE_SUMS)]], axis=1
    )


def score_rows(losses_or_forecasts: pd.DataFrame) -> pa.Table:
    """Rows of SCORE_SCHEMA, summed by coin, hour of the origin and horizon.

    Args:
        losses_or_forecasts: what `losses` returned, or what it takes.
    """
    table = losses_or_forecasts
    if not set(SCORE_SUMS) <= set(table.columns):
        table = losses(table)
    hour = table["origin"].dt.floor("h").rename("hour")
    summed = table.groupby(["coin", hour, "horizon_min"], observed=True)[list(SCORE_SUMS)].sum().reset_index()
    return pa.Table.from_pandas(summed[SCORE_SCHEMA.names], preserve_index=False).cast(SCORE_SCHEMA)


def _spread_losses(own: FloatArray, naive: FloatArray, move: FloatArray) -> dict[str, FloatArray]:
    place = {name: number for number, name in enumerate(QUANTILE_COLUMNS)}
    low, high = (place[name] for name in INTERVALS[80])
    inside = {
        f"inside_{percent}": ((own[:, place[first]] <= move) & (move <= own[:, place[last]])).astype(np.float64)
        for percent, (first, last) in INTERVALS.items()
    }
    return inside | {
        "pinball": pinball(own, move),
        "pinball_naive": pinball(naive, move),
        "width_80": own[:, high] - own[:, low],
        "winkler_80": winkler(own[:, low], own[:, high], move, 80),
        "winkler_80_naive": winkler(naive[:, low], naive[:, high], move, 80),
    }


def _direction(p_up: FloatArray, move: FloatArray) -> dict[str, FloatArray]:
    called = np.abs(p_up - 0.5) > _NO_CALL
    moved = called & (move != 0)
    return {
        "brier": brier(p_up, move),
        "moved": moved.astype(np.float64),
        "hits": (moved & ((p_up > 0.5) == (move > 0))).astype(np.float64),
        "rises": (moved & (move > 0)).astype(np.float64),
    }
