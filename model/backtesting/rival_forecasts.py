"""Forecasts by other methods, read from Parquet files, in the shape that the backtest's report scores."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from core.errors import BadInput
from core.forecast_schema import KIND_BASELINE, QUANTILE_COLUMNS
from core.wording import message
from model.backtesting.loss_frames import FORECAST_KEY

__all__ = ["beside", "read_rival"]

_KEYS: Final = list(FORECAST_KEY)
_NEEDED: Final = [*_KEYS, *QUANTILE_COLUMNS]
_BORROWED: Final = ("price_origin", "mean", "p_up")


def read_rival(path: Path) -> pd.DataFrame:
    """Read a rival's forecasts: coin as text, origin in UTC, horizon_min, quantiles, and what else they bring.

    Raises:
        BadInput: the file cannot be read, a column is missing or of another type, a forecast comes twice.
    """
    if not path.is_file():
        raise BadInput(message("rival.no_file", path=str(path)))
    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise BadInput(message("rival.not_parquet", path=str(path), reason=str(error))) from error
    missing = [column for column in _NEEDED if column not in frame.columns]
    if missing:
        raise BadInput(message("rival.columns_missing", path=str(path), columns=", ".join(missing)))
    if not pd.api.types.is_datetime64_any_dtype(frame["origin"]):
        raise BadInput(message("rival.origin", path=str(path)))
    if not pd.api.types.is_integer_dtype(frame["horizon_min"]):
        raise BadInput(message("rival.horizon", path=str(path)))
    numbers = [*QUANTILE_COLUMNS, *(name for name in _BORROWED if name in frame.columns)]
    _demand_numbers(frame[numbers], path)
    if frame.duplicated(_KEYS).any():
        raise BadInput(message("rival.duplicates", path=str(path)))
    origin = pd.to_datetime(frame["origin"], utc=True).dt.as_unit("ms")
    return frame[[*_KEYS, *numbers]].assign(coin=frame["coin"].astype(str), origin=origin)


def beside(own: pd.DataFrame, rival: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rival's forecasts of what `own` forecast too, with the outcomes of `own`.

    What the rival does not bring of price_origin, mean and p_up is taken from `own`: its quantiles are its own, a mean
    or a direction it never forecast is not.

    Raises:
        BadInput: they have no forecast with a known outcome in common.
    """
    lent = [column for column in _BORROWED if column not in rival.columns]
    mine = own[[*_KEYS, *lent, "price_actual"]]
    theirs = rival[rival["coin"].isin(own["coin"].cat.categories)]
    joint = mine.merge(theirs.assign(coin=theirs["coin"].astype(own["coin"].dtype)), on=_KEYS, validate="one_to_one")
    if joint["price_actual"].isna().all():
        raise BadInput(message("rival.nothing_shared", name=name))
    return joint.assign(kind=KIND_BASELINE)


def _demand_numbers(values: pd.DataFrame, path: Path) -> None:
    other = [name for name in values.columns if not pd.api.types.is_float_dtype(values[name])]
    other = other or [name for name in values.columns if not np.isfinite(values[name].to_numpy(dtype=np.float64)).all()]
    if other:
        raise BadInput(message("rival.not_finite", path=str(path), columns=", ".join(other)))
