"""Losses of the forecasts of a frame, and their sums as published score rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from core.accuracy.scores import SCORE_SCHEMA, SCORE_SUMS
from core.errors import BadInput
from core.forecast_schema import KIND_MODEL, QUANTILE_COLUMNS, REACH_COLUMNS, current_kind
from core.wording import message
from etl.arrays import FloatArray
from model.scoring.losses import NAIVE_COLUMNS, loss_terms

__all__ = ["FORECAST_COLUMNS", "FORECAST_KEY", "losses", "score_rows"]

FORECAST_KEY: Final = ("coin", "origin", "horizon_min")
"""The columns that identify a forecast."""

FORECAST_COLUMNS: Final = (
    *FORECAST_KEY,
    "price_origin",
    "mean",
    *QUANTILE_COLUMNS,
    "p_up",
    "kind",
    "price_actual",
)


def losses(frame: pd.DataFrame) -> pd.DataFrame:
    """Losses of each forecast whose outcome is known: FORECAST_KEY and the columns of SCORE_SUMS.

    Args:
        frame: FORECAST_COLUMNS and NAIVE_COLUMNS; rows without `price_actual` or without a benchmark are left out.
            With REACH_COLUMNS, `price_high` and `price_low` the probabilities for levels are judged too.

    Raises:
        BadInput: a column is missing.
    """
    missing = [column for column in (*FORECAST_COLUMNS, *NAIVE_COLUMNS) if column not in frame.columns]
    if missing:
        raise BadInput(message("backtest.columns_missing", columns=", ".join(missing)))
    known = frame[frame["price_actual"].notna() & frame[NAIVE_COLUMNS[0]].notna()]
    columns = loss_terms(
        price_origin=known["price_origin"].to_numpy(dtype=np.float64),
        quantiles=known[list(QUANTILE_COLUMNS)].to_numpy(dtype=np.float64),
        naive=known[list(NAIVE_COLUMNS)].to_numpy(dtype=np.float64),
        mean=known["mean"].to_numpy(dtype=np.float64),
        p_up=known["p_up"].to_numpy(dtype=np.float64),
        reach=_optional(known, REACH_COLUMNS),
        is_model=(known["kind"].astype(str).map(current_kind) == KIND_MODEL).to_numpy(dtype=np.bool_),
        actual=known["price_actual"].to_numpy(dtype=np.float64),
        high=_optional(known, ["price_high"])[:, 0],
        low=_optional(known, ["price_low"])[:, 0],
    )
    return pd.concat([known[list(FORECAST_KEY)], pd.DataFrame(columns, index=known.index)], axis=1)


def _optional(frame: pd.DataFrame, columns: Sequence[str]) -> FloatArray:
    """Columns as an array (n, k); NaN where the frame has none, as the forecasts of other methods."""
    return np.asarray(frame.reindex(columns=list(columns)).to_numpy(dtype=np.float64))


def score_rows(losses_or_forecasts: pd.DataFrame) -> pa.Table:
    """Rows of SCORE_SCHEMA, summed by coin, hour of the origin and horizon.

    Args:
        losses_or_forecasts: what `losses` returned, or what `losses` takes.
    """
    table = losses_or_forecasts
    if not set(SCORE_SUMS) <= set(table.columns):
        table = losses(table)
    hour = table["origin"].dt.floor("h").rename("hour")
    summed = table.groupby(["coin", hour, "horizon_min"], observed=True)[list(SCORE_SUMS)].sum().reset_index()
    return pa.Table.from_pandas(summed[SCORE_SCHEMA.names], preserve_index=False).cast(SCORE_SCHEMA)
