"""Recorded prices for backtests: a Parquet or CSV file, or the data folder of the project itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from core.errors import BadInput
from core.price_store import PriceReader
from etl.arrays import FloatArray, IntArray

__all__ = ["Recording", "read_recording"]

_DATABASE: Final = "crypto.db"
_COLUMNS: Final = ("timestamp", "coin", "price")

Recording = Mapping[str, tuple[IntArray, FloatArray]]
"""Coin → event times (UTC milliseconds, strictly increasing) and prices (finite, positive)."""


def read_recording(path: Path, coins: Collection[str] | None = None) -> Recording:
    """Read the prices of all coins, or of those named.

    Args:
        path: a Parquet or CSV file with the columns timestamp (UTC), coin, price, or a folder that holds crypto.db.
        coins: ids to read; None reads all.

    Raises:
        BadInput: the file cannot be read, a column is missing, or there is no price of the coins asked for.
    """
    if not path.exists():
        raise BadInput(f"{path}: arquivo ou pasta não existe")
    prices = _from_folder(path) if path.is_dir() else _from_frame(_read_frame(path), path)
    if coins is not None:
        unknown = sorted(set(coins) - set(prices))
        if unknown:
            raise BadInput(f"{path}: moedas sem preços: {', '.join(unknown)}")
        prices = {coin: prices[coin] for coin in prices if coin in set(coins)}
    if not prices:
        raise BadInput(f"{path}: nenhum preço")
    return prices


def _from_folder(folder: Path) -> Recording:
    with PriceReader(folder / _DATABASE) as reader:
        rows = {coin.id: reader.range(coin.id) for coin in reader.coins()}
    return {
        coin: (np.array([ts for ts, _ in prices], dtype=np.int64), np.array([price for _, price in prices]))
        for coin, prices in sorted(rows.items())
        if prices
    }


def _read_frame(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".csv":
            return pd.read_csv(path, usecols=list(_COLUMNS))
        return pd.read_parquet(path, columns=list(_COLUMNS))
    except (ValueError, KeyError, OSError) as error:
        raise BadInput(f"{path}: não é um arquivo com as colunas {', '.join(_COLUMNS)} ({error})") from error


def _from_frame(frame: pd.DataFrame, path: Path) -> Recording:
    try:
        moment = pd.to_datetime(frame["timestamp"], utc=True)
        price = pd.to_numeric(frame["price"]).to_numpy(dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise BadInput(f"{path}: {error}") from error
    ts_ms = moment.dt.as_unit("ms").astype("int64").to_numpy()
    coin = frame["coin"].astype(str).to_numpy()
    good = np.isfinite(price) & (price > 0) & moment.notna().to_numpy()
    result = {}
    for name in sorted(set(coin[good])):
        mine = good & (coin == name)
        times, first = np.unique(ts_ms[mine], return_index=True)
        result[str(name)] = (times, price[mine][first])
    return result
