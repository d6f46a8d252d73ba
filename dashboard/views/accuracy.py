"""View of the forecasts' accuracy: what may be concluded, in sentences, and then the evidence."""

from __future__ import annotations

from typing import Final

import streamlit as st

from core.accuracy.scores import Metrics, MetricsBlock, Score
from core.errors import DamagedFile, NotReady
from core.reading.misses import worst_misses
from core.reading.values import LoggedForecast
from core.times import HOUR_MS
from dashboard.charts.accuracy import (
    by_clock_chart,
    by_coin_chart,
    by_day_chart,
    by_horizon_chart,
    interval_coverage_chart,
    miss_chart,
)
from dashboard.charts.figure import Chart, Figure, chart_json
from dashboard.charts.tables import score_table
from dashboard.charts.verdicts import (
    Verdict,
    direction_verdict,
    horizons_text,
    may_speak,
    ranges_verdict,
    scored_span,
    skill_interval,
    skill_verdict,
)
from dashboard.shell.chart import show_chart
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.live import live
from dashboard.shell.query_choices import choose_coin, query_choice, segmented

__all__ = ["VIEW", "show"]

_EVIDENCE: Final = ("ao_vivo", "backtest")
_SCOPES: Final = ("todas", "moeda")
_MISSES: Final = 4
_MISS_PRICES: Final = 1000
_VISIBLE: Final = 0.0005
"""A ratio nearer to 1 looks like 1 with three decimals: it says nothing and is not shown."""


def show(view: ViewContext) -> None:
    """Draw the choices of evidence and coins; the scores below them follow the data."""
    texts = view.texts
    with st.container(horizontal=True, vertical_alignment="bottom"):
        switch = segmented(texts("evidence.label"))
        evidence = query_choice(
            "prova", _EVIDENCE, _first_evidence(view), switch, lambda name: texts(f"evidence.{name}")
        )
        switch = segmented(texts("scope.label"))
        scope = query_choice("alcance", _SCOPES, _SCOPES[0], switch, lambda name: texts(f"scope.{name}"))
        coin = choose_coin(view) if scope == "moeda" else None
    live(_scores, "scores")(view, evidence, coin)


def _first_evidence(view: ViewContext) -> str:
    """The evidence shown by default: live scores, or the backtest while there are none.

    If nothing can be read, the scores below show the reason.
    """
    try:
        metrics = view.readers.metrics(None)
    except (NotReady, DamagedFile):
        return "ao_vivo"
    return "backtest" if metrics.live is None and metrics.backtest is not None else "ao_vivo"


def _scores(view: ViewContext, evidence: str, coin: str | None) -> None:
    with showing_errors(view):
        metrics: Metrics = view.readers.metrics(coin)
        block = metrics.live if evidence == "ao_vivo" else metrics.backtest
        if block is None:
            st.info(view.texts(f"accuracy.none_{evidence}"), icon=":material/hourglass_top:")
            return
        _conclusions(view, block, evidence)
        _cards(view, block)
        _charts(view, block, coin)
        if evidence == "ao_vivo":
            _misses(view, coin)
        if coin is None:
            _table(view, block)


def _conclusions(view: ViewContext, block: MetricsBlock, evidence: str) -> None:
    formats, texts, score = view.formats, view.texts, block.overall
    _verdict(ranges_verdict(block, formats, texts), ":material/target:")
    _verdict(skill_verdict(score, formats, texts), ":material/balance:")
    st.markdown(escape_markdown(direction_verdict(score, formats, texts)))
    st.caption(
        texts(
            f"accuracy.period_{evidence}",
            count=formats.number(score.forecasts),
            coins=formats.number(len(block.by_coin)),
            horizons=horizons_text(block, texts),
            span=scored_span(score, formats),
            start=escape_markdown(formats.date_time(score.start_ms)),
            end=escape_markdown(formats.date_time(score.end_ms)),
        )
    )


def _verdict(verdict: Verdict, icon: str) -> None:
    colour, sentence = verdict
    kind = {"green": st.success, "red": st.error, "orange": st.warning, "blue": st.info}[colour]
    kind(escape_markdown(sentence), icon=icon)


def _cards(view: ViewContext, block: MetricsBlock) -> None:
    formats, texts, score = view.formats, view.texts, block.overall
    skill, interval = skill_interval(score, formats, texts)
    promised = texts("accuracy.of_80", horizons=horizons_text(block, texts))
    cards = [
        ("coverage", formats.percent(100 * score.coverage[80], 1), promised),
        ("skill", skill, interval),
        ("width", formats.percent(score.width_80_percent), None),
        *_level_cards(view, score),
        *_direction_cards(view, score),
        ("model", formats.percent(100 * score.model_share, 0), None),
    ]
    with st.grid(4, min_column_width=150, gap="small", key="scores"):
        for name, value, detail in cards:
            st.metric(
                texts(f"accuracy.{name}"), escape_markdown(value), escape_markdown(detail) if detail else None,
                delta_color="off", delta_arrow="off", help=texts(f"accuracy.{name}_help"),
                border=True, height="stretch",
            )  # fmt: skip


def _level_cards(view: ViewContext, score: Score) -> list[tuple[str, str, str | None]]:
    """Brier scores of ending beyond a level and of touching it, beside those of knowing the frequency alone."""
    pairs = (
        ("beyond", score.beyond_brier, score.beyond_brier_constant),
        ("touch", score.touch_brier, score.touch_brier_constant),
    )
    return [
        (name, view.formats.ratio(brier), view.texts("accuracy.against", constant=view.formats.ratio(constant)))
        for name, brier, constant in pairs
        if brier is not None and constant is not None
    ]


def _direction_cards(view: ViewContext, score: Score) -> list[tuple[str, str, str | None]]:
    """Scores of mean and direction, where the forecasts differ from "the price stays"."""
    formats, texts = view.formats, view.texts
    cards: list[tuple[str, str, str | None]] = []
    if score.mae_ratio is not None and score.mae_percent is not None and abs(score.mae_ratio - 1) >= _VISIBLE:
        detail = texts("accuracy.mae_is", percent=formats.percent(score.mae_percent, 3))
        cards.append(("mae", formats.ratio(score.mae_ratio), detail))
    if score.hit_rate is not None and score.hit_low is not None and score.hit_high is not None:
        low, high = (formats.percent(100 * value, 1) for value in (score.hit_low, score.hit_high))
        cards.append(("hits", formats.percent(100 * score.hit_rate, 1), texts("accuracy.between", low=low, high=high)))
        cards.append(("brier", formats.ratio(score.brier), texts("accuracy.coin_toss")))
    return cards


def _charts(view: ViewContext, block: MetricsBlock, coin: str | None) -> None:
    formats, texts = view.formats, view.texts
    with st.grid(2, min_column_width=330):
        _chart_card(view, "reliability", interval_coverage_chart(block.overall, formats, texts))
        _chart_card(view, "by_clock", by_clock_chart(block.by_hour_of_day, block.overall.end_ms, formats, texts))
        if may_speak(block.overall):
            _chart_card(view, "by_horizon", by_horizon_chart(block.by_horizon, formats, texts))
            _chart_card(view, "by_day", by_day_chart(block.by_day, formats, texts))
    if not may_speak(block.overall):
        st.caption(texts("accuracy.charts_early"))
    elif coin is None:
        moving = {name: score for name, score in block.by_coin.items() if name not in block.excluded_stable_coins}
        _chart_card(view, "by_coin", by_coin_chart(moving, view.names, formats, texts))


def _chart_card(view: ViewContext, name: str, figure: Figure) -> None:
    title = view.texts(f"accuracy.chart_{name}")
    with st.container(border=True, key=f"card_{name}"):
        st.markdown(f"**{title}**", help=view.texts(f"accuracy.chart_{name}_help"))
        around = Chart(title=title, file=f"precisao-{name}", alt=title, view=name)
        show_chart(chart_json(figure, around, view.formats), key=name)


def _misses(view: ViewContext, coin: str | None) -> None:
    misses = worst_misses(view.readers, coin, _MISSES)
    st.markdown(f"**{view.texts('accuracy.misses')}**", help=view.texts("accuracy.misses_help"))
    if not misses:
        st.caption(view.texts("accuracy.no_misses"))
        return
    with st.grid(2, min_column_width=330):
        for place, miss in enumerate(misses):
            with st.container(border=True):
                _miss(view, miss, place)


def _miss(view: ViewContext, miss: LoggedForecast, place: int) -> None:
    formats = view.formats
    name = view.names.get(miss.coin_id, miss.coin_id)
    sentence = view.texts(
        "accuracy.miss",
        coin=name,
        moment=formats.date_time(miss.target_ms),
        range=formats.price_range(miss.low_80, miss.high_80),
        actual=formats.price(miss.actual),
    )
    st.markdown(escape_markdown(sentence))
    start_ms, end_ms = miss.origin_ms - HOUR_MS, miss.target_ms + HOUR_MS // 2
    prices = view.readers.history(miss.coin_id, start_ms, end_ms, _MISS_PRICES)[::-1]
    points = ([price.ts_ms for price in prices], [price.price for price in prices])
    around = Chart(title=name, file=f"erro-{miss.coin_id}", alt=sentence, view=f"{miss.coin_id} {miss.origin_ms}")
    show_chart(chart_json(miss_chart(miss, points, view.chart_style), around, formats), key=f"miss_{place}")


def _table(view: ViewContext, block: MetricsBlock) -> None:
    texts = view.texts
    if block.excluded_stable_coins:
        coins = ", ".join(view.names.get(name, name) for name in block.excluded_stable_coins)
        st.caption(escape_markdown(texts("accuracy.apart", coins=coins)))
    with st.expander(texts("accuracy.table"), icon=":material/table_rows:"):
        table = score_table(block.by_coin, view.names, view.formats, texts)
        st.dataframe(table, hide_index=True, key="score_table")


VIEW: Final = View("precisao", ":material/target:", position=2, show=show, also=("acuracia", "acertos", "accuracy"))
