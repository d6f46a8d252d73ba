"""Recordings for backtests: only prices that can be true, in order, each moment once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.errors import BadInput
from model.backtesting.recording import read_recording


def write(path: Path, rows: list[tuple[str, str, object]]) -> Path:
    """A CSV file of timestamp, coin, price."""
    pd.DataFrame(rows, columns=["timestamp", "coin", "price"]).to_csv(path, index=False)
    return path


def test_impossible_prices_are_left_out_and_the_rest_is_put_in_order(tmp_path: Path) -> None:
    """Zero, negative, infinite and missing prices go; of two at one moment the first in the file stays."""
    rows: list[tuple[str, str, object]] = [
        ("2024-03-01T00:10:00Z", "a", 3.0),
        ("2024-03-01T00:00:00Z", "a", 1.0),
        ("2024-03-01T00:00:00Z", "a", 9.0),
        *((f"2024-03-01T00:05:0{n}Z", "a", price) for n, price in enumerate((0.0, -1.0, "inf", None))),
    ]
    ts_ms, price = read_recording(write(tmp_path / "prices.csv", rows))["a"]
    assert price.tolist() == [1.0, 3.0]
    assert (ts_ms[1] - ts_ms[0]) == 600_000


@pytest.mark.parametrize(
    ("rows", "coins", "words"),
    [
        ([("2024-03-01", "a", "cheap")], None, "prices.csv"),
        ([("yesterday", "a", 1.0)], None, "prices.csv"),
        ([("2024-03-01", "a", 0.0)], None, "nenhum preço"),
        ([("2024-03-01", "a", 1.0)], ["a", "b"], "moedas sem preços: b"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(
    tmp_path: Path, rows: list[tuple[str, str, object]], coins: list[str] | None, words: str
) -> None:
    """Text for a price or a moment, no price at all, a coin that is not there."""
    with pytest.raises(BadInput, match=words):
        read_recording(write(tmp_path / "prices.csv", rows), coins)
