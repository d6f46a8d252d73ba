"""Rows of the long lists as tables, columns as in api/table_schemas.py. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.forecast_schema import COLUMN_OF_QUANTILE
from core.price_store import Coin
from core.reading.csv_export import origin_columns
from core.reading.values import Quote
from core.times import HOUR_MS, MINUTE_MS
from core.workspace import Workspace

__all__ = ["candle_rows", "logged_rows", "price_rows", "quote_rows"]

_HOUR_MIN = HOUR_MS // MINUTE_MS


def quote_rows(quotes: Sequence[Quote], workspace: Workspace) -> pa.Table:
    """Coins with their newest price."""
    return _table(
        workspace,
        moeda=pa.array([quote.symbol for quote in quotes], pa.string()),
        id=pa.array([quote.id for quote in quotes], pa.string()),
        nome=pa.array([quote.name for quote in quotes], pa.string()),
        preco_atual=pa.array([quote.price for quote in quotes], pa.float64()),
        variacao_24h=pa.array([quote.change_24h_percent for quote in quotes], pa.float64()),
        atualizado_em=pa.array([quote.updated_ms for quote in quotes], pa.int64()).cast(pa.timestamp("ms", "UTC")),
    )


def logged_rows(coin: Coin, logged: pa.Table, horizon_min: int, workspace: Workspace) -> pa.Table:
    """Logged forecasts with their outcomes, from a table of LOG_TABLE."""
    source, origin_ms = workspace.source.value, logged["origin"].cast(pa.int64()).cast(pa.string())
    ids = pc.binary_join_element_wise(f"{source}.{coin.id}.", origin_ms, f".{horizon_min}", "")
    return _table(
        workspace,
        id_previsao=ids,
        horario=logged["origin"],
        horario_previsto=logged["target"],
        horizonte=horizon_min,
        moeda=coin.symbol,
        id=coin.id,
        preco_atual=logged["price_origin"],
        previsao=logged["mean"],
        previsao_proxima_hora=logged["mean"] if horizon_min == _HOUR_MIN else pa.nulls(logged.num_rows, pa.float64()),
        minimo_80=logged["q10"],
        maximo_80=logged["q90"],
        quantis=_struct({f"{level:g}": logged[name] for level, name in COLUMN_OF_QUANTILE.items()}),
        probabilidade_alta=logged["p_up"],
        modelo=_struct({"tipo": logged["kind"], "versao": logged["model_version"]}),
        preco_real=logged["actual"],
        erro_percentual=logged["error_percent"],
        gerado_em=logged["created"],
    )


def price_rows(coin: Coin, prices: pa.Table, workspace: Workspace) -> pa.Table:
    """Stored prices, from a table of PRICE_TABLE or of its first two columns."""
    details = {"valor_de_mercado": "market_cap", "volume": "volume", "coletado_em": "fetched"}
    return _table(
        workspace,
        horario=prices["time"],
        moeda=coin.symbol,
        id=coin.id,
        preco=prices["price"],
        **{name: prices[column] for name, column in details.items() if column in prices.column_names},
    )


def candle_rows(coin: Coin, candles: pa.Table, workspace: Workspace) -> pa.Table:
    """Price intervals, from a table of CANDLE_TABLE."""
    return _table(
        workspace,
        horario=candles["start"],
        fim=candles["end"],
        moeda=coin.symbol,
        id=coin.id,
        abertura=candles["open"],
        maximo=candles["high"],
        minimo=candles["low"],
        fechamento=candles["close"],
        precos=candles["prices"],
        fechado=candles["is_closed"],
    )


def _table(workspace: Workspace, **columns: pa.Array | pa.ChunkedArray | str | int) -> pa.Table:
    """A table of these columns and of currency, source and attribution; a plain value stands in every row."""
    columns |= origin_columns(workspace)
    rows = next(len(column) for column in columns.values() if not isinstance(column, str | int))
    same = pa.array(np.zeros(rows, np.int8))
    return pa.table(
        {
            name: pa.DictionaryArray.from_arrays(same, [column]) if isinstance(column, str | int) else column
            for name, column in columns.items()
        }
    )


def _struct(columns: dict[str, pa.ChunkedArray]) -> pa.StructArray:
    return pa.StructArray.from_arrays([column.combine_chunks() for column in columns.values()], list(columns))
