"""Charts of the accuracy view. Pure: scores in, figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from core.accuracy.scores import Score
from core.number_format import price_decimals
from core.reading.values import LoggedForecast
from core.times import DAY_MS, iso, to_datetime
from dashboard.charts.figure import Figure
from dashboard.charts.palette import FORECAST, HISTORY, IDEAL, PAST, WORSE, faded
from dashboard.charts.style import ChartStyle, add_horizontal_line, add_watermark, base_layout
from dashboard.charts.time_axis import Points, time_layout
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = [
    "by_clock_chart",
    "by_coin_chart",
    "by_day_chart",
    "by_horizon_chart",
    "interval_coverage_chart",
    "miss_chart",
]

_HEIGHT: Final = 320
_ROW_PX: Final = 26
_EXTREMES: Final = 15


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
    ticks = {"range": [low, 101], "tickvals": promised, "ticktext": [f"{percent}%" for percent in promised]}
    layout["xaxis"] |= {"title": {"text": x_name}, **ticks}
    layout["yaxis"] |= {"title": {"text": y_name}, **ticks}
    return {"data": [diagonal, points], "layout": layout}


def by_horizon_chart(scores: Mapping[int, Score], formats: Formats, texts: Texts) -> Figure:
    """Error avoided per horizon, with its interval; above zero is better than "the price stays"."""
    figure = _avoided(scores, formats, texts)
    figure["layout"]["xaxis"] |= {
        "title": {"text": texts("accuracy.horizon")}, "tickvals": figure["data"][0]["x"], "type": "linear",
    }  # fmt: skip
    return figure


def by_day_chart(scores: Mapping[str, Score], formats: Formats, texts: Texts) -> Figure:
    """Error avoided per UTC day; a day that is not whole yet has no interval."""
    figure = _avoided(scores, formats, texts)
    margin_ms = DAY_MS // 2
    starts = [score.start_ms // DAY_MS * DAY_MS for score in scores.values() if score.skill is not None]
    figure["layout"]["xaxis"] |= {
        "title": {"text": texts("accuracy.day")}, "type": "date", "tickformat": formats.day_pattern,
        "dtick": max(1, len(starts) // 8) * DAY_MS,
    }  # fmt: skip
    if starts:
        figure["layout"]["xaxis"]["range"] = [
            iso(ts_ms)[:16] for ts_ms in (min(starts) - margin_ms, max(starts) + margin_ms)
        ]
    return figure


def by_clock_chart(scores: Mapping[int, Score], day_ms: int, formats: Formats, texts: Texts) -> Figure:
    """Share of prices inside the 80 % range by hour of the day, on the visitor's clock as it goes at `day_ms`."""
    ahead_h = (formats.local(day_ms) - to_datetime(day_ms).replace(tzinfo=None)) // timedelta(hours=1)
    shares = sorted(
        ((hour + ahead_h) % 24, 100 * score.coverage[80], score.forecasts) for hour, score in scores.items()
    )
    points = {
        "type": "scatter", "x": [hour for hour, _, _ in shares], "y": [share for _, share, _ in shares],
        "text": [texts("accuracy.count", count=formats.number(count)) for _, _, count in shares],
        "mode": "lines+markers", "line": {"color": FORECAST, "width": 2}, "marker": {"size": 7}, "showlegend": False,
        "hovertemplate": "%{x} h: %{y:.1f}%<br>%{text}<extra></extra>",
    }  # fmt: skip
    figure: Figure = {"data": [points], "layout": _bare_layout(formats, _HEIGHT)}
    add_horizontal_line(figure, 80)
    figure["layout"]["xaxis"] |= {
        "title": {"text": texts("accuracy.clock")},
        "range": [-0.5, 23.5],
        "dtick": 3,
        "zeroline": False,
    }
    low = min([60.0, *(share - 2 for _, share, _ in shares)])
    figure["layout"]["yaxis"] |= {"title": {"text": texts("accuracy.inside")}, "ticksuffix": "%", "range": [low, 101]}
    return figure


def by_coin_chart(scores: Mapping[str, Score], names: Mapping[str, str], formats: Formats, texts: Texts) -> Figure:
    """Error avoided per coin with its interval, the best on top; of many coins as many of the worst as of the best."""
    ranked = sorted(
        ((score, coin) for coin, score in scores.items() if score.skill is not None),
        key=lambda pair: -(pair[0].skill or 0.0),
    )
    if len(ranked) > 2 * _EXTREMES:
        ranked = ranked[:_EXTREMES] + ranked[-_EXTREMES:]
    percents = [100 * (score.skill or 0.0) for score, _ in ranked]
    points = {
        "type": "scatter",
        "x": percents,
        "y": [names.get(coin, coin) for _, coin in ranked],
        "mode": "markers",
        "marker": {"size": 9, "color": [HISTORY if value >= 0 else WORSE for value in percents]},
        "error_x": {
            "type": "data",
            "array": _margins([score for score, _ in ranked]),
            "color": IDEAL,
            "thickness": 1.5,
        },
        "hovertemplate": "%{y}: %{x:+.2f}%<extra></extra>",
        "showlegend": False,
    }
    layout = _bare_layout(formats, 70 + _ROW_PX * len(ranked))
    layout["yaxis"] |= {"autorange": "reversed", "type": "category"}
    layout["xaxis"] |= {
        "title": {"text": texts("accuracy.skill")}, "ticksuffix": "%", "zeroline": True, "zerolinecolor": IDEAL,
    }  # fmt: skip
    return {"data": [points], "layout": layout}


def miss_chart(miss: LoggedForecast, prices: Points, style: ChartStyle) -> Figure:
    """One forecast that failed: the price around it, and the cone from its origin to its 80 % range."""
    decimals = price_decimals(miss.price_origin)
    layout = time_layout(style.formats, decimals)
    layout |= {"height": 190, "showlegend": False, "dragmode": False, "margin": {"l": 8, "r": 8, "t": 8, "b": 8}}
    cone = {
        "type": "scatter", "mode": "lines", "x": [miss.origin_ms, miss.target_ms, miss.target_ms, miss.origin_ms],
        "y": [miss.price_origin, miss.high_80, miss.low_80, miss.price_origin], "fill": "toself",
        "fillcolor": faded(PAST, 0.25), "line": {"width": 0}, "hoverinfo": "skip",
        "name": style.texts("chart.past_live"),
    }  # fmt: skip
    line = {
        "type": "scatter", "mode": "lines", "x": list(prices[0]), "y": list(prices[1]),
        "name": style.texts("chart.history"), "line": {"color": HISTORY, "width": 2},
    }  # fmt: skip
    end = {
        "type": "scatter", "mode": "markers", "x": [miss.target_ms], "y": [miss.actual],
        "marker": {"color": WORSE, "size": 9}, "name": style.texts("accuracy.happened"),
    }  # fmt: skip
    figure: Figure = {"data": [cone, line, end], "layout": layout}
    add_watermark(figure, style.watermark)
    return figure


def _bare_layout(formats: Formats, height: int) -> dict[str, Any]:
    """The base layout without the room for a legend."""
    layout = base_layout(formats, height)
    layout["margin"] |= {"t": 8}
    return layout


def _margins(scores: Sequence[Score]) -> list[float]:
    """Half the widths of the intervals of the error avoided, in percent; 0 where unknown."""
    return [100 * (score.skill_margin or 0.0) for score in scores]


def _avoided(scores: Mapping[Any, Score], formats: Formats, texts: Texts) -> Figure:
    """A line of the error avoided, in percent with its interval, over the keys whose score has one."""
    known = {place: score for place, score in scores.items() if score.skill is not None}
    percents = [100 * (score.skill or 0.0) for score in known.values()]
    margins = _margins(list(known.values()))
    line = {
        "type": "scatter",
        "x": list(known),
        "y": percents,
        "text": [texts("accuracy.count", count=formats.number(score.forecasts)) for score in known.values()],
        "error_y": {"type": "data", "array": margins, "color": IDEAL, "thickness": 1.5},
        "mode": "lines+markers",
        "line": {"color": FORECAST, "width": 2},
        "marker": {"size": 8},
        "cliponaxis": False,
        "hovertemplate": "%{x}: %{y:+.2f}%<br>%{text}<extra></extra>",
        "showlegend": False,
    }
    figure: Figure = {"data": [line], "layout": _bare_layout(formats, _HEIGHT)}
    add_horizontal_line(figure, 0)
    reach = 1.1 * max([1.0, *(abs(value) + margin for value, margin in zip(percents, margins, strict=True))])
    figure["layout"]["yaxis"] |= {
        "title": {"text": texts("accuracy.skill")}, "ticksuffix": "%", "range": [-reach, reach],
    }  # fmt: skip
    return figure
