"""The sections of a report: what each figure means, its charts and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from core.accuracy.scores import Score
from core.forecast_schema import HORIZONS_MIN
from core.number_format import price_decimals
from core.wording import message, say
from model.backtesting.report.charts import line_chart, ratio_chart, reliability_chart
from model.backtesting.report.format import day, integer, number, percent, span, timestamp
from model.backtesting.report.parts import Figure, Report, Section, Table

__all__ = ["figures", "headline", "notes", "rolling_ratio", "sections"]

_SCORES: Final = ("forecasts", "pinball", "in_50", "in_80", "in_90", "in_95", "winkler", "mae", "direction")
"""Headings of a score's cells, by their code; `in_80` is the share of prices inside the 80 % interval."""

_ROLLING_DAYS: Final = 7


def headline(report: Report) -> str:
    """One sentence on how good the forecasts were, and how certain that is."""
    relative, interval = report.evaluation.block.overall.relative_pinball, report.evaluation.interval
    if relative is None:
        return _text("nothing_moved")
    better = relative <= 1
    sentence = _text("loss_lower" if better else "loss_higher", share=percent(abs(1 - relative)))
    if interval is None:
        return _text("few_days", sentence=sentence)
    doubt = "headline_doubtful" if interval[0] <= 1 <= interval[1] else "headline"
    return _text(doubt, sentence=sentence, ratio=number(relative), interval=span(interval))


def figures(report: Report) -> list[Figure]:
    """The numbers to see first."""
    overall = report.evaluation.block.overall
    if overall.hit_low is None or overall.hit_high is None:
        hit_note = _text("no_direction")
    else:
        low, high, rises = percent(overall.hit_low), percent(overall.hit_high), percent(overall.rise_share)
        hit_note = _text("hit_note", low=low, high=high, rises=rises)
    interval = _text("interval_95", interval=span(report.evaluation.interval))
    made = _text("of_forecasts", forecasts=integer(overall.forecasts))
    return [
        Figure(_text("figure.pinball"), number(overall.relative_pinball), interval),
        Figure(_text("figure.inside_80"), percent(overall.coverage[80]), _text("ideal", level=80)),
        Figure(_text("figure.inside_95"), percent(overall.coverage[95]), _text("ideal", level=95)),
        Figure(_text("figure.mae"), number(overall.mae_ratio, 4), _text("note.mae")),
        Figure(_text("figure.hit_rate"), percent(overall.hit_rate), hit_note),
        Figure(_text("figure.brier"), number(overall.brier, 4), _text("note.brier")),
        *(
            Figure(_text(f"figure.{name}"), number(own, 4), _text("note.constant", constant=number(constant, 4)))
            for name, own, constant in (
                ("beyond_brier", overall.beyond_brier, overall.beyond_brier_constant),
                ("touch_brier", overall.touch_brier, overall.touch_brier_constant),
            )
        ),
        Figure(_text("figure.p_value"), number(overall.better_p_value, 4), _text("note.p_value")),
        Figure(_text("figure.model_share"), percent(overall.model_share), made),
    ]


def notes(report: Report) -> str:
    """The period, which coins stay out of the overall figures, and what was not scored."""
    evaluation = report.evaluation
    parts = [_text("origins", first=timestamp(report.first_origin), last=timestamp(report.last_origin))]
    if evaluation.block.excluded_stable_coins:
        parts.append(say(message("score.apart", coins=", ".join(evaluation.block.excluded_stable_coins))))
    if evaluation.unknown:
        parts.append(_text("unknown", forecasts=integer(evaluation.unknown)))
    return " ".join(parts)


def sections(report: Report) -> list[Section]:
    """All sections in the order of the page."""
    rivals = [_rivals(report)] if report.rivals else []
    return [
        *rivals,
        _by_horizon(report),
        _by_coin(report),
        _by_regime(report),
        _calibration(report),
        _over_time(report),
        _misses(report),
    ]


def rolling_ratio(scores: Sequence[Score], days: int = _ROLLING_DAYS) -> list[float | None]:
    """Mean of the relative pinball loss over the last `days` days, weighted by forecasts."""
    means: list[float | None] = []
    for end in range(1, len(scores) + 1):
        window = scores[max(end - days, 0) : end]
        known = [(s.relative_pinball, s.forecasts) for s in window if s.relative_pinball is not None]
        total = sum(weight for _, weight in known)
        means.append(sum(ratio * weight for ratio, weight in known) / total if total else None)
    return means


def _rivals(report: Report) -> Section:
    rows = [
        [
            name,
            number(rival.score.relative_pinball),
            number(rival.difference.difference, 4),
            span(rival.difference.interval, 4),
            percent(rival.score.coverage[80]),
            integer(rival.difference.forecasts),
        ]
        for name, rival in report.rivals.items()
    ]
    headings = _headings("method", "relative_pinball", "difference", "interval", "inside_80", "shared")
    return Section(_text("rivals.title"), _text("rivals.text"), tables=[Table(headings, rows)])


def _by_horizon(report: Report) -> Section:
    scores = {f"{horizon} min": score for horizon, score in report.evaluation.block.by_horizon.items()}
    chart = ratio_chart({name: s.relative_pinball for name, s in scores.items()}, _text("horizon.chart"))
    return Section(_text("horizon.title"), _text("horizon.text"), [chart], [_score_table("horizon", scores)])


def _by_coin(report: Report) -> Section:
    scores = report.evaluation.block.by_coin
    order = sorted(scores, key=lambda coin: (scores[coin].relative_pinball is None, scores[coin].relative_pinball or 0))
    ranked = {coin: scores[coin] for coin in order}
    chart = ratio_chart({coin: s.relative_pinball for coin, s in ranked.items()}, _text("coin.chart"))
    ratios = [[report.evaluation.grid[coin].get(horizon) for horizon in HORIZONS_MIN] for coin in order]
    rows = [[coin, *(number(ratio) for ratio in row)] for coin, row in zip(order, ratios, strict=True)]
    grid = Table((*_headings("coin"), *(f"{horizon} min" for horizon in HORIZONS_MIN)), rows, ratios)
    return Section(_text("coin.title"), _text("coin.text"), [chart], [_score_table("coin", ranked), grid])


def _by_regime(report: Report) -> Section:
    scores = {_text(f"regime.{name}"): score for name, score in report.evaluation.by_regime.items()}
    return Section(_text("regime.title"), _text("regime.text"), tables=[_score_table("regime", scores)])


def _calibration(report: Report) -> Section:
    evaluation = report.evaluation
    ends = (HORIZONS_MIN[0], HORIZONS_MIN[-1])
    curves = {_text("all_horizons"): evaluation.reliability} | {
        f"{horizon} min": evaluation.reliability_by_horizon[horizon]
        for horizon in ends
        if horizon in evaluation.reliability_by_horizon
    }
    rows = [[name, *(percent(share) for share in curve.values())] for name, curve in curves.items()]
    headings = (*_headings("quantile"), *(percent(level) for level in evaluation.reliability))
    text = _text("calibration.text", worst=_worst_weeks(report))
    chart = reliability_chart(curves, _text("calibration.chart"))
    return Section(_text("calibration.title"), text, [chart], [Table(headings, rows)])


def _over_time(report: Report) -> Section:
    days = report.evaluation.block.by_day
    series = {
        _text("one_day"): [score.relative_pinball for score in days.values()],
        _text("rolling_days", days=_ROLLING_DAYS): rolling_ratio(list(days.values())),
    }
    chart = line_chart([day(name) for name in days], series, _text("time.chart"))
    weeks = {_week(name): score for name, score in report.evaluation.by_week.items()}
    return Section(_text("time.title"), _text("time.text"), [chart], [_score_table("week", weeks)])


def _misses(report: Report) -> Section:
    headings = _headings("coin", "origin", "horizon", "price_origin", "band_95", "price_actual", "distance")
    rows = [
        [
            miss.coin,
            timestamp(miss.origin),
            f"{miss.horizon_min} min",
            _price(miss.price_origin),
            _text("from_to", low=_price(miss.low), high=_price(miss.high)),
            _price(miss.actual),
            number(miss.distance, 1),
        ]
        for miss in report.misses
    ]
    return Section(_text("misses.title"), _text("misses.text"), tables=[Table(headings, rows)])


def _score_table(name: str, scores: Mapping[str, Score]) -> Table:
    rows = [
        [
            label,
            integer(score.forecasts),
            number(score.relative_pinball),
            *(percent(share) for share in score.coverage.values()),
            number(score.winkler_ratio),
            number(score.mae_ratio, 4),
            percent(score.hit_rate),
        ]
        for label, score in scores.items()
    ]
    return Table(_headings(name, *_SCORES), rows)


def _worst_weeks(report: Report) -> str:
    """For each interval the week whose coverage is farthest from what was promised."""
    parts = []
    for nominal in report.evaluation.block.overall.coverage:
        seen = {name: score.coverage[nominal] for name, score in report.evaluation.by_week.items()}
        share = max(seen.values(), key=partial(_distance, nominal / 100))
        worst = next(name for name in seen if seen[name] == share)
        parts.append(_text("instead_of", share=percent(share), nominal=nominal, week=_week(worst)))
    return _text("worst_weeks", weeks="; ".join(parts))


def _distance(target: float, share: float) -> float:
    return abs(share - target)


def _week(iso_week: str) -> str:
    """`2024-W09` as week 9/2024."""
    year, week = iso_week.split("-W")
    return _text("week", week=int(week), year=year)


def _price(value: float) -> str:
    """A price with as many digits as its size needs."""
    return number(value, price_decimals(value))


def _text(code: str, **values: str | int) -> str:
    return say(message(f"report.{code}", **values))


def _headings(*codes: str) -> tuple[str, ...]:
    return tuple(_text(f"heading.{code}") for code in codes)
