"""Recordings are read and checked: Parquet, CSV, the project's own exports, crypto.db, and invalid files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.workspace import recording_hash
from etl.local_market.market import CURRENCIES, price_at
from etl.local_market.replay import ReplayMarket
from etl.recordings.recording import Recording, read_recording
from tests.support.refusals import refusal

START_MS = 1_680_300_000_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
EPOCH_MS = 1_790_000_123_456
Write = Callable[..., Path]


def walk(coin: str, minutes: int = 3000, first_ms: int = START_MS) -> list[tuple[int, str, float, float]]:
    """A row a minute: moment, coin, price, volume."""
    steps = np.random.default_rng(len(coin)).normal(0, 1e-3, minutes)
    prices = 100 * len(coin) * np.exp(np.cumsum(steps))
    return [(first_ms + MINUTE_MS * number, coin, float(price), 10.0) for number, price in enumerate(prices)]


@pytest.fixture
def rows() -> list[tuple[int, str, float, float]]:
    """Two coins; the second begins an hour later."""
    return [*walk("bitcoin"), *walk("ethereum", first_ms=START_MS + 60 * MINUTE_MS)]


@pytest.fixture
def parquet(tmp_path: Path) -> Write:
    """Writes rows as Parquet, with moments as timestamps and coins as a dictionary."""

    def write(rows: list[tuple[Any, ...]], name: str = "recording.parquet") -> Path:
        moments, coins, prices, volumes = zip(*rows, strict=True)
        table = pa.table(
            {
                "timestamp": pa.array(moments, pa.timestamp("ms", "UTC")),
                "coin": pa.array(coins).dictionary_encode(),
                "price": pa.array(prices, pa.float64()),
                "volume": pa.array(volumes, pa.float32()),
            }
        )
        pq.write_table(table, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def text(tmp_path: Path) -> Write:
    """Writes a CSV from its lines."""

    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "gravação.csv"
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


def same(one: Recording, other: Recording) -> bool:
    """Whether two recordings hold the same moments and prices of the same coins."""
    return list(one.series) == list(other.series) and all(
        (a.ts_ms == b.ts_ms).all() and (a.price == b.price).all()
        for a, b in zip(one.series.values(), other.series.values(), strict=True)
    )


def test_a_parquet_recording_is_read_whole(parquet: Write, rows: list[Any]) -> None:
    """Coins, first and last moment, file hash; playing starts when both coins have a day of history."""
    path = parquet(rows)
    recording = read_recording(path)
    symbols = [(coin.id, coin.symbol) for coin in ReplayMarket(recording, EPOCH_MS).coins]
    assert symbols == [("bitcoin", "btc"), ("ethereum", "eth")]
    assert recording.start == START_MS
    assert recording.end == rows[-1][0]
    assert recording.play_start == START_MS + 60 * MINUTE_MS + DAY_MS
    assert recording.sha256.startswith(recording_hash(path))


def test_the_order_of_rows_does_not_matter_and_of_duplicates_the_first_stays(parquet: Write, rows: list[Any]) -> None:
    """Shuffled rows give the same recording; a second row of a coin at one time is left out."""
    whole = read_recording(parquet(rows))
    order = np.random.default_rng(1).permutation(len(rows))
    assert same(whole, read_recording(parquet([rows[place] for place in order])))
    again = read_recording(parquet([*rows, (START_MS, "bitcoin", 5.0, 1.0)]))
    assert same(whole, again)
    assert len(again.series["bitcoin"].ts_ms) == 3000


@pytest.mark.parametrize("left_out", ["aave", "cardano", "zcash"])
def test_coins_whose_rows_were_filtered_out_are_not_recorded(tmp_path: Path, rows: list[Any], left_out: str) -> None:
    """A table's dictionary may name coins without rows, as a category that pandas has filtered does."""
    frame = pd.DataFrame([*rows, *walk(left_out)], columns=["timestamp", "coin", "price", "volume"])
    frame["coin"] = frame["coin"].astype("category")
    path = tmp_path / "recording.parquet"
    frame[frame["coin"] != left_out].to_parquet(path)
    assert {coin: len(one.ts_ms) for coin, one in read_recording(path).series.items()} == {
        "bitcoin": 3000,
        "ethereum": 3000,
    }


@pytest.mark.parametrize("moment", ["iso", "iso-z", "seconds", "milliseconds"])
def test_csv_and_parquet_give_the_same_recording(parquet: Write, text: Write, rows: list[Any], moment: str) -> None:
    """Moments may be ISO or UNIX time; numbers are read to the last digit."""
    stamp: Callable[[int], object] = {
        "iso": lambda ms: str(np.datetime64(ms, "ms")),
        "iso-z": lambda ms: f"{np.datetime64(ms, 'ms')}Z",
        "seconds": lambda ms: ms // 1000,
        "milliseconds": lambda ms: ms,
    }[moment]
    lines = [f"{stamp(ms)},{coin},{price!r},{volume}" for ms, coin, price, volume in rows]
    assert same(read_recording(parquet(rows)), read_recording(text("timestamp,coin,price,volume", *lines)))


def test_the_project_s_own_export_can_be_played(text: Write) -> None:
    """Portuguese headers, the id before the symbol, the currency in a column, a mark at the beginning of the file."""
    recording = read_recording(
        text(
            "horario,moeda,id,preco,valor_de_mercado,volume,coletado_em,moeda_cotacao,fonte,atribuicao",
            "2026-01-01T00:00:00+00:00,btc,bitcoin,540000.0,1,7.5,2026-01-01T00:00:01+00:00,brl,demo,x",
            "2026-01-03T00:00:00+00:00,btc,bitcoin,1080000.0,1,8.5,2026-01-03T00:00:01+00:00,brl,demo,x",
            encoding="utf-8-sig",
        )
    )
    market = ReplayMarket(recording, EPOCH_MS)
    assert [coin.id for coin in market.coins] == ["bitcoin"]
    assert price_at(market, "bitcoin", EPOCH_MS) * CURRENCIES["brl"] == pytest.approx(540000.0)
    assert recording.series["bitcoin"].volume.tolist() == [7.5, 8.5]


def test_semicolons_and_comment_lines_are_accepted(text: Write) -> None:
    """Portuguese spreadsheets write such files."""
    recording = read_recording(
        text("# prices", "timestamp;coin;price", "2026-01-01;bitcoin;1.5", "", "2026-01-03;bitcoin;2")
    )
    assert recording.series["bitcoin"].price.tolist() == [1.5, 2.0]
    assert np.isnan(recording.series["bitcoin"].volume).all()


def test_a_price_store_can_be_played(tmp_path: Path, parquet: Write, rows: list[Any]) -> None:
    """A crypto.db gives what a Parquet file of the same prices gives, in its own currency."""
    path = tmp_path / "crypto.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
        connection.execute("INSERT INTO meta VALUES ('currency', 'brl')")
        connection.execute(
            "CREATE TABLE prices (coin_id TEXT, ts_ms INTEGER, price REAL, market_cap REAL, volume REAL, fetched_ms)"
        )
        connection.executemany(
            "INSERT INTO prices VALUES (?, ?, ?, NULL, NULL, 0)", [(coin, ms, price) for ms, coin, price, _ in rows]
        )
    recording = read_recording(path)
    assert same(recording, read_recording(parquet(rows)))
    assert recording.currency == "brl"


def test_volumes_of_rows_are_summed_over_a_day(parquet: Write, rows: list[Any]) -> None:
    """24 hours of rows of ten each, and at the beginning what there is."""
    volume = read_recording(parquet(rows)).series["bitcoin"].volume
    assert volume[0] == 10
    assert volume[-1] == 14_400


HEADER = "timestamp,coin,price"
GOOD = "2026-01-01T00:00:00,bitcoin,1.0"


@pytest.mark.parametrize(
    ("lines", "needles"),
    [
        (["time,coin,price", GOOD], ["falta a coluna", "timestamp", "time"]),
        (["timestamp,price", "2026-01-01,1"], ["falta a coluna", "coin"]),
        ([HEADER, GOOD, "2026-01-01T00:01:00,bitcoin,NaN"], ["linha 3", "price", "nan"]),
        ([HEADER, GOOD, "2026-01-01T00:01:00,bitcoin,-1"], ["linha 3", "price", "-1"]),
        ([HEADER, GOOD, "2026-01-01T00:01:00,bitcoin,0"], ["linha 3", "price", "0.0"]),
        ([HEADER, GOOD, "2026-01-01T00:01:00,bitcoin,inf"], ["linha 3", "price", "inf"]),
        ([HEADER, GOOD, "2026-01-01T00:01:00,bitcoin,"], ["linha 3", "price", "não é um número"]),
        ([HEADER, GOOD, "2026-01-01T00:01:00,bitcoin,12a"], ["linha 3", "price", "12a"]),
        ([HEADER, GOOD, "yesterday,bitcoin,1"], ["linha 3", "timestamp", "yesterday"]),
        ([HEADER, GOOD, "1999-01-01,bitcoin,1"], ["linha 3", "timestamp"]),
        ([HEADER, GOOD, "99999999999999999999,bitcoin,1"], ["linha 3", "timestamp"]),
        ([HEADER, GOOD, "2026-01-01T00:01:00,../etc/passwd,1"], ["linha 3", "coin", "../etc/passwd"]),
        ([HEADER, GOOD, "2026-01-01T00:01:00"], ["linha 3", "faltam colunas"]),
        ([HEADER, GOOD, '2026-01-01T00:01:00,"bitcoin,1'], ["CSV"]),
        ([HEADER], ["nenhuma linha"]),
        ([""], ["vazio"]),
        ([f"{HEADER},moeda_cotacao", f"{GOOD},usd", f"{GOOD},brl"], ["linha 3", "moeda_cotacao", "brl"]),
    ],
)
def test_a_wrong_csv_is_refused_by_file_row_and_column(text: Write, lines: list[str], needles: list[str]) -> None:
    """One Portuguese line names file, row and column."""
    with pytest.raises(BadInput) as caught:
        read_recording(text(*lines))
    message = caught.value.in_words()
    assert "gravação.csv" in message
    assert "\n" not in message
    for needle in needles:
        assert needle in message


def test_a_csv_in_another_encoding_is_refused(text: Write) -> None:
    """Latin-1 is not UTF-8."""
    with refusal(BadInput, match="UTF-8"):
        read_recording(text(HEADER, "2026-01-01,bitcoin,1.0,ação", encoding="latin-1"))


def test_a_wrong_parquet_is_refused_by_row_and_column(parquet: Write, rows: list[Any], tmp_path: Path) -> None:
    """NaN, null, a column that is missing, and a file that ends too soon."""
    with refusal(BadInput, match="linha 3, coluna 'price': nan"):
        read_recording(parquet([*rows[:2], (START_MS, "bitcoin", float("nan"), 1.0)]))
    with refusal(BadInput, match="linha 2, coluna 'coin': vazia"):
        read_recording(parquet([rows[0], (START_MS, None, 1.0, 1.0)]))
    with refusal(BadInput, match="linha 2, coluna 'price'"):
        read_recording(parquet([rows[0], (START_MS, "bitcoin", None, 1.0)]))
    pq.write_table(pa.table({"close": [1.0]}), tmp_path / "other.parquet")
    with refusal(BadInput, match="falta a coluna timestamp"):
        read_recording(tmp_path / "other.parquet")
    whole = parquet(rows)
    (tmp_path / "cut.parquet").write_bytes(whole.read_bytes()[:-200])
    with refusal(BadInput, match=r"cut\.parquet"):
        read_recording(tmp_path / "cut.parquet")


def test_files_that_are_not_recordings_are_rejected(tmp_path: Path) -> None:
    """A folder without crypto.db, a missing file, a database without prices."""
    with refusal(BadInput, match="nowhere"):
        read_recording(tmp_path / "nowhere.csv")
    with refusal(BadInput, match=r"não foi possível ler.*crypto\.db"):
        read_recording(tmp_path)
    with closing(sqlite3.connect(tmp_path / "empty.db")) as connection, connection:
        connection.execute("CREATE TABLE other (x)")
    with refusal(BadInput, match=r"empty\.db"):
        read_recording(tmp_path / "empty.db")


@given(
    content=st.binary(max_size=200),
    magic=st.sampled_from([b"", b"PAR1", b"SQLite format 3\0", b"timestamp,coin,price\n"]),
)
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_read_or_rejected(content: bytes, magic: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any bytes are either a recording or rejected in one line."""
    path = tmp_path_factory.getbasetemp() / "hostile"
    path.write_bytes(magic + content)
    try:
        recording = read_recording(path)
    except BadInput as error:
        assert "hostile" in str(error)  # noqa: PT017 - some bytes are refused, others are a recording
    else:
        assert all((series.price > 0).all() for series in recording.series.values())


@pytest.mark.parametrize(
    "moments",
    [
        pa.array([1_767_225_600, 1_767_398_400]),
        pa.array([1_767_225_600_000, 1_767_398_400_000]),
        pa.array(["2026-01-01", "2026-01-03T00:00:00Z"]),
        pa.array([1_767_225_600_000_000_000, 1_767_398_400_000_000_000], pa.timestamp("ns")),
    ],
)
def test_parquet_times_may_have_any_type(tmp_path: Path, moments: pa.Array) -> None:
    """Seconds, milliseconds, texts and timestamps without a zone all mean UTC."""
    path = tmp_path / "recording.parquet"
    pq.write_table(pa.table({"timestamp": moments, "coin": ["bitcoin"] * 2, "price": [1, 2]}), path)
    series = read_recording(path).series["bitcoin"]
    assert series.ts_ms.tolist() == [1_767_225_600_000, 1_767_398_400_000]
    assert series.price.tolist() == [1.0, 2.0]


def test_only_the_named_coins_are_read_and_a_missing_one_is_named(parquet: Write, rows: list[Any]) -> None:
    """The message lists the coins that were recorded."""
    path = parquet(rows)
    assert list(read_recording(path, ["ethereum"]).series) == ["ethereum"]
    with refusal(BadInput, match=r"recording\.parquet.*'solana'.*bitcoin, ethereum"):
        read_recording(path, ["ethereum", "solana"])


def test_parquet_prices_that_are_not_numbers_are_rejected(tmp_path: Path) -> None:
    """The column is named."""
    path = tmp_path / "recording.parquet"
    pq.write_table(pa.table({"timestamp": ["2026-01-01"], "coin": ["bitcoin"], "price": ["dear"]}), path)
    with refusal(BadInput, match="coluna 'price' não é numérica"):
        read_recording(path)
