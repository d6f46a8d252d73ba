"""The kinds of data that can be exported, each as tables of one coin after another, newest rows first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa

from core.forecast_schema import QUANTILE_COLUMNS
from core.price_store import Coin
from core.reading.growing_tables import GrowingTable
from core.reading.readers import Readers
from core.times import FOREVER_MS
from dashboard.exports.numbers import forecast_price, significant, stored_price
from dashboard.exports.score_rows import score_table

__all__ = ["FEATURE_DIGITS", "MAX_ROWS", "Kind", "Selection", "count_rows", "tables"]

MAX_ROWS: Final = 1_000_000
"""Rows of one file; Excel opens 1,048,576."""

FEATURE_DIGITS: Final = 7
"""Features are stored with 24 bits, which is a little more than seven digits."""

_HOUR_MIN: Final = 60
_TIME: Final = pa.timestamp("ms", tz="UTC")
_COIN_COLUMNS: Final = (("moeda", pa.string()), ("id", pa.string()))
_PRICE_SCHEMA: Final = pa.schema(
    [
        ("horario", _TIME),
        *_COIN_COLUMNS,
        ("preco", pa.float64()),
        ("valor_de_mercado", pa.float64()),
        ("volume", pa.float64()),
        ("coletado_em", _TIME),
    ]
)
_CURRENT_SCHEMA: Final = pa.schema(
    [
        ("horario", _TIME),
        ("horario_previsto", _TIME),
        ("minutos", pa.int64()),
        *_COIN_COLUMNS,
        ("preco_atual", pa.float64()),
        ("previsao", pa.float64()),
        *((name, pa.float64()) for name in QUANTILE_COLUMNS),
        ("probabilidade_alta", pa.float64()),
        ("modelo", pa.string()),
        ("versao", pa.string()),
    ]
)
_PAST_SCHEMA: Final = pa.schema(
    [
        ("horario", _TIME),
        ("horario_previsto", _TIME),
        *_COIN_COLUMNS,
        ("preco_atual", pa.float64()),
        ("previsao_proxima_hora", pa.float64()),
        ("minimo_80", pa.float64()),
        ("maximo_80", pa.float64()),
        ("preco_real", pa.float64()),
        ("erro_percentual", pa.float64()),
    ]
)


class Kind(StrEnum):
    """What can be exported; the value is its name in the address and in file names."""

    PRICES = "precos"
    CURRENT = "previsoes"
    PAST = "previsoes-passadas"
    SCORES = "acertos"
    FEATURES = "features"

    @property
    def has_span(self) -> bool:
        """Whether the rows lie in a period; the current forecasts are those of now."""
        return self is not Kind.CURRENT


@dataclass(frozen=True)
class Selection:
    """What a visitor asks for: one kind, some coins, and times within [start_ms, end_ms]."""

    kind: Kind
    coins: tuple[Coin, ...]
    start_ms: int
    end_ms: int = FOREVER_MS


def tables(readers: Readers, selection: Selection, limit: int = MAX_ROWS) -> Iterator[pa.Table]:
    """One table for each coin that has rows, newest first; at most `limit` rows together.

    Raises:
        NotReady: nothing of this kind is published yet.
        DamagedFile: a file cannot be read.
    """
    make = _MAKERS[selection.kind]
    for coin in selection.coins:
        table = make(readers, coin, selection, limit)
        if len(table):
            yield table
        limit -= len(table)
        if limit <= 0:
            return


def count_rows(readers: Readers, selection: Selection) -> int:
    """Number of rows that the file would have, without making it.

    Raises:
        NotReady: nothing of this kind is published yet.
        DamagedFile: a file cannot be read.
    """
    ids = [coin.id for coin in selection.coins]
    match selection.kind:
        case Kind.PRICES:
            with readers.prices() as prices:
                return sum(prices.count(coin, selection.start_ms, selection.end_ms) for coin in ids)
        case Kind.PAST:
            return _log(readers).count(ids, selection.start_ms, selection.end_ms)
        case Kind.FEATURES:
            return _features(readers).count(ids, selection.start_ms, selection.end_ms)
        case _:
            make = _MAKERS[selection.kind]
            return sum(len(make(readers, coin, selection, MAX_ROWS)) for coin in selection.coins)


def _prices(readers: Readers, coin: Coin, selection: Selection, limit: int) -> pa.Table:
    prices = readers.history(coin.id, selection.start_ms, selection.end_ms, limit)
    rows = [
        (price.ts_ms, coin.symbol, coin.id, stored_price(price.price), price.market_cap, price.volume, price.fetched_ms)
        for price in prices
    ]
    return _table(rows, _PRICE_SCHEMA)


def _current(readers: Readers, coin: Coin, _selection: Selection, limit: int) -> pa.Table:
    forecast = readers.forecasts().get(coin.id)
    if forecast is None:
        return _CURRENT_SCHEMA.empty_table()
    price = forecast.price_origin
    rows = [
        (
            forecast.origin_ms,
            step.target_ms,
            step.horizon_min,
            coin.symbol,
            coin.id,
            stored_price(price),
            forecast_price(step.mean, price),
            *(forecast_price(step.quantiles[name], price) for name in QUANTILE_COLUMNS),
            significant(step.p_up, 4),
            forecast.kind,
            forecast.model_version,
        )
        for step in forecast.steps[:limit]
    ]
    return _table(rows, _CURRENT_SCHEMA)


def _past(readers: Readers, coin: Coin, selection: Selection, limit: int) -> pa.Table:
    rows = [
        (
            past.origin_ms,
            past.target_ms,
            coin.symbol,
            coin.id,
            stored_price(past.price_origin),
            *(forecast_price(value, past.price_origin) for value in (past.mean, past.low_80, past.high_80)),
            None if past.actual is None else stored_price(past.actual),
            significant(past.error_percent, 4),
        )
        for past in readers.logged(coin.id, selection.start_ms, selection.end_ms, limit)
    ]
    return _table(rows, _PAST_SCHEMA)


def _feature_rows(readers: Readers, coin: Coin, selection: Selection, limit: int) -> pa.Table:
    found = _features(readers).rows(coin.id, selection.start_ms, selection.end_ms, limit)
    if found is None:
        return pa.table({"horario": pa.array([], _TIME)})
    columns: dict[str, Any] = {
        "horario": found["ts"],
        "moeda": pa.array([coin.symbol] * len(found)),
        "id": found["coin"],
    }
    for name in found.column_names:
        if name not in ("coin", "ts"):
            values = [significant(value, FEATURE_DIGITS) for value in found[name].to_pylist()]
            columns[name] = pa.array(values, pa.float64())
    return pa.table(columns)


def _scores(readers: Readers, coin: Coin, selection: Selection, limit: int) -> pa.Table:
    return score_table(readers.workspace().processed, coin, selection.start_ms, selection.end_ms).slice(0, limit)


def _log(readers: Readers) -> GrowingTable:
    return GrowingTable.published(readers.workspace().processed, "log", "origin", _HOUR_MIN)


def _features(readers: Readers) -> GrowingTable:
    return GrowingTable.published(readers.workspace().processed, "features", "ts")


def _table(rows: Sequence[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


_MAKERS: Final[Mapping[Kind, Callable[[Readers, Coin, Selection, int], pa.Table]]] = {
    Kind.PRICES: _prices,
    Kind.CURRENT: _current,
    Kind.PAST: _past,
    Kind.SCORES: _scores,
    Kind.FEATURES: _feature_rows,
}
