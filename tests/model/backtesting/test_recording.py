"""Backtest and replay read every kind of recording alike: the same file gives both the same prices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from api.table_formats import WRITERS, ListFormat, flat_table
from api.table_rows import price_rows
from core.price_store import Coin, Price, open_writer
from core.reading.tables import price_table
from core.settings import Source
from core.times import DAY_MS, MINUTE_MS
from core.workspace import Workspace
from etl.local_market.market import price_at
from etl.local_market.replay import ReplayMarket
from etl.recordings.recording import read_recording
from model import backtest

START_MS: Final = 1_709_251_200_000
COIN: Final = Coin("bitcoin", "btc", "Bitcoin")
TIMES: Final = START_MS + 5 * MINUTE_MS * np.arange(600)
PRICES: Final = 50.0 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.002, len(TIMES))))


def _parquet(path: Path, moments: pa.Array, prices: list[float]) -> Path:
    pq.write_table(pa.table({"timestamp": moments, "coin": [COIN.id] * len(prices), "price": prices}), path)
    return path


def timestamps(folder: Path) -> Path:
    """Parquet with timestamps."""
    return _parquet(folder / "recording.parquet", pa.array(TIMES, pa.timestamp("ms", "UTC")), PRICES.tolist())


def milliseconds(folder: Path) -> Path:
    """Parquet with integers in milliseconds."""
    return _parquet(folder / "recording.parquet", pa.array(TIMES), PRICES.tolist())


def seconds(folder: Path) -> Path:
    """Parquet with integers in seconds."""
    return _parquet(folder / "recording.parquet", pa.array(TIMES // 1000), PRICES.tolist())


def microseconds(folder: Path) -> Path:
    """Parquet with timestamps in microseconds and without a zone."""
    return _parquet(folder / "recording.parquet", pa.array(TIMES * 1000, pa.timestamp("us")), PRICES.tolist())


def duplicates(folder: Path) -> Path:
    """Parquet in which other prices at the same times follow."""
    moments = pa.array(np.concatenate([TIMES, TIMES]), pa.timestamp("ms", "UTC"))
    return _parquet(folder / "recording.parquet", moments, [*PRICES, *(2 * PRICES)])


def csv(folder: Path) -> Path:
    """CSV with UNIX milliseconds."""
    path = folder / "recording.csv"
    pd.DataFrame({"timestamp": TIMES, "coin": COIN.id, "price": PRICES}).to_csv(path, index=False)
    return path


def own_export(folder: Path) -> Path:
    """What the API lets people download."""
    workspace = Workspace(Source.COINGECKO, "usd", folder, folder, epoch_ms=0)
    rows = [(ts_ms, price, None, None, ts_ms) for ts_ms, price in zip(TIMES.tolist(), PRICES.tolist(), strict=True)]
    path = folder / "export.csv"
    table = flat_table(price_rows(COIN, price_table([rows]), workspace), workspace)
    path.write_bytes(WRITERS[ListFormat.CSV](table))
    return path


def data_folder(folder: Path) -> Path:
    """A data folder with a price store."""
    with open_writer(folder / "crypto.db") as writer:
        writer.update_coins([COIN])
        writer.store(Price(COIN.id, ts_ms, price) for ts_ms, price in zip(TIMES.tolist(), PRICES.tolist(), strict=True))
    return folder


def database(folder: Path) -> Path:
    """The price store itself."""
    return data_folder(folder) / "crypto.db"


KINDS: Final = (milliseconds, seconds, microseconds, duplicates, csv, own_export, data_folder, database)


@pytest.mark.parametrize("kind", [timestamps, *KINDS])
def test_replay_and_backtest_see_the_prices_that_were_recorded(kind: Callable[[Path], Path], tmp_path: Path) -> None:
    """Times and prices are those written, to the last digit; of two prices at one time the first stays."""
    recording = read_recording(kind(tmp_path), [COIN.id])
    ts_ms, price = recording.prices[COIN.id]
    assert ts_ms.tolist() == TIMES.tolist()
    assert price.tolist() == PRICES.tolist()
    market = ReplayMarket(recording, epoch_ms=START_MS + DAY_MS)
    assert [price_at(market, COIN.id, int(moment)) for moment in TIMES] == PRICES.tolist()


def _forecasts(data: Path, out: Path) -> pd.DataFrame:
    assert backtest.main(["--data", str(data), "--out", str(out), "--step-min", "240", "--jobs", "1"]) == 0
    return pd.read_parquet(out / "forecasts.parquet")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Forecasts of the recording with timestamps."""
    folder = tmp_path_factory.mktemp("timestamps")
    return _forecasts(timestamps(folder), folder / "out")


@pytest.mark.parametrize("kind", [milliseconds, duplicates, own_export, data_folder])
def test_a_backtest_gives_the_same_forecasts_from_every_kind(
    kind: Callable[[Path], Path], expected: pd.DataFrame, tmp_path: Path
) -> None:
    """The kind of file changes no bit of a forecast."""
    found = _forecasts(kind(tmp_path), tmp_path / "out")
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def _nothing(folder: Path) -> None:
    del folder


def _damaged(folder: Path) -> None:
    (folder / "crypto.db").write_bytes(b"SQLite format 3\0" + bytes(5000))


def _foreign(folder: Path) -> None:
    (folder / "crypto.db").write_bytes(bytes(range(256)))


@pytest.mark.parametrize("fill", [_nothing, _damaged, _foreign])
def test_a_folder_without_a_readable_price_store_is_refused(
    fill: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No crypto.db, a damaged one, another file of that name: exit code 2 and one sentence that names the file."""
    fill(tmp_path)
    assert backtest.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    *_, sentence = capsys.readouterr().err.strip().splitlines()
    assert "crypto.db" in sentence
    assert not (tmp_path / "out").exists()


def test_impossible_prices_are_refused_by_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A backtest refuses a price of zero as a replay does, and says where it stands."""
    path = tmp_path / "prices.csv"
    path.write_text("timestamp,coin,price\n2024-03-01,a,1.0\n2024-03-02,a,0.0\n", encoding="utf-8")
    assert backtest.main(["--data", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "prices.csv: linha 3, coluna 'price'" in capsys.readouterr().err
