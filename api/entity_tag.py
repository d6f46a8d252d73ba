"""Entity tags: hashes of what an answer says, so that they survive a restart and change only with it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import numpy as np
import pyarrow as pa

__all__ = ["entity_tag", "table_tag"]

_DIGEST_BYTES: Final = 12


def entity_tag(parts: Iterable[bytes]) -> bytes:
    """The weak entity tag of some content; weak because every content coding of it has the same."""
    digest = sha256()
    for part in parts:
        digest.update(part)
    return b'W/"%s"' % digest.digest()[:_DIGEST_BYTES].hex().encode()


def table_tag(table: pa.Table, media_type: str) -> bytes:
    """The tag of a table in some format, before it is written.

    The rows are copied first: a part of a larger table would be hashed with some of the rows after it.
    """
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.take(np.arange(len(table))))
    return entity_tag([media_type.encode(), sink.getvalue()])
