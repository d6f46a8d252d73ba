"""The comparison chart as a figure."""

from __future__ import annotations

from datetime import UTC

import pytest

from core.times import MINUTE_MS
from dashboard.charts.comparison import comparison_chart
from dashboard.charts.figure import unpacked
from dashboard.charts.style import ChartStyle
from dashboard.i18n.numbers import Formats

ORIGIN_MS = 1_763_812_800_000  # 2025-11-22 12:00
STYLE = ChartStyle(Formats("pt", UTC, "usd"))


def test_coins_share_one_scale() -> None:
    """An expensive and a cheap coin that both doubled have the same line, at +100 % or at 200."""
    times = [ORIGIN_MS - 10 * MINUTE_MS, ORIGIN_MS]
    series = {"bitcoin": (times, [50_000.0, 100_000.0]), "shiba-inu": (times, [0.00001, 0.00002]), "new": ([], [])}
    percent = comparison_chart(series, {"bitcoin": "Bitcoin"}, "1h", as_index=False, style=STYLE)
    assert {trace["name"]: unpacked(trace["y"]) for trace in percent["data"]} == {
        "Bitcoin": [0.0, 100.0],
        "shiba-inu": [0.0, pytest.approx(100.0)],
    }
    index = comparison_chart(series, {}, "1h", as_index=True, style=STYLE)
    assert [unpacked(trace["y"])[-1] for trace in index["data"]] == [200.0, pytest.approx(200.0)]
