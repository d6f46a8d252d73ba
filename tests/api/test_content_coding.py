"""Choice of a content coding, and what it gives."""

from __future__ import annotations

import zlib

import pyarrow as pa
import pytest

from api.content_coding import choose_coding, compress

BODY = b'{"preco": 67187.33}' * 5000


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("", "identity"),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("GZIP;q=0.5", "gzip"),
        ("zstd;q=0.1, gzip;q=0.9", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *", "gzip"),
        ("gzip;q=0, zstd;q=0", "identity"),
        ("identity", "identity"),
        ("gzip;q=much", "identity"),
        (",;,=", "identity"),
    ],
)
def test_the_best_accepted_coding_is_chosen(accepted: str, coding: str) -> None:
    """Quality first, then zstd before gzip; what is refused or unreadable is not used."""
    assert choose_coding(accepted.encode()) == coding


def test_both_codings_give_the_body_back() -> None:
    """Other implementations can read what is sent."""
    assert zlib.decompress(compress(BODY, "gzip"), wbits=31) == BODY
    with pa.CompressedInputStream(pa.BufferReader(compress(BODY, "zstd")), "zstd") as stream:
        assert stream.read() == BODY
