"""Sentences: what a coin's forecast means, how far it could be trusted, and why its range is as wide as it is."""

from __future__ import annotations

import streamlit as st

from core.accuracy.scores import MetricsBlock
from core.errors import DamagedFile, NotReady
from core.reading.answers import hours_ahead, outlook
from core.reading.track_record import record_of_week
from core.times import now_ms
from dashboard.charts.coin_words import outlook_sentence, record_sentence, usual_hour, width_reasons
from dashboard.shell.context import ViewContext, escape_markdown

__all__ = ["draw_outlook", "draw_reasons"]


def draw_outlook(view: ViewContext, coin: str) -> None:
    """Draw the sentence on the next hour and the one on the last week; nothing before the first forecast."""
    try:
        forecast = view.readers.forecast(coin)
    except NotReady:
        return
    formats, texts = view.formats, view.texts
    st.markdown(f"## {escape_markdown(outlook_sentence(view.names.get(coin, coin), forecast, formats, texts))}")
    live, backtest = record_of_week(view.readers, coin, now_ms())
    st.markdown(escape_markdown(record_sentence(live, backtest, formats, texts)))


def draw_reasons(view: ViewContext, coin: str) -> None:
    """Draw what makes the range wide or narrow now; nothing before the first forecast."""
    try:
        known = outlook(view.readers, coin)
    except NotReady:
        return
    hours = hours_ahead(view.readers).values()
    market = [hour.activity_percentile for hour in hours if hour.activity_percentile is not None]
    usual = usual_hour(_scores(view, coin), now_ms())
    words = (view.formats, view.texts)
    reasons = width_reasons(known.activity_percentile, market, usual, known.last_hour, words)
    with st.container(border=True, key="reasons"):
        st.markdown(f"**{view.texts('coin.reasons')}**", help=view.texts("coin.reasons_help"))
        for reason in reasons or [view.texts("coin.reasons_none")]:
            st.markdown(f"- {escape_markdown(reason)}")


def _scores(view: ViewContext, coin: str) -> MetricsBlock | None:
    """The live scores of the coin, or those of the backtest while there are too few."""
    try:
        metrics = view.readers.metrics(coin)
    except (NotReady, DamagedFile):
        return None
    known = [block for block in (metrics.live, metrics.backtest) if block is not None]
    return max(known, key=lambda block: block.overall.hours, default=None)
