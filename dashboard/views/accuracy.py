"""View of the forecasts' accuracy: loss relative to "the price stays", and coverage of the intervals."""

from __future__ import annotations

from typing import Final

import streamlit as st

from core.accuracy.scores import Metrics, MetricsBlock, Score
from core.accuracy.significance import MINIMUM_LENGTH
from core.errors import DamagedFile, NotReady
from dashboard.charts.accuracy import by_coin_chart, by_day_chart, by_horizon_chart, interval_coverage_chart
from dashboard.charts.figure import Chart, Figure, chart_json
from dashboard.charts.tables import score_table
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.shell.chart import show_chart
from dashboard.shell.context import View, ViewContext, escape_markdown, showing_errors
from dashboard.shell.query_choices import choose_coin, query_choice, segmented

__all__ = ["VIEW", "show", "verdict"]

_EVERY: Final = "5s"
_EVIDENCE: Final = ("ao_vivo", "backtest")
_SCOPES: Final = ("todas", "moeda")
_CONFIDENT: Final = 0.05


def show(view: ViewContext) -> None:
    """Draw the choices of evidence and coins; the scores below them refresh every five seconds."""
    texts = view.texts
    st.markdown(texts("accuracy.intro"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        switch = segmented(texts("evidence.label"))
        evidence = query_choice(
            "prova", _EVIDENCE, _first_evidence(view), switch, lambda name: texts(f"evidence.{name}")
        )
        switch = segmented(texts("scope.label"))
        scope = query_choice("alcance", _SCOPES, _SCOPES[0], switch, lambda name: texts(f"scope.{name}"))
        coin = choose_coin(view) if scope == "moeda" else None
    st.fragment(_scores, run_every=_EVERY)(view, evidence, coin)


def _first_evidence(view: ViewContext) -> str:
    """The evidence shown by default: live scores, or the backtest while there are none.

    If nothing can be read, the scores below show the reason.
    """
    try:
        metrics = view.readers.metrics(None)
    except (NotReady, DamagedFile):
        return "ao_vivo"
    return "backtest" if metrics.live is None and metrics.backtest is not None else "ao_vivo"


def verdict(score: Score, formats: Formats, texts: Texts) -> tuple[str, str]:
    """A colour and a sentence with the conclusion that hours and p-value allow."""
    if score.hours < MINIMUM_LENGTH or score.better_p_value is None or score.skill is None:
        return "blue", texts("verdict.early", hours=score.hours, needed=MINIMUM_LENGTH)
    gain = formats.percent(abs(100 * score.skill))
    if score.better_p_value < _CONFIDENT:
        return "green", texts("verdict.better", gain=gain, p=_p_value(score.better_p_value, formats))
    if score.better_p_value > 1 - _CONFIDENT:
        return "red", texts("verdict.worse", gain=gain)
    return "orange", texts("verdict.even", gain=formats.percent(100 * score.skill, signed=True))


def _p_value(p: float, formats: Formats) -> str:
    return f"< {formats.number(0.001, 3)}" if p < 0.001 else f"= {formats.number(p, 3)}"


def _scores(view: ViewContext, evidence: str, coin: str | None) -> None:
    with showing_errors(view):
        metrics: Metrics = view.readers.metrics(coin)
        block = metrics.live if evidence == "ao_vivo" else metrics.backtest
        if block is None:
            st.info(view.texts(f"accuracy.none_{evidence}"), icon=":material/hourglass_top:")
            return
        _headline(view, block.overall, evidence)
        _cards(view, block.overall)
        _charts(view, block, coin)


def _headline(view: ViewContext, score: Score, evidence: str) -> None:
    formats, texts = view.formats, view.texts
    st.markdown(
        texts(
            f"accuracy.period_{evidence}",
            count=formats.number(score.forecasts),
            hours=formats.number(score.hours),
            start=escape_markdown(formats.date_time(score.start_ms)),
            end=escape_markdown(formats.date_time(score.end_ms)),
        )
    )
    colour, sentence = verdict(score, formats, texts)
    kind = {"green": st.success, "red": st.error, "orange": st.warning, "blue": st.info}[colour]
    kind(sentence, icon=":material/balance:")


def _cards(view: ViewContext, score: Score) -> None:
    formats, texts = view.formats, view.texts
    share = 100.0
    hit = "—" if score.hit_rate is None else formats.percent(share * score.hit_rate, 1)
    sure = (
        None
        if score.hit_low is None or score.hit_high is None
        else texts(
            "accuracy.between",
            low=formats.percent(share * score.hit_low, 1),
            high=formats.percent(share * score.hit_high, 1),
        )
    )
    covered = score.coverage.get(80)
    values = (
        ("skill", formats.percent(None if score.skill is None else share * score.skill, signed=True), None),
        ("mae", formats.ratio(score.mae_ratio), _optional(texts, "accuracy.mae_is", formats, score.mae_percent)),
        ("coverage", formats.percent(None if covered is None else share * covered, 1), texts("accuracy.of_80")),
        ("width", formats.percent(score.width_80_percent), None),
        ("hits", hit, sure),
        ("brier", formats.ratio(score.brier), texts("accuracy.coin_toss")),
        ("model", formats.percent(share * score.model_share, 0), None),
    )
    with st.grid(4, min_column_width=150, gap="small"):
        for name, value, detail in values:
            st.metric(
                texts(f"accuracy.{name}"), escape_markdown(value), escape_markdown(detail) if detail else None,
                delta_color="off", delta_arrow="off", help=texts(f"accuracy.{name}_help"),
                border=True, height="stretch",
            )  # fmt: skip


def _optional(texts: Texts, key: str, formats: Formats, percent: float | None) -> str | None:
    return None if percent is None else texts(key, percent=formats.percent(percent, 3))


def _charts(view: ViewContext, block: MetricsBlock, coin: str | None) -> None:
    formats, texts = view.formats, view.texts
    with st.grid(2, min_column_width=330):
        _chart_card(view, "reliability", interval_coverage_chart(block.overall, formats, texts))
        _chart_card(view, "by_horizon", by_horizon_chart(block.by_horizon, formats, texts))
        _chart_card(view, "by_day", by_day_chart(block.by_day, formats, texts))
        if coin is None:
            _chart_card(view, "by_coin", by_coin_chart(block.by_coin, view.names, formats, texts))
    if coin is None:
        if block.excluded_stable_coins:
            st.caption(
                texts(
                    "accuracy.apart",
                    coins=", ".join(view.names.get(name, name) for name in block.excluded_stable_coins),
                )
            )
        with st.expander(texts("accuracy.table"), icon=":material/table_rows:"):
            st.dataframe(score_table(block.by_coin, view.names, formats, texts), hide_index=True, key="score_table")


def _chart_card(view: ViewContext, name: str, figure: Figure) -> None:
    title = view.texts(f"accuracy.chart_{name}")
    with st.container(border=True, key=f"card_{name}"):
        st.markdown(f"**{title}**", help=view.texts(f"accuracy.chart_{name}_help"))
        around = Chart(title=title, file=f"precisao-{name}", alt=title, view=name)
        show_chart(chart_json(figure, around, view.formats), key=name)


VIEW: Final = View("precisao", ":material/target:", position=2, show=show)
