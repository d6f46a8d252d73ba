"""Charts as the browser gets them."""

from __future__ import annotations

import json
import zlib
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.figure import Chart, Figure, chart_json, packed, unpacked
from dashboard.i18n.numbers import Formats


@given(st.lists(st.none() | st.floats(min_value=0.0001, max_value=1e6)), st.integers(min_value=0, max_value=8))
def test_packed_numbers_come_back(values: list[float | None], decimals: int) -> None:
    """Packing keeps each number to its decimals, and the gaps."""
    again = unpacked(packed(values, decimals))
    assert [value is None for value in again] == [value is None for value in values]
    pairs = [(old, new) for old, new in zip(values, again, strict=True) if old is not None]
    assert [new for _, new in pairs] == pytest.approx([old for old, _ in pairs], abs=0.51 * 10**-decimals)


def test_packed_times_are_whole_seconds() -> None:
    """Times lose their milliseconds."""
    assert unpacked(packed([1_763_812_800_123, 1_763_812_860_456], -3)) == [1_763_812_800_000, 1_763_812_860_000]


@pytest.mark.parametrize(("language", "locale", "decimal"), [("pt", "pt-BR", ","), ("en", "en-US", ".")])
def test_a_chart_speaks_the_readers_language(language: str, locale: str, decimal: str) -> None:
    """Texts, locale and decimal separator of the reader come with the chart."""
    chart = Chart(title="Bitcoin", file="bitcoin-6h-usd-demo", alt="…", view="bitcoin 6h", live=True)
    figure: Figure = {"data": [], "layout": {}}
    sent = json.loads(zlib.decompress(chart_json(figure, chart, Formats(language, UTC, "usd"))))
    assert (sent["texts"]["locale"], sent["texts"]["decimal"]) == (locale, decimal)
    assert sent["figure"] == figure
    assert "{age}" in sent["texts"]["paused"]
