"""The sections of a report, in Portuguese: what each figure means, its charts and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from core.accuracy.scores import Score
from core.forecast_schema import HORIZONS_MIN
from core.number_format import price_decimals
from model.backtesting.report.charts import line_chart, ratio_chart, reliability_chart
from model.backtesting.report.format import day, integer, moment, number, percent, span
from model.backtesting.report.parts import Figure, Report, Section, Table

__all__ = ["figures", "headline", "notes", "rolling_ratio", "sections"]

_SCORES: Final = (
    "previsões",
    "pinball rel.",
    "em 50 %",
    "em 80 %",
    "em 90 %",
    "em 95 %",
    "Winkler rel.",
    "MAE rel.",
    "direção",
)
"""Headings of a score's cells; `em 80 %` is the share of prices inside the 80 % interval."""

_ROLLING_DAYS: Final = 7


def headline(report: Report) -> str:
    """One sentence that says how good the forecasts were, and how sure that is."""
    relative, interval = report.evaluation.block.overall.relative_pinball, report.evaluation.interval
    if relative is None:
        return "Nenhum preço se moveu no período: não há com que comparar."
    change = "menor" if relative <= 1 else "maior"
    sentence = f"A perda pinball foi {percent(abs(1 - relative))} {change} do que a de «o preço fica»"
    if interval is None:
        return f"{sentence}; os dias são poucos para dizer com que certeza."
    doubt = "; o intervalo inclui 1: pode ser acaso" if interval[0] <= 1 <= interval[1] else ""
    return f"{sentence} (razão {number(relative)}, intervalo de 95 %: {span(interval)}{doubt})."


def figures(report: Report) -> list[Figure]:
    """The numbers to see first."""
    overall = report.evaluation.block.overall
    if overall.hit_low is None or overall.hit_high is None:
        hit_note = "nenhuma direção foi prevista"
    else:
        hit_note = (
            f"95 %: {percent(overall.hit_low)} a {percent(overall.hit_high)}; subidas: {percent(overall.rise_share)}"
        )
    return [
        Figure("Pinball relativo", number(overall.relative_pinball), f"95 %: {span(report.evaluation.interval)}"),
        Figure("Dentro da faixa de 80 %", percent(overall.coverage[80]), "ideal: 80 %"),
        Figure("Dentro da faixa de 95 %", percent(overall.coverage[95]), "ideal: 95 %"),
        Figure("MAE / ingênuo", number(overall.mae_ratio, 4), "1 = igual a «o preço fica»"),
        Figure("Acerto de direção", percent(overall.hit_rate), hit_note),
        Figure("Brier da alta", number(overall.brier, 4), "0,25 = cara ou coroa"),
        Figure("Valor-p", number(overall.better_p_value, 4), "Diebold-Mariano: pequeno = não é acaso"),
        Figure("Feitas pelo modelo", percent(overall.model_share), f"de {integer(overall.forecasts)} previsões"),
    ]


def notes(report: Report) -> str:
    """The period, which coins stay out of the overall figures, and what was not scored."""
    evaluation = report.evaluation
    parts = [f"Origens de {moment(report.first_origin)} a {moment(report.last_origin)} (UTC)."]
    if evaluation.block.apart:
        parts.append(f"À parte, por quase não se moverem: {', '.join(evaluation.block.apart)}.")
    if evaluation.unknown:
        parts.append(f"Sem preço observado ou sem referência, não avaliadas: {integer(evaluation.unknown)}.")
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
    headings = ("método", "pinball relativo", "diferença", "intervalo de 95 %", "dentro de 80 %", "em comum")
    text = (
        "Outros métodos no mesmo período, avaliados pelo mesmo código. A diferença é a nossa razão menos a do outro, "
        "nas previsões que os dois fizeram: negativa, a nossa é melhor. No intervalo, cada dia conta como um só dado."
    )
    return Section("Outros métodos", text, tables=[Table(headings, rows)])


def _by_horizon(report: Report) -> Section:
    scores = {f"{horizon} min": score for horizon, score in report.evaluation.block.by_horizon.items()}
    text = (
        "Pinball relativo: a perda pinball dividida pela da referência «o preço fica», que leva a dispersão dos "
        "últimos 14 dias. Abaixo de 1 a previsão é melhor; a barra mostra a distância até 1. Na tabela, «em 80 %» "
        "é a parte dos preços observados dentro da faixa de 80 %."
    )
    chart = ratio_chart({name: s.relative_pinball for name, s in scores.items()}, "Pinball relativo por horizonte")
    return Section("Por horizonte", text, [chart], [_score_table("horizonte", scores)])


def _by_coin(report: Report) -> Section:
    scores = report.evaluation.block.by_coin
    order = sorted(scores, key=lambda coin: (scores[coin].relative_pinball is None, scores[coin].relative_pinball or 0))
    ranked = {coin: scores[coin] for coin in order}
    chart = ratio_chart({coin: s.relative_pinball for coin, s in ranked.items()}, "Pinball relativo por moeda")
    ratios = [[report.evaluation.grid[coin].get(horizon) for horizon in HORIZONS_MIN] for coin in order]
    rows = [[coin, *(number(ratio) for ratio in row)] for coin, row in zip(order, ratios, strict=True)]
    grid = Table(("moeda", *(f"{horizon} min" for horizon in HORIZONS_MIN)), rows, ratios)
    text = "A mesma razão, moeda por moeda. A nota geral é a média destas razões: cada moeda pesa igual."
    return Section("Por moeda", text, [chart], [_score_table("moeda", ranked), grid])


def _by_regime(report: Report) -> Section:
    text = "Calmo, normal e agitado são os terços da volatilidade de cada moeda no dia anterior à origem."
    return Section("Por regime", text, tables=[_score_table("regime", report.evaluation.by_regime)])


def _calibration(report: Report) -> Section:
    evaluation = report.evaluation
    ends = (HORIZONS_MIN[0], HORIZONS_MIN[-1])
    curves = {"todos os horizontes": evaluation.reliability} | {
        f"{horizon} min": evaluation.reliability_by_horizon[horizon]
        for horizon in ends
        if horizon in evaluation.reliability_by_horizon
    }
    rows = [[name, *(percent(share) for share in curve.values())] for name, curve in curves.items()]
    headings = ("quantil", *(percent(level) for level in evaluation.reliability))
    text = (
        "Que parte dos preços observados ficou abaixo de cada quantil previsto. Sobre a diagonal, as faixas cumprem "
        f"o que prometem. {_worst_weeks(report)}"
    )
    return Section(
        "Calibração", text, [reliability_chart(curves, "Quantis previstos e observados")], [Table(headings, rows)]
    )


def _over_time(report: Report) -> Section:
    days = report.evaluation.block.by_day
    series = {
        "um dia": [score.relative_pinball for score in days.values()],
        f"média de {_ROLLING_DAYS} dias": rolling_ratio(list(days.values())),
    }
    chart = line_chart([day(name) for name in days], series, "Pinball relativo por dia")
    weeks = {_week(name): score for name, score in report.evaluation.by_week.items()}
    text = "Pinball relativo de cada dia e a média dos últimos sete."
    return Section("Ao longo do tempo", text, [chart], [_score_table("semana", weeks)])


def _misses(report: Report) -> Section:
    headings = (
        "moeda",
        "origem (UTC)",
        "horizonte",
        "preço na origem",
        "faixa de 95 %",
        "preço observado",
        "distância",
    )
    rows = [
        [
            miss.coin,
            moment(miss.origin),
            f"{miss.horizon_min} min",
            _price(miss.price_origin),
            f"{_price(miss.low)} a {_price(miss.high)}",
            _price(miss.actual),
            number(miss.distance, 1),
        ]
        for miss in report.misses
    ]
    text = (
        "Os preços observados mais longe da faixa de 95 %. A distância é contada em meias larguras da faixa; "
        "no máximo um erro por moeda a cada três horas."
    )
    return Section("Maiores erros", text, tables=[Table(headings, rows)])


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
    return Table((name, *_SCORES), rows)


def _worst_weeks(report: Report) -> str:
    """For each interval the week whose coverage is farthest from what was promised."""
    parts = []
    for nominal in report.evaluation.block.overall.coverage:
        seen = {name: score.coverage[nominal] for name, score in report.evaluation.by_week.items()}
        share = max(seen.values(), key=partial(_distance, nominal / 100))
        worst = next(name for name in seen if seen[name] == share)
        parts.append(f"{percent(share)} em vez de {nominal} % ({_week(worst)})")
    return f"Pior semana de cada faixa: {'; '.join(parts)}."


def _distance(target: float, share: float) -> float:
    return abs(share - target)


def _week(iso_week: str) -> str:
    """`2024-W09` as `semana 9/2024`."""
    year, week = iso_week.split("-W")
    return f"semana {int(week)}/{year}"


def _price(value: float) -> str:
    """A price with as many digits as its size needs."""
    return number(value, price_decimals(value))
