"""Charts of the accuracy view. Pure: scores in, figures out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import plotly.graph_objects as go

from core.accuracy.scores import Score
from core.times import DAY_MS
from dashboard.charts.palette import FORECAST, HISTORY, IDEAL, WORSE
from dashboard.charts.style import base_layout
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts

__all__ = ["by_coin_chart", "by_day_chart", "by_horizon_chart", "interval_coverage_chart"]

_HEIGHT: Final = 320
_ROW_PX: Final = 26
_MAX_COINS: Final = 30


def interval_coverage_chart(score: Score, formats: Formats, texts: Texts) -> go.Figure:
    """Reliability diagram: nominal coverage of each interval against the observed one, with the diagonal."""
    figure = go.Figure(layout=base_layout(formats, _HEIGHT))
    x_name, y_name = texts("accuracy.promised"), texts("accuracy.observed")
    promised = sorted(score.coverage)
    observed = [100 * score.coverage[percent] for percent in promised]
    low = min(40.0, *observed) - 5
    figure.add_scatter(
        x=[low, 100], y=[low, 100], name=texts("accuracy.ideal"), mode="lines", hoverinfo="skip",
        line={"color": IDEAL, "width": 1.5, "dash": "dash"},
    )  # fmt: skip
    figure.add_scatter(
        x=promised, y=observed, name=y_name, mode="lines+markers",
        line={"color": FORECAST, "width": 2}, marker={"size": 9},
        hovertemplate=f"{x_name} %{{x}}%<br>{y_name} %{{y:.1f}}%<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=x_name, range=[low, 101], tickvals=promised, ticksuffix="%")
    figure.update_yaxes(title=y_name, range=[low, 101], tickvals=promised, ticksuffix="%")
    return figure


def by_horizon_chart(scores: Mapping[int, Score], formats: Formats, texts: Texts) -> go.Figure:
    """Pinball loss per horizon, relative to "the price stays"; below zero is better."""
    figure = _against_naive(scores, formats, texts)
    figure.update_xaxes(title=texts("accuracy.horizon"), tickvals=figure.data[0].x, type="linear")
    return figure


def by_day_chart(scores: Mapping[str, Score], formats: Formats, texts: Texts) -> go.Figure:
    """Pinball loss per UTC day, relative to "the price stays"; below zero is better."""
    figure = _against_naive(scores, formats, texts)
    margin_ms = DAY_MS // 2
    starts = [score.start_ms // DAY_MS * DAY_MS for score in scores.values() if score.relative_pinball is not None]
    figure.update_xaxes(
        title=texts("accuracy.day"), type="date", tickformat=formats.day_pattern,
        dtick=max(1, len(starts) // 8) * DAY_MS,
        range=[min(starts) - margin_ms, max(starts) + margin_ms] if starts else None,
    )  # fmt: skip
    return figure


def by_coin_chart(scores: Mapping[str, Score], names: Mapping[str, str], formats: Formats, texts: Texts) -> go.Figure:
    """Relative pinball loss of the best thirty coins, best first; the table in the view has them all."""
    known = sorted(
        ((score.relative_pinball, coin) for coin, score in scores.items() if score.relative_pinball is not None)
    )[:_MAX_COINS]
    values = [100 * (value - 1) for value, _ in known]
    figure = go.Figure(layout=_bare_layout(formats, 70 + _ROW_PX * len(known)))
    figure.add_bar(
        x=values,
        y=[names.get(coin, coin) for _, coin in known],
        orientation="h",
        marker={"color": [HISTORY if value <= 0 else WORSE for value in values]},
        hovertemplate="%{y}: %{x:+.2f}%<extra></extra>",
        showlegend=False,
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title=texts("accuracy.relative"), ticksuffix="%", zeroline=True, zerolinecolor=IDEAL)
    return figure


def _bare_layout(formats: Formats, height: int) -> dict[str, Any]:
    """The base layout without the room for a legend."""
    layout = base_layout(formats, height)
    layout["margin"] |= {"t": 8}
    return layout


def _against_naive(scores: Mapping[Any, Score], formats: Formats, texts: Texts) -> go.Figure:
    """A line of relative pinball losses, in percent, over the keys whose score has one."""
    known = [
        (place, 100 * (score.relative_pinball - 1), texts("accuracy.count", count=formats.number(score.forecasts)))
        for place, score in scores.items()
        if score.relative_pinball is not None
    ]
    percents = [percent for _, percent, _ in known]
    figure = go.Figure(layout=_bare_layout(formats, _HEIGHT))
    figure.add_scatter(
        x=[place for place, _, _ in known],
        y=percents,
        text=[count for _, _, count in known],
        mode="lines+markers",
        line={"color": FORECAST, "width": 2},
        marker={"size": 8},
        hovertemplate="%{x}: %{y:+.2f}%<br>%{text}<extra></extra>",
        showlegend=False,
    )
    figure.add_hline(y=0, line={"color": IDEAL, "width": 1.5, "dash": "dash"})
    reach = max(1.0, *(abs(value) for value in percents)) * 1.25 if percents else 1.0
    figure.update_yaxes(title=texts("accuracy.relative"), ticksuffix="%", range=[-reach, reach])
    return figure
