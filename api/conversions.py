"""Convert the values of core into the bodies of the answers. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from api.schemas import (
    CoinQuote,
    Forecast,
    Interval,
    LoggedForecastRow,
    MetricsAnswer,
    ModelInfo,
    PriceRow,
    ScoreBlock,
    ScoreValues,
    TrajectoryStep,
)
from core.accuracy.scores import Metrics, MetricsBlock, Score
from core.forecast_schema import INTERVALS
from core.price_store import Coin, Price
from core.reading.values import ForecastStep, ForecastView, LoggedForecast, Quote
from core.times import iso
from core.workspace import Workspace

__all__ = ["coin_quote", "forecast", "iso_or_none", "kinds", "logged_row", "metrics_answer", "price_row"]

_SHOWN_INTERVALS: Final = (50, 80, 95)


def iso_or_none(ts_ms: int | None) -> str | None:
    """ISO 8601 with offset; None stays None."""
    return None if ts_ms is None else iso(ts_ms)


def coin_quote(quote: Quote, source: str) -> CoinQuote:
    """A coin with its newest price."""
    return CoinQuote(
        moeda=quote.symbol,
        id=quote.id,
        nome=quote.name,
        preco_atual=quote.price,
        variacao_24h=quote.change_24h_percent,
        atualizado_em=iso_or_none(quote.updated_ms),
        fonte=source,
    )


def forecast(coin: Coin, view: ForecastView, workspace: Workspace) -> Forecast:
    """The newest forecast of a coin; its last step is one hour ahead."""
    last = view.steps[-1]
    return Forecast(
        moeda=coin.symbol,
        id=coin.id,
        horario=iso(view.origin_ms),
        horario_previsto=iso(last.target_ms),
        preco_atual=view.price_origin,
        previsao_proxima_hora=last.mean,
        variacao_percentual=100.0 * (last.mean / view.price_origin - 1.0),
        probabilidade_alta=last.p_up,
        intervalos={str(percent): _interval(last, percent) for percent in _SHOWN_INTERVALS},
        trajetoria=[_step(step) for step in view.steps],
        modelo=ModelInfo(tipo=view.kind, versao=view.model_version, treinado_em=iso_or_none(view.trained_ms)),
        moeda_cotacao=workspace.currency,
        fonte=view.source,
        gerado_em=iso(view.created_ms),
    )


def logged_row(coin: Coin, logged: LoggedForecast, source: str) -> LoggedForecastRow:
    """A logged forecast with its outcome."""
    return LoggedForecastRow(
        horario=iso(logged.origin_ms),
        horario_previsto=iso(logged.target_ms),
        moeda=coin.symbol,
        preco_atual=logged.price_origin,
        previsao_proxima_hora=logged.mean,
        minimo_80=logged.low_80,
        maximo_80=logged.high_80,
        preco_real=logged.actual,
        erro_percentual=logged.error_percent,
        fonte=source,
    )


def price_row(coin: Coin, price: Price, source: str) -> PriceRow:
    """A stored price."""
    return PriceRow(
        horario=iso(price.ts_ms),
        moeda=coin.symbol,
        preco=price.price,
        valor_de_mercado=price.market_cap,
        volume=price.volume,
        fonte=source,
    )


def metrics_answer(coin: Coin | None, metrics: Metrics, source: str) -> MetricsAnswer:
    """Live and backtest scores of one coin, or of all if `coin` is None."""
    return MetricsAnswer(
        moeda=coin.symbol if coin else None,
        fonte=source,
        ao_vivo=_block(metrics.live),
        backtest=_block(metrics.backtest),
    )


def kinds(views: Mapping[str, ForecastView]) -> dict[str, int]:
    """Number of coins per kind of forecast, the most frequent kind first."""
    return dict(Counter(view.kind for view in views.values()).most_common())


def _interval(step: ForecastStep, percent: int) -> Interval:
    low, high = INTERVALS[percent]
    return Interval(minimo=step.quantiles[low], maximo=step.quantiles[high])


def _step(step: ForecastStep) -> TrajectoryStep:
    interval = _interval(step, 80)
    return TrajectoryStep(
        minutos=step.horizon_min,
        horario=iso(step.target_ms),
        previsao=step.mean,
        minimo_80=interval.minimo,
        maximo_80=interval.maximo,
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
