"""Content codings of answers: which one a client takes, and compression part by part."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Final, Protocol

import pyarrow as pa

__all__ = ["IDENTITY", "MIN_BYTES", "choose_coding", "compress", "compressor"]

IDENTITY: Final = "identity"
MIN_BYTES: Final = 1024
"""Shorter bodies are sent as they are."""

_PREFERRED: Final = ("zstd", "gzip")
_GZIP_LEVEL: Final = 6
_GZIP_FORMAT: Final = 31


class Compressor(Protocol):
    """Compresses a body that comes in parts."""

    def compress(self, part: bytes) -> bytes:
        """Take a part; return what can be sent by now."""

    def flush(self) -> bytes:
        """Return the rest."""


class _Zstandard:
    def __init__(self) -> None:
        self._sink = pa.BufferOutputStream()
        self._stream = pa.CompressedOutputStream(self._sink, "zstd")

    def compress(self, part: bytes) -> bytes:
        self._stream.write(part)
        return b""

    def flush(self) -> bytes:
        self._stream.close()
        return self._sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow publishes no types


@lru_cache(maxsize=256)
def choose_coding(accepted: bytes) -> str:
    """The coding for an Accept-Encoding header: zstd, gzip, or identity where neither is accepted.

    >>> choose_coding(b"gzip, deflate, br, zstd"), choose_coding(b"gzip;q=0, *;q=0.5"), choose_coding(b"")
    ('zstd', 'zstd', 'identity')
    """
    qualities = dict(_quality(part) for part in accepted.decode("latin-1").lower().split(",") if part.strip())
    rest = qualities.get("*", 0.0)
    offered = [(qualities.get(coding, rest), -place, coding) for place, coding in enumerate(_PREFERRED)]
    quality, _, coding = max(offered)
    return coding if quality > 0 else IDENTITY


def compressor(coding: str) -> Compressor:
    """A compressor for one body."""
    return _Zstandard() if coding == "zstd" else zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_FORMAT)


def compress(body: bytes, coding: str) -> bytes:
    """Compress a whole body; it lets other threads run meanwhile."""
    made = compressor(coding)
    return made.compress(body) + made.flush()


def _quality(part: str) -> tuple[str, float]:
    coding, _, parameters = part.partition(";")
    name, _, value = parameters.strip().partition("=")
    try:
        quality = float(value) if name.strip() == "q" else 1.0
    except ValueError:
        quality = 0.0
    return coding.strip(), quality
