"""What reading a Parquet file would cost is found out before it is read, whatever the file says of itself."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.errors import DamagedFile
from core.publishing.parquet import check_content, check_footer, table_bytes
from core.publishing.parquet_cost import MOST_PAGE_BYTES, open_within
from core.publishing.thrift_compact import Compact
from tests.support.refusals import refusal

ROWS = 1000


def parquet(table: pa.Table, **options: Any) -> io.BytesIO:
    """A table as the content of a file."""
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file


def honest() -> pa.Table:
    """Columns of each type that recordings and published tables have, with gaps."""
    numbers = np.random.default_rng(1).normal(size=ROWS)
    return pa.table(
        {
            "coin": ["bitcoin", "ethereum", None, "solana"] * (ROWS // 4),
            "origin": pa.array(range(ROWS), pa.timestamp("ms", "UTC")),
            "price": numbers,
            "narrow": pa.array(numbers, pa.float32()),
            "text": [f"2026-01-01T00:00:{number:07.4f}" for number in range(ROWS)],
            "flag": [True, False] * (ROWS // 2),
            "decimal": pa.array(range(ROWS), pa.decimal128(20, 4)),
        }
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "gzip", "row_group_size": 100},
        {"data_page_version": "2.0", "compression": "zstd", "write_page_checksum": True},
        {"use_dictionary": False, "data_page_size": 64, "write_page_index": True},
        {"use_dictionary": False, "column_encoding": {"price": "BYTE_STREAM_SPLIT"}, "compression": "none"},
    ],
)
def test_an_honest_file_is_read_as_ever(options: dict[str, Any]) -> None:
    """Whatever a writer chooses, the rows are those that were written."""
    table = honest()
    opened = open_within(parquet(table, **options), ROWS)
    assert opened.read().cast(table.schema).equals(table)


def test_published_tables_pass() -> None:
    """The check refuses no table of our own, nor one without rows, whose columns have no page of data."""
    check_content(table_bytes(honest()), "own.parquet")
    check_content(table_bytes(honest().slice(0, 0)), "empty.parquet")


def test_a_page_that_decompresses_to_more_than_any_honest_one_is_refused() -> None:
    """Seven kilobytes stand for a page of a hundred megabytes."""
    long = pa.table({"price": ["0" * 1_000_000] * 100})
    file = parquet(long, compression="zstd", use_dictionary=False, data_page_size=2 * MOST_PAGE_BYTES)
    assert file.tell() < 10_000
    with refusal(DamagedFile, "página"):
        open_within(file, 100)


def test_pages_that_decompress_to_far_more_than_the_rows_need_are_refused() -> None:
    """Long texts in each row, each page within its limit."""
    long = pa.table({"price": ["0" * 100_000 + str(number) for number in range(ROWS)]})
    file = parquet(long, compression="zstd", use_dictionary=False, row_group_size=50)
    with refusal(DamagedFile, "descomprimidos"):
        open_within(file, ROWS)


def test_a_text_that_rows_repeat_is_in_memory_once() -> None:
    """A dictionary of one long text does not become as many texts as there are rows."""
    repeated = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, np.int32)), ["x" * 100_000])
    file = parquet(pa.table({"coin": repeated}))
    column = open_within(file, 100_000).read().column("coin")
    assert column.nbytes < 10 * 2**20


@pytest.mark.parametrize(
    "values", [pa.array([[1.0]] * 3), pa.array([{"a": 1}] * 3), pa.array([bytes(64)] * 3, pa.binary(64))]
)
def test_cells_of_more_than_one_plain_value_are_refused(values: pa.Array) -> None:
    """A list, a structure and a long value of fixed length; other columns can still be read."""
    table = pa.table({"price": values, "coin": ["a", "b", "c"]})
    with refusal(DamagedFile, "'price'"):
        open_within(parquet(table), 3)
    assert open_within(parquet(table), 3, ["coin"]).read(["coin"]).num_rows == 3


def test_more_rows_than_allowed_are_refused_before_they_are_read() -> None:
    """A hundred million equal rows are a small file."""
    chunk = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), ["bitcoin"])
    file = parquet(pa.table({"coin": chunk}), row_group_size=10_000_000)
    with refusal(DamagedFile, "1000000"):
        open_within(file, 999_999)


def test_a_column_whose_name_is_no_text_is_refused() -> None:
    """As any other file that is no Parquet."""
    content = parquet(pa.table({"coin": ["bitcoin"]})).getvalue().replace(b"coin", b"coi\xdd")
    with pytest.raises(pa.ArrowInvalid):
        open_within(io.BytesIO(content), 1)


def test_a_footer_of_more_than_the_limit_is_not_parsed() -> None:
    """Its length is known before it is read."""
    with refusal(DamagedFile, "rodapé"):
        open_within(io.BytesIO(b"PAR1" + bytes(100) + struct.pack("<I", 2**31) + b"PAR1"), ROWS)


@pytest.mark.parametrize("seed", range(20))
def test_pages_that_are_not_those_of_the_footer_are_refused(seed: int) -> None:
    """Whatever stands where pages should be, it is refused or read, and nothing else happens."""
    content = bytearray(parquet(honest()).getvalue())
    (footer,) = struct.unpack("<I", content[-8:-4])
    pages = len(content) - 8 - footer
    chance = np.random.default_rng(seed)
    for place in chance.integers(4, pages, 200):
        content[place] = chance.integers(256)
    with suppress(DamagedFile, pa.ArrowException, OSError):
        assert open_within(io.BytesIO(bytes(content)), ROWS).read().num_rows == ROWS


def test_a_footer_that_contradicts_itself_is_refused() -> None:
    """A column said to have no gaps, with counts of gaps: pyarrow ends the process when it is asked for its place."""
    content = parquet(pa.table({"coin": ["bitcoin"]})).getvalue()
    (footer,) = struct.unpack("<I", content[-8:-4])
    for place in range(len(content) - 8 - footer, len(content) - 8):
        if content[place] == 2:
            changed = content[:place] + b"\x00" + content[place + 1 :]
            with suppress(DamagedFile, pa.ArrowException, OSError):
                open_within(io.BytesIO(changed), 1).read()


@pytest.mark.parametrize("number", [1, 2**16 + 1])
def test_columns_that_are_named_twice_are_refused(number: int) -> None:
    """Of two lists of columns readers take the last one, also where its number is that of the first in 16 bits."""
    content = parquet(pa.table({"price": [1.0, 2.0]})).getvalue()
    twice = _with_columns_twice(content, number)
    assert pq.read_table(io.BytesIO(twice)).num_rows == 2
    with pytest.raises(pa.ArrowInvalid, match="broken"):
        open_within(io.BytesIO(twice), ROWS)


@pytest.mark.parametrize("place", [0, 2**31, 2**50, 2**66])
def test_pages_in_a_place_that_has_none_are_refused(tmp_path: Path, place: int) -> None:
    """At the beginning, where a reader would look for them whatever the dictionary says, and outside of the file."""
    path = tmp_path / "table.parquet"
    content = parquet(pa.table({"coin": ["bitcoin"] * 9}), use_dictionary=place == 0).getvalue()
    path.write_bytes(_with_first_page(content, place))
    with refusal(DamagedFile, "'coin'"):
        check_footer(path)


def _with_first_page(content: bytes, place: int) -> bytes:
    """A file whose first column is said to have its first page of data at this place."""
    (length,) = struct.unpack("<I", content[-8:-4])
    begin = len(content) - 8 - length
    footer = Compact(content[begin:-8])
    next(footer.items_of(4))
    next(footer.items_of(1))
    start = end = 0
    for number in (3, 9):
        for field, kind in footer.fields():
            start = begin + footer.place
            if field == 3 == number:
                break
            footer.skip(kind)
            end = begin + footer.place
            if field == number:
                break
    changed = content[:start] + _varint(2 * place) + content[end:-8]
    return changed + struct.pack("<I", len(changed) - begin) + b"PAR1"


def _with_columns_twice(content: bytes, number: int) -> bytes:
    """A file whose only row group has a second list of columns, as a field of this number."""
    (length,) = struct.unpack("<I", content[-8:-4])
    begin = len(content) - 8 - length
    footer = Compact(content[begin:-8])
    columns = b""
    for _ in footer.items_of(4):
        for field, kind in footer.fields():
            place = begin + footer.place
            footer.skip(kind)
            columns = content[place : begin + footer.place] if field == 1 else columns
        end = begin + footer.place - 1
    added = b"\x09" + _varint(2 * number) + columns
    return content[:end] + added + content[end:-8] + struct.pack("<I", length + len(added)) + b"PAR1"


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)
