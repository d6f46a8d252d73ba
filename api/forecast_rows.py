"""The newest forecasts of many coins as a table, with the fields of `Forecast`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from api.conversions import REGIMES, SHOWN_INTERVALS, UNTESTED
from api.shown_numbers import shown_table
from core.answers.regime import regime
from core.forecast_schema import COLUMN_OF_QUANTILE, HORIZONS_MIN, INTERVALS, QUANTILE_COLUMNS, forecast_id
from core.price_store import Coin
from core.reading.forecast_columns import ForecastColumns, LastHours
from core.reading.trust import Trust
from core.realised_price import PRICE_TOLERANCE_MS
from core.times import MINUTE_MS
from core.workspace import Workspace

__all__ = ["Wanted", "forecast_rows"]

_Floats = npt.NDArray[np.float64]
_TIME: Final = pa.timestamp("ms", "UTC")
_PATH: Final = "trajetoria"


@dataclass(frozen=True)
class Wanted:
    """What is asked for: a horizon in minutes, quantile levels (None for none), and fields (None for all)."""

    horizon_min: int
    levels: Sequence[float] | None = None
    fields: Sequence[str] | None = None


def forecast_rows(
    coins: Sequence[Coin],
    wanted: Wanted,
    *,
    forecasts: ForecastColumns,
    hours: LastHours,
    trust: Mapping[str, Trust],
    workspace: Workspace,
    interval_s: float,
) -> pa.Table:
    """One row per coin that has a forecast, in the order of `coins`, its numbers as `api/shown_numbers.py` has them.

    Args:
        coins: which coins.
        wanted: horizon, quantiles and fields.
        forecasts: the newest ones, of all coins.
        hours: the last hour of each coin of `forecasts`.
        trust: what the scores say of each coin at the horizon.
        workspace: where the forecasts were published.
        interval_s: seconds from one publication to the next.
    """
    known = {coin: place for place, coin in enumerate(forecasts.coins)}
    coins = [coin for coin in coins if coin.id in known]
    rows = np.array([known[coin.id] for coin in coins], dtype=np.int64)
    step = HORIZONS_MIN.index(wanted.horizon_min)
    price, mean = forecasts.price_origin[rows], forecasts.mean[rows]
    quantiles, origin_ms = forecasts.quantiles[rows], forecasts.origin_ms[rows]
    created_ms, activity = forecasts.created_ms[rows], forecasts.activity_percentile[rows]
    regimes = [regime(None if np.isnan(value) else value) for value in activity.tolist()]
    sources = [forecasts.source[row] for row in rows]
    ids = zip(sources, coins, origin_ms.tolist(), strict=True)
    columns: dict[str, Any] = {
        "moeda": [coin.symbol for coin in coins],
        "id": [coin.id for coin in coins],
        "horario": _times(origin_ms),
        "horario_previsto": _times(origin_ms + wanted.horizon_min * MINUTE_MS),
        "horizonte": np.full(len(rows), wanted.horizon_min),
        "preco_atual": price,
        "previsao_proxima_hora": mean[:, -1],
        "previsao": mean[:, step],
        "variacao_percentual": 100.0 * (mean[:, step] / price - 1.0),
        "probabilidade_alta": forecasts.p_up[rows, step],
        "intervalos": _intervals(forecasts, wanted.horizon_min, rows),
        "quantis": _quantiles(quantiles[:, step], wanted.levels),
        "movimento_esperado_percentual": 100.0 * forecasts.expected_move(wanted.horizon_min)[rows],
        "faixa_80_percentual": 100.0 * forecasts.band_80(wanted.horizon_min)[rows],
        "regime": pa.array([None if value is None else REGIMES[value] for value in regimes], pa.string()),
        "regime_percentil": _floats(activity),
        "hora_incomum": _last_hours(hours, rows),
        _PATH: _path(origin_ms, mean, quantiles) if wanted.fields is None or _PATH in wanted.fields else None,
        "modelo": _models(forecasts, rows),
        "confianca": _trusts([trust.get(coin.id, Trust()) for coin in coins]),
        "moeda_cotacao": _same(workspace.currency, len(rows)),
        "fonte": pa.array(sources, pa.string()),
        "gerado_em": _times(created_ms),
        "valido_ate": _times(origin_ms + PRICE_TOLERANCE_MS),
        "proxima_em": _times(created_ms + round(1000 * interval_s)),
        "id_previsao": [forecast_id(source, coin.id, ms, wanted.horizon_min) for source, coin, ms in ids],
    }
    return shown_table(pa.table({name: columns[name] for name in wanted.fields or columns}))


def _times(ms: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(ms, pa.int64()).cast(_TIME)


def _floats(values: _Floats) -> pa.Array:
    """NaN becomes null."""
    return pa.array(values, pa.float64(), from_pandas=True)


def _same(text: str | None, rows: int) -> pa.Array:
    return pa.array([text] * rows, pa.string())


def _struct(fields: Mapping[str, Any], mask: npt.NDArray[np.bool_] | None = None) -> pa.StructArray:
    """Rows of these fields; null where `mask` is true."""
    arrays = [value if isinstance(value, pa.Array) else pa.array(value) for value in fields.values()]
    return pa.StructArray.from_arrays(arrays, list(fields), mask=None if mask is None else pa.array(mask))


def _intervals(forecasts: ForecastColumns, horizon_min: int, rows: npt.NDArray[np.int64]) -> pa.StructArray:
    bounds = {percent: forecasts.interval(percent, horizon_min) for percent in SHOWN_INTERVALS}
    return _struct(
        {str(percent): _struct({"minimo": low[rows], "maximo": high[rows]}) for percent, (low, high) in bounds.items()}
    )


def _quantiles(quantiles: _Floats, levels: Sequence[float] | None) -> pa.Array:
    if levels is None:
        return pa.nulls(len(quantiles))
    place = {level: QUANTILE_COLUMNS.index(COLUMN_OF_QUANTILE[level]) for level in levels}
    return _struct({f"{level:g}": quantiles[:, column] for level, column in place.items()})


def _last_hours(hours: LastHours, rows: npt.NDArray[np.int64]) -> pa.StructArray:
    values = {
        "variacao_percentual": 100.0 * hours.change[rows],
        "percentil": hours.percentile[rows],
        "probabilidade": hours.probability[rows],
    }
    return _struct(values, np.isnan(hours.change[rows]))


def _path(origin_ms: npt.NDArray[np.int64], mean: _Floats, quantiles: _Floats) -> pa.Array:
    """The twelve steps of each coin."""
    horizons = np.array(HORIZONS_MIN)
    edges = {
        f"{edge}_{percent}": quantiles[:, :, QUANTILE_COLUMNS.index(name)].ravel()
        for percent in SHOWN_INTERVALS
        for edge, name in zip(("minimo", "maximo"), INTERVALS[percent], strict=True)
    }
    steps = _struct(
        {
            "minutos": np.tile(horizons, len(mean)),
            "horario": _times((origin_ms[:, None] + horizons * MINUTE_MS).ravel()),
            "previsao": mean.ravel(),
            **edges,
        }
    )
    return pa.FixedSizeListArray.from_arrays(steps, len(horizons))


def _models(forecasts: ForecastColumns, rows: npt.NDArray[np.int64]) -> pa.StructArray:
    trained = pa.array([forecasts.trained_ms] * len(rows), pa.int64()).cast(_TIME)
    kinds = pa.array([forecasts.kind[row] for row in rows], pa.string())
    versions = pa.array([forecasts.model_version[row] for row in rows], pa.string())
    return _struct({"tipo": kinds, "versao": versions, "treinado_em": trained})


def _trusts(trust: Sequence[Trust]) -> pa.StructArray:
    reasons = [None if one.untested is None else UNTESTED[one.untested] for one in trust]
    return _struct(
        {
            "cobertura_80": pa.array([one.coverage_80 for one in trust], pa.float64()),
            "ganho": pa.array([one.skill for one in trust], pa.float64()),
            "previsoes": pa.array([one.forecasts for one in trust], pa.int64()),
            "desde": pa.array([one.since_ms for one in trust], pa.int64()).cast(_TIME),
            "motivo": pa.array(reasons, pa.string()),
        }
    )
