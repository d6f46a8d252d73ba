"""Convert the values of core into the bodies of the answers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from api.forecast_schemas import (
    ChangeRange,
    Forecast,
    Interval,
    LevelAnswer,
    ModelInfo,
    Position,
    RegimeName,
    RiskAnswer,
    TrajectoryStep,
    Trust,
    UntestedReason,
    UnusualHour,
)
from api.schemas import MetricsAnswer, ScoreBlock, ScoreValues
from core.accuracy.scores import Metrics, MetricsBlock, Score
from core.answers import unusual
from core.answers.portfolio import PortfolioRisk
from core.answers.regime import Regime
from core.forecast_schema import COLUMN_OF_QUANTILE, INTERVALS, forecast_id
from core.price_store import Coin
from core.reading.answers import LevelChance, Outlook, PortfolioOutlook
from core.reading.csv_export import attribution
from core.reading.trust import Trust as CoinTrust
from core.reading.trust import Untested
from core.reading.values import ForecastStep
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import HOUR_MS, MINUTE_MS, iso
from core.workspace import Workspace

__all__ = [
    "REGIMES",
    "SHOWN_INTERVALS",
    "UNTESTED",
    "forecast",
    "iso_or_none",
    "kinds",
    "level_answer",
    "metrics_answer",
    "risk_answer",
]

SHOWN_INTERVALS: Final = (50, 80, 95)
UNTESTED: Final[Mapping[Untested, UntestedReason]] = {Untested.NO_SCORES: "sem_notas", Untested.TOO_FEW: "poucas"}
_RISK_LEVEL: Final = 95.0
REGIMES: Final[Mapping[Regime, RegimeName]] = {
    Regime.CALM: "calmo",
    Regime.NORMAL: "normal",
    Regime.AGITATED: "agitado",
}


def iso_or_none(ts_ms: int | None) -> str | None:
    """ISO 8601 with offset; None stays None."""
    return None if ts_ms is None else iso(ts_ms)


def forecast(
    coin: Coin,
    outlook: Outlook,
    workspace: Workspace,
    *,
    trust: CoinTrust,
    interval_s: float,
    quantiles: Sequence[float] | None = None,
) -> Forecast:
    """The newest forecast of a coin, for the horizon of its outlook.

    Args:
        coin: whose forecast it is.
        outlook: what the forecast says.
        workspace: where it was published.
        trust: what the scores say of this coin and horizon.
        interval_s: seconds from one publication to the next.
        quantiles: levels among QUANTILES that were asked for.
    """
    view, step = outlook.view, outlook.step
    return Forecast(
        moeda=coin.symbol,
        id=coin.id,
        horario=iso(view.origin_ms),
        horario_previsto=iso(step.target_ms),
        horizonte=step.horizon_min,
        preco_atual=view.price_origin,
        previsao_proxima_hora=view.steps[-1].mean,
        previsao=step.mean,
        variacao_percentual=100.0 * (step.mean / view.price_origin - 1.0),
        probabilidade_alta=step.p_up,
        intervalos={str(percent): _interval(step, percent) for percent in SHOWN_INTERVALS},
        quantis=None if quantiles is None else {f"{q:g}": step.quantiles[COLUMN_OF_QUANTILE[q]] for q in quantiles},
        movimento_esperado_percentual=100.0 * outlook.expected_move,
        faixa_80_percentual=100.0 * outlook.band_80,
        regime=None if outlook.regime is None else REGIMES[outlook.regime],
        regime_percentil=outlook.activity_percentile,
        hora_incomum=None if outlook.last_hour is None else _last_hour(outlook.last_hour),
        trajetoria=[_step(step) for step in view.steps],
        modelo=ModelInfo(tipo=view.kind, versao=view.model_version, treinado_em=iso_or_none(view.trained_ms)),
        confianca=_trust(trust),
        moeda_cotacao=workspace.currency,
        fonte=view.source,
        gerado_em=iso(view.created_ms),
        valido_ate=iso(view.origin_ms + PRICE_TOLERANCE_MS),
        proxima_em=iso(view.created_ms + round(1000 * interval_s)),
        id_previsao=forecast_id(view.source, coin.id, view.origin_ms, step.horizon_min),
    )


def level_answer(coin: Coin, chance: LevelChance, workspace: Workspace) -> LevelAnswer:
    """Chance of a level at one of the horizons."""
    view = chance.view
    return LevelAnswer(
        moeda=coin.symbol,
        id=coin.id,
        horario=iso(view.origin_ms),
        horario_previsto=iso(view.origin_ms + chance.horizon_min * MINUTE_MS),
        horizonte=chance.horizon_min,
        preco_atual=view.price_origin,
        nivel=chance.level,
        probabilidade_acima=chance.above,
        probabilidade_abaixo=chance.below,
        probabilidade_toque=chance.touch,
        moeda_cotacao=workspace.currency,
        fonte=view.source,
        gerado_em=iso(view.created_ms),
    )


def risk_answer(units: Mapping[Coin, float], portfolio: PortfolioOutlook, workspace: Workspace) -> RiskAnswer:
    """Risk of a portfolio of units of coins, in the order of its positions."""
    risk, views = portfolio.risk, portfolio.views
    at_risk, shortfall = risk.value_at_risk[_RISK_LEVEL], risk.expected_shortfall[_RISK_LEVEL]
    oldest_ms = min(view.origin_ms for view in views)
    positions = [
        Position(moeda=coin.symbol, id=coin.id, quantidade=held, preco_atual=view.price_origin, valor=value)
        for (coin, held), view, value in zip(units.items(), views, portfolio.values, strict=True)
    ]
    return RiskAnswer(
        carteira=positions,
        horario=iso(oldest_ms),
        horario_previsto=iso(oldest_ms + HOUR_MS),
        valor=risk.value,
        cenarios=risk.scenarios,
        faixas={str(percent): _change_range(risk, percent) for percent in SHOWN_INTERVALS},
        valor_em_risco_95=at_risk,
        valor_em_risco_95_percentual=100.0 * at_risk / risk.value,
        perda_esperada_95=shortfall,
        perda_esperada_95_percentual=100.0 * shortfall / risk.value,
        moeda_cotacao=workspace.currency,
        fonte=views[0].source,
        gerado_em=iso(max(view.created_ms for view in views)),
    )


def metrics_answer(coin: Coin | None, metrics: Metrics, workspace: Workspace) -> MetricsAnswer:
    """Live and backtest scores of one coin, or of all if `coin` is None."""
    return MetricsAnswer(
        moeda=coin.symbol if coin else None,
        id=coin.id if coin else None,
        moeda_cotacao=workspace.currency,
        fonte=workspace.source.value,
        atribuicao=attribution(workspace.source),
        ao_vivo=_block(metrics.live),
        backtest=_block(metrics.backtest),
    )


def kinds(of_coins: Iterable[str]) -> dict[str, int]:
    """Number of coins per kind of forecast, the most frequent kind first."""
    return dict(Counter(of_coins).most_common())


def _interval(step: ForecastStep, percent: int) -> Interval:
    low, high = INTERVALS[percent]
    return Interval(minimo=step.quantiles[low], maximo=step.quantiles[high])


def _trust(trust: CoinTrust) -> Trust:
    return Trust(
        cobertura_80=trust.coverage_80,
        ganho=trust.skill,
        previsoes=trust.forecasts,
        desde=iso_or_none(trust.since_ms),
        motivo=None if trust.untested is None else UNTESTED[trust.untested],
    )


def _step(step: ForecastStep) -> TrajectoryStep:
    (low_50, high_50), (low_80, high_80), (low_95, high_95) = (
        [step.quantiles[edge] for edge in INTERVALS[percent]] for percent in SHOWN_INTERVALS
    )
    return TrajectoryStep(
        minutos=step.horizon_min,
        horario=iso(step.target_ms),
        previsao=step.mean,
        minimo_50=low_50,
        maximo_50=high_50,
        minimo_80=low_80,
        maximo_80=high_80,
        minimo_95=low_95,
        maximo_95=high_95,
    )


def _last_hour(hour: unusual.UnusualHour) -> UnusualHour:
    return UnusualHour(
        variacao_percentual=100.0 * hour.change, percentil=hour.percentile, probabilidade=hour.probability
    )


def _change_range(risk: PortfolioRisk, percent: int) -> ChangeRange:
    low, high = risk.ranges[percent]
    return ChangeRange(
        minimo=low,
        maximo=high,
        minimo_percentual=100.0 * low / risk.value,
        maximo_percentual=100.0 * high / risk.value,
    )


def _block(block: MetricsBlock | None) -> ScoreBlock | None:
    if block is None:
        return None
    return ScoreBlock(
        geral=_score(block.overall),
        por_horizonte={str(minutes): _score(score) for minutes, score in block.by_horizon.items()},
        por_moeda={coin: _score(score) for coin, score in block.by_coin.items()},
        por_dia={day: _score(score) for day, score in block.by_day.items()},
        moedas_a_parte=list(block.excluded_stable_coins),
    )


def _score(score: Score) -> ScoreValues:
    return ScoreValues(
        previsoes=score.forecasts,
        horas=score.hours,
        inicio=iso(score.start_ms),
        fim=iso(score.end_ms),
        pinball_relativo=score.relative_pinball,
        ganho=score.skill,
        cobertura={str(percent): share for percent, share in score.coverage.items()},
        largura_80_percentual=score.width_80_percent,
        winkler_relativo=score.winkler_ratio,
        erro_medio_percentual=score.mae_percent,
        erro_relativo=score.mae_ratio,
        acerto_de_direcao=score.hit_rate,
        acerto_minimo=score.hit_low,
        acerto_maximo=score.hit_high,
        brier=score.brier,
        valor_p=score.better_p_value,
        parte_do_modelo=score.model_share,
    )
