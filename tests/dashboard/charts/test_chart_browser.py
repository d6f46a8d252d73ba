"""A chart in a real Chromium, in which the clocks change."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from datetime import UTC
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Page, Route

from core.reading.values import LoggedForecast
from core.times import HOUR_MS, parse_iso
from core.web_files import SHARED
from dashboard.charts.accuracy import miss_chart
from dashboard.charts.figure import Chart, chart_json
from dashboard.charts.style import ChartStyle
from dashboard.i18n.numbers import Formats

_ADDRESS: Final = "http://charts.test/"
_HALF_HOUR_MS: Final = HOUR_MS // 2
_DRAW: Final = """async (data) => {
  const { draw } = await import("/chart.js");
  draw(document.body, data);
  while (!document.querySelector(".chart[data-drawn]")) await new Promise(requestAnimationFrame);
  const plot = document.querySelector(".chart-plot");
  const label = (ms) => new Date(ms).toISOString().slice(11, 16);
  const line = plot.calcdata.find(([point]) => point.trace.name === data.line);
  document.querySelectorAll(".chart-bar button")[1].click();
  return {
    times: line.map(({ x }) => label(x)),
    range: plot._fullLayout.xaxis.range.map((moment) => label(plot._fullLayout.xaxis.r2l(moment))),
    title: plot._fullLayout.xaxis.title.text,
    table: [...document.querySelectorAll(".chart-table tr")].map((row) => row.innerText),
  };
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page in New York that can load the files of charts."""
    context = browser.new_context(timezone_id="America/New_York")
    page = context.new_page()

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(_ADDRESS)
        if name:
            route.fulfill(path=SHARED / name)
        else:
            route.fulfill(body="<!doctype html>", content_type="text/html")

    page.route(f"{_ADDRESS}**", answer)
    page.goto(_ADDRESS)
    yield page
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("start", "zone", "times"),
    [
        ("2025-11-02T05:00:00Z", "GMT-5", ["00:00", "00:30", "01:00", "01:30", "02:00"]),
        ("2025-03-09T06:00:00Z", "GMT-4", ["02:00", "02:30", "03:00", "03:30", "04:00"]),
    ],
)
def test_a_line_goes_on_when_clocks_change(page: Page, start: str, zone: str, times: list[str]) -> None:
    """All times are on the clock of the chart's end, which its axis names: none comes twice, none is left out."""
    start_ms = parse_iso(start)
    prices = ([start_ms + step * _HALF_HOUR_MS for step in range(5)], [100.0, 101.0, 102.0, 103.0, 104.0])
    miss = LoggedForecast("bitcoin", start_ms, start_ms + 2 * HOUR_MS, 100.0, 100.0, 99.0, 101.0, 95.0)
    style = ChartStyle(Formats("pt", UTC, "usd"))
    figure = miss_chart(miss, prices, style)
    figure["layout"]["xaxis"]["range"] = [prices[0][0], prices[0][-1]]
    data: dict[str, Any] = json.loads(
        zlib.decompress(chart_json(figure, Chart("Miss", "miss", "A miss"), style.formats))
    )
    drawn = page.evaluate(_DRAW, {**data, "line": figure["data"][1]["name"]})
    assert drawn["times"] == times
    assert drawn["range"] == [times[0], times[-1]]
    assert drawn["title"].endswith(f"({zone})")
    rows = [row for row in drawn["table"] if row.startswith(figure["data"][1]["name"])]
    assert [re.findall(r"\d\d:\d\d", row)[0] for row in rows] == times
