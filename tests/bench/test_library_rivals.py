"""The script of the library rivals: what models are shown, what is written, what it says without libraries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench import fracast_rival, library_rivals
from core.forecast_schema import HORIZONS_MIN, QUANTILE_COLUMNS

START = pd.Timestamp("2024-03-01T00:00:00Z")


def _prices(days: int = 3) -> pd.DataFrame:
    times = pd.date_range(START, periods=days * 288, freq="5min", unit="ms")
    steps = np.random.default_rng(0).normal(0, 0.002, (len(times), 2)).cumsum(axis=0)
    return pd.DataFrame(100 * np.exp(steps), index=times, columns=["one", "two"])


def _own(prices: pd.DataFrame, origins: pd.DatetimeIndex) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([prices.columns, origins, HORIZONS_MIN], names=["coin", "origin", "horizon_min"])
    own = index.to_frame(index=False)
    return own.assign(
        price_origin=[prices.loc[origin, coin] for coin, origin in zip(own.coin, own.origin, strict=True)]
    )


def test_a_walk_shows_a_model_its_window_and_turns_moves_into_prices() -> None:
    """Blocks of one refit each; the window ends at the block's first origin; no move is the price at the origin."""
    shown: list[tuple[int, int, list[int]]] = []

    def standing(log_price: Any, first: int, last: int, marks: Any) -> Any:
        shown.append((first, last, marks.tolist()))
        return np.zeros((len(log_price), len(marks), 12, 9))

    prices = _prices()
    own = _own(prices, pd.date_range(START + pd.Timedelta(days=2), periods=3, freq="6h", unit="ms"))
    made = library_rivals.walk(standing, prices, own, days=1, refit=720)
    assert shown == [(288, 576, [576, 648]), (432, 720, [720])]
    assert len(made) == len(own) == 2 * 3 * 12
    for name in (*QUANTILE_COLUMNS, "mean"):
        np.testing.assert_allclose(made[name], made["price_origin"])


def test_prices_count_from_their_moment_on(tmp_path: Path) -> None:
    """A price between two marks is known at the later one, and stays until the next."""
    times = START + pd.to_timedelta([0, 7, 21], unit="min")
    pd.DataFrame({"timestamp": times, "coin": "one", "price": [1.0, 2.0, 3.0]}).to_parquet(tmp_path / "data.parquet")
    found = library_rivals._prices(tmp_path / "data.parquet", ["one"])["one"]
    assert found.tolist() == [1.0, 1.0, 2.0, 2.0, 2.0, 3.0]
    assert found.index[0] == START


def test_without_the_libraries_it_says_so_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rival is skipped by name, and the exit code is 1."""
    prices = _prices()
    prices.melt(ignore_index=False, var_name="coin", value_name="price").rename_axis(
        "timestamp"
    ).reset_index().to_parquet(tmp_path / "data.parquet")
    _own(prices, pd.DatetimeIndex(prices.index[600:601])).to_parquet(tmp_path / "own.parquet")
    fracast_rival._model.cache_clear()
    for name in ("statsforecast.models", "lightgbm", "fracast"):
        monkeypatch.setitem(sys.modules, name, None)
    given = ["--data", "data.parquet", "--origins", "own.parquet", "--out", "made"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["library_rivals.py", *given])
    assert library_rivals.main() == 1
    said = capsys.readouterr().out
    for name in ("statsforecast", "lightgbm", "fracast", "fracast_scale"):
        assert f"{name}: skipped" in said
    assert list((tmp_path / "made").iterdir()) == []
