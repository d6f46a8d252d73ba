"""The files of a report: complete, self-contained, in agreement with the evaluation, and safe to open."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.errors import BadInput
from model.backtesting.evaluation import evaluate
from model.backtesting.report.build import build_report, worst_misses, write_report
from model.backtesting.report.charts import line_chart, ratio_chart, reliability_chart
from model.backtesting.report.format import integer, number, percent, span, timestamp
from model.backtesting.report.sections import headline, rolling_ratio
from model.scoring.losses import NAIVE_COLUMNS

MakeForecasts = Callable[..., pd.DataFrame]

_VOID = {"meta", "line", "circle", "rect", "polyline"}


class _Tags(HTMLParser):
    """Collects text and attributes, and insists that every tag is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open a tag."""
        self.names.append(tag)
        self.attributes += attrs
        if tag not in _VOID or tag in {"circle"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that closes itself."""
        self.names.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost tag."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep what people read."""
        self.text.append(data)


def _parse(html: str) -> _Tags:
    parser = _Tags()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _numbers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield float(value)


def test_the_report_holds_what_the_evaluation_says(make_forecasts: MakeForecasts, tmp_path: Path) -> None:
    """report.json, the returned value and `evaluate` agree; page and Markdown show the same figure."""
    frame = make_forecasts(24 * 20)
    found = write_report(tmp_path / "out", frame, {"Dados": "passeio.parquet"})
    assert found == json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    expected = evaluate(frame)
    assert found["overall"]["relative_pinball"] == expected.block.overall.relative_pinball
    assert found["overall"]["interval_95"] == list(expected.interval or ())
    assert found["by_horizon"]["60"]["coverage"]["80"] == expected.block.by_horizon[60].coverage[80]
    assert set(found["by_regime"]) == {"calm", "normal", "agitated"}
    assert found["context"] == {"Dados": "passeio.parquet"}
    assert found["first_origin"] == "2024-03-01T00:00:00+00:00"
    shown = number(expected.block.overall.relative_pinball)
    assert shown in "".join(_parse((tmp_path / "out" / "report.html").read_text(encoding="utf-8")).text)


def test_the_page_has_no_external_references(make_forecasts: MakeForecasts, tmp_path: Path) -> None:
    """No script, no link, no address, no image: the page opens without a network, and stays small."""
    write_report(tmp_path, make_forecasts(24 * 20), {})
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = _parse(html)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.names)
    assert not {"src", "href", "srcset"} & {name for name, _ in page.attributes}
    assert not re.search(r"https?:|@import|url\(", html)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "prefers-color-scheme: dark" in html
    assert page.names.count("svg") == 4
    assert len(html) < 200_000


def test_names_from_outside_are_shown_as_text(make_forecasts: MakeForecasts, tmp_path: Path) -> None:
    """A coin or a fact that looks like a tag stays text."""
    hostile = "<script>alert(1)</script>|&"
    frame = make_forecasts(48, (hostile, "bitcoin"))
    write_report(tmp_path, frame, {hostile: hostile}, {hostile: frame})
    page = _parse((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "script" not in page.names
    assert hostile in page.text
    assert page.names.count("table") == 9


def test_a_rival_is_judged_on_the_same_forecasts(make_forecasts: MakeForecasts, tmp_path: Path) -> None:
    """A rival without benchmark columns is scored against ours; wider quantiles lose."""
    frame = make_forecasts(24 * 20)
    rival = make_forecasts(24 * 20, width=1.6).drop(columns=list(NAIVE_COLUMNS))
    found = write_report(tmp_path, frame, {}, {"mais largo": rival})["rivals"]["mais largo"]
    assert found["difference"]["difference"] < 0
    assert found["difference"]["forecasts"] == len(frame)
    assert found["difference"]["other"] == pytest.approx(found["score"]["relative_pinball"])
    assert "Outros métodos" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("origins", [1, 3, 30])
def test_a_report_of_few_forecasts_is_complete(make_forecasts: MakeForecasts, tmp_path: Path, origins: int) -> None:
    """One origin is enough for both files, without NaN anywhere."""
    frame = make_forecasts(origins, ("bitcoin",))
    frame.loc[frame.index[0], "price_actual"] = np.nan
    found = write_report(tmp_path, frame, {})
    assert all(math.isfinite(value) for value in _numbers(found))
    text = " ".join(_parse((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    assert not re.search(r"\b(nan|inf|None)\b", text)


def test_prices_that_never_moved_make_a_report(make_forecasts: MakeForecasts, tmp_path: Path) -> None:
    """Where every ratio would divide by zero, the report is written and says so."""
    frame = make_forecasts(48, ("tether",))
    frame["price_actual"] = frame["price_origin"]
    for column in NAIVE_COLUMNS:
        frame[column] = frame["price_origin"]
    write_report(tmp_path, frame, {})
    assert "Nenhum preço se moveu" in (tmp_path / "report.html").read_text(encoding="utf-8")
    _parse((tmp_path / "report.html").read_text(encoding="utf-8"))


def test_a_report_without_outcomes_is_refused(make_forecasts: MakeForecasts, tmp_path: Path) -> None:
    """Without outcomes there is no report."""
    with pytest.raises(BadInput):
        write_report(tmp_path, make_forecasts(3).assign(price_actual=np.nan), {})
    assert list(tmp_path.iterdir()) == []


def test_the_worst_misses_are_the_farthest_outside(make_forecasts: MakeForecasts) -> None:
    """A loop over all forecasts finds the same misses: farthest first, one per coin and three hours."""
    frame = make_forecasts(24 * 10, width=0.7)
    best: dict[tuple[str, int], float] = {}
    for row in frame.to_dict("records"):
        half = (row["q975"] - row["q025"]) / 2
        distance = max(row["q025"] - row["price_actual"], row["price_actual"] - row["q975"], 0.0) / half
        key = (row["coin"], int(row["origin"].timestamp()) // 10_800)
        best[key] = max(best.get(key, 0.0), distance)
    found = worst_misses(frame)
    assert [miss.distance for miss in found] == pytest.approx(sorted(best.values(), reverse=True)[:12])
    assert all(not miss.low <= miss.actual <= miss.high for miss in found)
    assert worst_misses(frame.assign(price_actual=frame["price_origin"])) == []


def test_the_headline_mentions_chance_when_the_interval_includes_one(make_forecasts: MakeForecasts) -> None:
    """The headline mentions chance where the interval includes 1, and not for a clear gain."""
    clear = build_report(make_forecasts(24 * 30), {}, {})
    doubtful = build_report(make_forecasts(24 * 6, naive_width=1.05), {}, {})
    assert "pode ser acaso" not in headline(clear)
    assert doubtful.evaluation.interval is not None
    assert doubtful.evaluation.interval[0] < 1 < doubtful.evaluation.interval[1]
    assert "pode ser acaso" in headline(doubtful)


def test_the_rolling_mean_weighs_days_by_forecasts(make_forecasts: MakeForecasts) -> None:
    """The last value is the weighted mean of the last seven days."""
    days = list(evaluate(make_forecasts(24 * 12)).block.by_day.values())
    ratios = [score.relative_pinball or 0.0 for score in days[-7:]]
    assert rolling_ratio(days)[-1] == pytest.approx(
        np.average(ratios, weights=[score.forecasts for score in days[-7:]])
    )
    assert rolling_ratio(days)[0] == pytest.approx(days[0].relative_pinball)
    assert rolling_ratio([]) == []


def test_numbers_are_written_as_brazilians_write_them() -> None:
    """Comma for decimals, point for thousands, a true minus, a dash for what is unknown."""
    assert number(1234.5, 1) == "1.234,5"
    assert number(-0.0146, 4) == "−0,0146"
    assert number(None) == number(math.nan) == percent(None) == span(None) == "–"
    assert integer(1234567) == "1.234.567"
    assert percent(0.805) == "80,5\N{NO-BREAK SPACE}%"
    assert span((0.9, 1.1), 1) == "0,9 a 1,1"
    assert timestamp(datetime.fromisoformat("2024-05-31T14:05:00+00:00")) == "31/05/2024 14:05"


@pytest.mark.parametrize("values", [[], [None], [1.0], [0.5, None, 2000.0], [0.99, 1.01]])
def test_charts_take_any_values(values: list[float | None]) -> None:
    """Gaps, single points, equal values and extremes are drawn within the frame."""
    names = [f"d{place}" for place in range(len(values))]
    charts = [
        line_chart(names, {"a": values, "b": values}, "t"),
        ratio_chart(dict(zip(names, values, strict=True)), "t"),
    ]
    for chart in charts:
        page = _parse(chart)
        view = dict(page.attributes)["viewbox"]
        assert view is not None
        width, height = (float(size) for size in view.split()[2:])
        for name, value in page.attributes:
            if name in {"x", "x1", "x2", "cx"}:
                assert 0 <= float(value or "nan") <= width
            if name in {"y", "y1", "y2", "cy"}:
                assert 0 <= float(value or "nan") <= height


def test_the_reliability_chart_puts_a_perfect_curve_on_the_diagonal() -> None:
    """Equal shares have equal distances from the lower left corner."""
    page = _parse(reliability_chart({"ideal": {0.1: 0.1, 0.5: 0.5, 0.9: 0.9}}, "t"))
    points = next(value for name, value in page.attributes if name == "points") or ""
    pairs = [tuple(float(number_) for number_ in point.split(",")) for point in points.split()]
    assert {round(x + y, 1) for x, y in pairs} == {round(pairs[0][0] + pairs[0][1], 1)}
