"""Charts of the accuracy view. Pure: scores in, figures out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.accuracy.scores import Score
from core.times import DAY_MS, iso
from dashboard.charts.figure import Figure
from dashboard.charts.palette import FORECAST, HISTORY, IDEAL, WORSE
from dashboard.charts.style import add_horizontal_line, base_layout
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["by_coin_chart", "by_day_chart", "by_horizon_chart", "interval_coverage_chart"]

_HEIGHT: Final = 320
_ROW_PX: Final = 26
_MAX_COINS: Final = 30


def interval_coverage_chart(score: Score, formats: Formats, texts: Texts) -> Figure:
    """Reliability diagram: nominal coverage of each interval against the observed one, with the diagonal."""
    x_name, y_name = texts("accuracy.promised"), texts("accuracy.observed")
    promised = sorted(score.coverage)
    observed = [100 * score.coverage[percent] for percent in promised]
    low = min(40.0, *observed) - 5
    diagonal = {
        "type": "scatter", "x": [low, 100], "y": [low, 100], "name": texts("accuracy.ideal"), "mode": "lines",
        "hoverinfo": "skip", "line": {"color": IDEAL, "width": 1.5, "dash": "dash"},
    }  # fmt: skip
    points = {
        "type": "scatter", "x": promised, "y": observed, "name": y_name, "mode": "lines+markers",
        "line": {"color": FORECAST, "width": 2}, "marker": {"size": 9}, "cliponaxis": False,
        "hovertemplate": f"{x_name} %{{x}}%<br>{y_name} %{{y:.1f}}%<extra></extra>",
    }  # fmt: skip
    layout = base_layout(formats, _HEIGHT)
    ticks = {"range": [low, 101], "tickvals": promised, "ticksuffix": "%"}
    layout["xaxis"] |= {"title": {"text": x_name}, **ticks}
    layout["yaxis"] |= {"title": {"text": y_name}, **ticks}
    return {"data": [diagonal, points], "layout": layout}


def by_horizon_chart(scores: Mapping[int, Score], formats: Formats, texts: Texts) -> Figure:
    """Pinball loss per horizon, relative to "the price stays"; below zero is better."""
    figure = _against_naive(scores, formats, texts)
    figure["layout"]["xaxis"] |= {
        "title": {"text": texts("accuracy.horizon")}, "tickvals": figure["data"][0]["x"], "type": "linear",
    }  # fmt: skip
    return figure


def by_day_chart(scores: Mapping[str, Score], formats: Formats, texts: Texts) -> Figure:
    """Pinball loss per UTC day, relative to "the price stays"; below zero is better."""
    figure = _against_naive(scores, formats, texts)
    margin_ms = DAY_MS // 2
    starts = [score.start_ms // DAY_MS * DAY_MS for score in scores.values() if score.relative_pinball is not None]
    figure["layout"]["xaxis"] |= {
        "title": {"text": texts("accuracy.day")}, "type": "date", "tickformat": formats.day_pattern,
        "dtick": max(1, len(starts) // 8) * DAY_MS,
    }  # fmt: skip
    if starts:
        figure["layout"]["xaxis"]["range"] = [
            iso(ts_ms)[:16] for ts_ms in (min(starts) - margin_ms, max(starts) + margin_ms)
        ]
    return figure


def by_coin_chart(scores: Mapping[str, Score], names: Mapping[str, str], formats: Formats, texts: Texts) -> Figure:
    """Relative pinball loss of the best thirty coins, best first; the table in the view has them all."""
    known = sorted(
        ((score.relative_pinball, coin) for coin, score in scores.items() if score.relative_pinball is not None)
    )[:_MAX_COINS]
    values = [100 * (value - 1) for value, _ in known]
    bars = {
        "type": "bar",
        "x": values,
        "y": [names.get(coin, coin) for _, coin in known],
        "orientation": "h",
        "marker": {"color": [HISTORY if value <= 0 else WORSE for value in values]},
        "hovertemplate": "%{y}: %{x:+.2f}%<extra></extra>",
        "showlegend": False,
    }
    layout = _bare_layout(formats, 70 + _ROW_PX * len(known))
    layout["yaxis"] |= {"autorange": "reversed"}
    layout["xaxis"] |= {
        "title": {"text": texts("accuracy.relative")}, "ticksuffix": "%", "zeroline": True, "zerolinecolor": IDEAL,
    }  # fmt: skip
    return {"data": [bars], "layout": layout}


def _bare_layout(formats: Formats, height: int) -> dict[str, Any]:
    """The base layout without the room for a legend."""
    layout = base_layout(formats, height)
    layout["margin"] |= {"t": 8}
    return layout


def _against_naive(scores: Mapping[Any, Score], formats: Formats, texts: Texts) -> Figure:
    """A line of relative pinball losses, in percent, over the keys whose score has one."""
    known = [
        (place, 100 * (score.relative_pinball - 1), texts("accuracy.count", count=formats.number(score.forecasts)))
        for place, score in scores.items()
        if score.relative_pinball is not None
    ]
    percents = [percent for _, percent, _ in known]
    line = {
        "type": "scatter",
        "x": [place for place, _, _ in known],
        "y": percents,
        "text": [count for _, _, count in known],
        "mode": "lines+markers",
        "line": {"color": FORECAST, "width": 2},
        "marker": {"size": 8},
        "cliponaxis": False,
        "hovertemplate": "%{x}: %{y:+.2f}%<br>%{text}<extra></extra>",
        "showlegend": False,
    }
    figure: Figure = {"data": [line], "layout": _bare_layout(formats, _HEIGHT)}
    add_horizontal_line(figure, 0)
    reach = max(1.0, *(abs(value) for value in percents)) * 1.25 if percents else 1.0
    figure["layout"]["yaxis"] |= {
        "title": {"text": texts("accuracy.relative")}, "ticksuffix": "%", "range": [-reach, reach],
    }  # fmt: skip
    return figure
