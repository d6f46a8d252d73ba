"""The report of a backtest: report.json for programs, report.html for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from core.files import write_atomically, write_json
from core.forecast_schema import INTERVALS
from model.backtesting.evaluation import compare, evaluate
from model.backtesting.loss_frames import FORECAST_KEY
from model.backtesting.report.page import html_page
from model.backtesting.report.parts import Miss, Report, Rival
from model.scoring.losses import NAIVE_COLUMNS

__all__ = ["build_report", "worst_misses", "write_report"]

_MISSES: Final = 12
_MISS_GAP: Final = "3h"


def write_report(
    out_dir: Path,
    forecasts: pd.DataFrame,
    context: Mapping[str, object],
    rivals: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, Any]:
    """Write report.json and report.html into a folder.

    Args:
        out_dir: the folder, created if it does not exist.
        forecasts: what `evaluation.evaluate` takes: the forecasts, `price_actual`, and the benchmark's quantiles
            in `model.scoring.losses.NAIVE_COLUMNS`.
        context: facts to show at the top (data file, period, options), in the order given.
        rivals: name → forecasts of another method, with `price_actual`; the benchmark's columns may be missing.

    Returns:
        The content of report.json.

    Raises:
        BadInput: a column is missing, or no forecast has an outcome.
    """
    report = build_report(forecasts, context, rivals or {})
    value = _to_json(report)
    write_json(out_dir / "report.json", value)
    write_atomically(out_dir / "report.html", html_page(report).encode())
    return value


def build_report(forecasts: pd.DataFrame, context: Mapping[str, object], rivals: Mapping[str, pd.DataFrame]) -> Report:
    """Compute everything that the report shows; arguments and errors as in `write_report`."""
    judged = {name: _rival(forecasts, frame) for name, frame in rivals.items()}
    evaluation = evaluate(forecasts)
    origins = forecasts["origin"]
    return Report(
        evaluation=evaluation,
        misses=worst_misses(forecasts),
        rivals=judged,
        facts={str(key): str(value) for key, value in context.items()},
        first_origin=origins.min().to_pydatetime(),
        last_origin=origins.max().to_pydatetime(),
    )


def worst_misses(forecasts: pd.DataFrame, count: int = _MISSES) -> list[Miss]:
    """The outcomes farthest outside their 95 % interval, in half-widths; at most one per coin and three hours."""
    low_name, high_name = INTERVALS[95]
    known = forecasts[forecasts["price_actual"].notna()]
    low, high, actual = (known[name].to_numpy(dtype=np.float64) for name in (low_name, high_name, "price_actual"))
    outside = np.maximum(np.maximum(low - actual, actual - high), 0.0)
    half_width = np.maximum((high - low) / 2, 1e-12 * actual)
    ranked = known.assign(distance=outside / half_width, slot=known["origin"].dt.floor(_MISS_GAP))
    ranked = ranked[ranked["distance"] > 0].sort_values(["distance", "coin", "origin"], ascending=[False, True, True])
    chosen = ranked.drop_duplicates(["coin", "slot"]).head(count)
    return [
        Miss(
            coin=str(row["coin"]),
            origin=row["origin"].to_pydatetime(),
            horizon_min=int(row["horizon_min"]),
            price_origin=float(row["price_origin"]),
            low=float(row[low_name]),
            high=float(row[high_name]),
            actual=float(row["price_actual"]),
            distance=float(row["distance"]),
        )
        for row in chosen.to_dict("records")
    ]


def _rival(forecasts: pd.DataFrame, rival: pd.DataFrame) -> Rival:
    if NAIVE_COLUMNS[0] not in rival.columns:
        key = list(FORECAST_KEY)
        rival = rival.merge(forecasts[[*key, *NAIVE_COLUMNS]], on=key, how="left", validate="one_to_one")
    return Rival(evaluate(rival).block.overall, compare(forecasts, rival))


def _to_json(report: Report) -> dict[str, Any]:
    evaluation = report.evaluation
    overall = evaluation.block.overall
    value = {
        "context": dict(report.facts),
        "first_origin": report.first_origin,
        "last_origin": report.last_origin,
        "overall": {**asdict(overall), "interval_95": evaluation.interval},
        **{
            name: {key: asdict(score) for key, score in scores.items()}
            for name, scores in (
                ("by_horizon", evaluation.block.by_horizon),
                ("by_coin", evaluation.block.by_coin),
                ("by_regime", evaluation.by_regime),
                ("by_week", evaluation.by_week),
                ("by_day", evaluation.block.by_day),
            )
        },
        "relative_pinball_by_coin_and_horizon": evaluation.grid,
        "reliability": evaluation.reliability,
        "reliability_by_horizon": evaluation.reliability_by_horizon,
        "apart": evaluation.block.excluded_stable_coins,
        "unknown_outcomes": evaluation.unknown,
        "rivals": {name: asdict(rival) for name, rival in report.rivals.items()},
        "worst_misses": [asdict(miss) for miss in report.misses],
    }
    plain: dict[str, Any] = json.loads(json.dumps(value, default=_plain, allow_nan=False))
    return plain


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a report")
