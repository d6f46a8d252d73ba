"""Scores for export: one row per coin, hour and horizon, live and backtest told apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from core.accuracy.scores import SCORE_SCHEMA
from core.price_store import Coin
from core.publishing.manifest import ManifestReader
from core.publishing.parquet import read_table
from core.reading.growing_tables import GrowingTable
from dashboard.exports.numbers import significant

__all__ = ["score_table"]

_KEYS: Final = ("hour", "horizon_min")
_MEANS: Final = {
    "erro_pinball_percentual": "pinball",
    "erro_pinball_preco_nao_muda_percentual": "pinball_naive",
    "erro_absoluto_percentual": "abs_error",
    "erro_absoluto_preco_nao_muda_percentual": "abs_error_naive",
    "acerto_50_percentual": "inside_50",
    "acerto_80_percentual": "inside_80",
    "acerto_90_percentual": "inside_90",
    "acerto_95_percentual": "inside_95",
    "largura_80_percentual": "width_80",
    "do_modelo_percentual": "forest",
}
"""Columns that are means over the forecasts of a row, in percent, and the published sums that they come from."""

_DIGITS: Final = 6
_SCHEMA: Final = pa.schema(
    [
        ("hora", pa.timestamp("ms", tz="UTC")),
        ("minutos", pa.int64()),
        ("moeda", pa.string()),
        ("id", pa.string()),
        ("prova", pa.string()),
        ("previsoes", pa.int64()),
        *((name, pa.float64()) for name in _MEANS),
    ]
)


def score_table(folder: Path, coin: Coin, start_ms: int, end_ms: int) -> pa.Table:
    """Scores of one coin for the hours of origin within [start_ms, end_ms], newest first.

    Args:
        folder: the published data.
        coin: whose forecasts were scored.
        start_ms: UTC milliseconds.
        end_ms: UTC milliseconds.

    Returns:
        Means over the forecasts of each cell, in percent; `prova` says whether they were made live or in a backtest.

    Raises:
        NotReady: nothing is published yet.
    """
    evidence = {"ao_vivo": GrowingTable.published(folder, "scores", "hour").rows(coin.id, start_ms, end_ms)}
    entry = ManifestReader(folder).current().entries.get("backtest")
    if entry is not None:
        cells = read_table(folder / entry.file, coin=coin.id)
        times = cells["hour"].cast(pa.int64())
        inside = pc.and_(pc.greater_equal(times, start_ms), pc.less_equal(times, end_ms))
        evidence["backtest"] = cells.filter(inside)
    rows = [
        _row(cell, coin, name) for name, cells in evidence.items() if cells is not None for cell in _added_up(cells)
    ]
    return pa.Table.from_pylist(rows, _SCHEMA)


def _added_up(cells: pa.Table) -> list[dict[str, Any]]:
    """The cells, newest hour first; several rows of one cell are added."""
    names = [field.name for field in SCORE_SCHEMA if field.name in (*_MEANS.values(), "n")]
    sums = cells.group_by(list(_KEYS)).aggregate([(name, "sum") for name in names])
    ordered = sums.sort_by([("hour", "descending"), ("horizon_min", "ascending")]).to_pylist()
    return [row for row in ordered if row["n_sum"]]


def _row(sums: Mapping[str, Any], coin: Coin, evidence: str) -> dict[str, Any]:
    means = {name: significant(100 * sums[f"{part}_sum"] / sums["n_sum"], _DIGITS) for name, part in _MEANS.items()}
    return {
        "hora": sums["hour"],
        "minutos": sums["horizon_min"],
        "moeda": coin.symbol,
        "id": coin.id,
        "prova": evidence,
        "previsoes": round(sums["n_sum"]),
        **means,
    }
