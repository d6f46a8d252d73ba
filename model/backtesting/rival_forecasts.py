"""Forecasts by other methods, read from Parquet files for the report of a backtest."""

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
_OPTIONAL: Final = ("price_origin", "mean", "p_up")


def read_rival(path: Path) -> pd.DataFrame:
    """Read a rival's forecasts: coin, origin, horizon_min, quantiles, and price_origin, mean and p_up if present.

    Raises:
        BadInput: the file cannot be read, a column is missing or of another type, or a forecast is there twice.
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
    numbers = [*QUANTILE_COLUMNS, *(name for name in _OPTIONAL if name in frame.columns)]
    _demand_numbers(frame[numbers], path)
    if frame.duplicated(_KEYS).any():
        raise BadInput(message("rival.duplicates", path=str(path)))
    origin = pd.to_datetime(frame["origin"], utc=True).dt.as_unit("ms")
    return frame[[*_KEYS, *numbers]].assign(coin=frame["coin"].astype(str), origin=origin)


def beside(own: pd.DataFrame, rival: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rival's forecasts that `own` has too, with the outcomes of `own`.

    The columns price_origin, mean and p_up are taken from `own` where the rival has none, so that it is judged by its
    quantiles alone.

    Args:
        own: our forecasts with `price_actual`.
        rival: what `read_rival` returned.
        name: the rival's name, for the error message.

    Raises:
        BadInput: they have no forecast with a known outcome in common.
    """
    missing = [column for column in _OPTIONAL if column not in rival.columns]
    mine = own[[*_KEYS, *missing, "price_actual"]]
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
