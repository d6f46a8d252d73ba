"""Times for people and programs are ISO 8601, each of the same width."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from core.times import iso, parse_iso

YEAR_9999_MS = 253_402_300_799_999


@given(st.integers(-62_135_596_800_000, YEAR_9999_MS))
def test_a_time_is_written_with_milliseconds_and_read_back(ts_ms: int) -> None:
    """Each time has 29 characters and comes back to the millisecond."""
    assert len(iso(ts_ms)) == 29
    assert parse_iso(iso(ts_ms)) == ts_ms


def test_pandas_reads_a_column_of_whole_and_broken_seconds() -> None:
    """`pd.to_datetime` needs no format, whether or not the first time has milliseconds."""
    times = pd.Series([1_700_000_000_000, 1_700_000_000_123])
    read = pd.to_datetime(times.map(iso))
    assert str(read.dt.tz) == "UTC"
    assert list(read) == list(pd.to_datetime(times, unit="ms", utc=True))
