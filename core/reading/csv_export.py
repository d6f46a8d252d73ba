"""CSV files for people and programs, with Portuguese headers and the source in every row.

Times are ISO 8601 in UTC, numbers have a decimal point and all digits, unknown values are empty. No cell can run as a
formula in a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from core.forecast_schema import forecast_id
from core.price_store import Coin, Price
from core.reading.values import LoggedForecast
from core.settings import Source
from core.times import MINUTE_MS, iso
from core.wording import message, say
from core.workspace import Workspace

__all__ = ["Cell", "attribution", "csv_file", "file_name", "forecasts_csv", "neutralised", "prices_csv"]

Cell = str | int | float | None

_PRICE_COLUMNS: Final = ("horario", "moeda", "id", "preco", "valor_de_mercado", "volume", "coletado_em")
_FORECAST_COLUMNS: Final = (
    "horario",
    "horario_previsto",
    "moeda",
    "id",
    "preco_atual",
    "previsao_proxima_hora",
    "minimo_80",
    "maximo_80",
    "preco_real",
    "erro_percentual",
    "id_previsao",
)
_SOURCE_COLUMNS: Final = ("moeda_cotacao", "fonte", "atribuicao")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def attribution(source: Source, language: str = "pt") -> str:
    """The sentence on where the prices come from, as every export has it."""
    return say(message(f"attribution.{source}"), language)


def prices_csv(coin: Coin, prices: Iterable[Price], workspace: Workspace) -> str:
    """Export stored prices of one coin in the given order."""
    rows = (
        (iso(price.ts_ms), coin.symbol, coin.id, price.price, price.market_cap, price.volume, iso(price.fetched_ms))
        for price in prices
    )
    return csv_file(_PRICE_COLUMNS, rows, workspace)


def forecasts_csv(coin: Coin, forecasts: Iterable[LoggedForecast], workspace: Workspace) -> str:
    """Export logged forecasts of one coin in the given order, with the outcomes known by now."""
    rows = (
        (
            iso(f.origin_ms),
            iso(f.target_ms),
            coin.symbol,
            coin.id,
            f.price_origin,
            f.mean,
            f.low_80,
            f.high_80,
            f.actual,
            f.error_percent,
            forecast_id(workspace.source.value, coin.id, f.origin_ms, (f.target_ms - f.origin_ms) // MINUTE_MS),
        )
        for f in forecasts
    )
    return csv_file(_FORECAST_COLUMNS, rows, workspace)


def csv_file(columns: Sequence[str], rows: Iterable[Sequence[Cell]], workspace: Workspace) -> str:
    """Make a CSV text (RFC 4180) of `columns`, followed by currency, source and attribution in every row."""
    origin = (workspace.currency, workspace.source.value, attribution(workspace.source))
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow((*columns, *_SOURCE_COLUMNS))
    writer.writerows([neutralised(cell) for cell in (*row, *origin)] for row in rows)
    return buffer.getvalue()


def file_name(subject: str, coin: Coin | None, workspace: Workspace) -> str:
    """A file name with content, coin and source, such as `historico-bitcoin-demo.csv`."""
    parts = (subject, coin.id if coin else "moedas", workspace.source.value)
    return "-".join(re.sub(r"[^A-Za-z0-9._]+", "-", part)[:60].strip(".-") for part in parts) + ".csv"


def neutralised(cell: Cell) -> Cell:
    """Put an apostrophe before text that a spreadsheet would run as a formula; numbers stay numbers."""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA_STARTS):
        return f"'{cell}"
    return cell
