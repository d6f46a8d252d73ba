"""Probabilities of levels beside what happened, and whether they came true as often as they said."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final, Literal

import numpy as np
import pandas as pd

from core.answers.distribution import ending_above
from core.answers.touch import touching
from core.forecast_schema import QUANTILE_COLUMNS, REACH_COLUMNS
from model.scoring.level_losses import naive_deviation
from model.scoring.losses import NAIVE_COLUMNS

__all__ = ["DISTANCES", "MIN_GROUP", "brier_scores", "largest_gap", "level_events", "reliability", "share_by"]

DISTANCES: Final = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Distances of the levels from the price, in standard deviations of the naive benchmark."""

MIN_GROUP: Final = 200
"""Groups of fewer forecasts say nothing. A forecast is one coin at one origin: its horizons and levels share a fate."""

_GROUP: Final = ["coin", "horizon_min", "distance", "side"]


def level_events(forecasts: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Every probability of one kind that the forecasts give for a level, and whether it came true.

    Args:
        forecasts: with outcomes, extremes and naive benchmark; rows without an outcome or a benchmark are left out.
        kind: "end", to end beyond the level, or "touch". Levels lie at all `DISTANCES` above and below the price.

    Returns:
        One row per forecast, distance and side: coin, origin, horizon_min, distance (in standard deviations), side (1
        above, -1 below), `probability`, `happened`.
    """
    known = forecasts[forecasts["price_actual"].notna() & forecasts[NAIVE_COLUMNS[0]].notna()]
    price = known["price_origin"].to_numpy()
    quantiles = np.log(known[list(QUANTILE_COLUMNS)].to_numpy() / price[:, None])
    reach = known[list(REACH_COLUMNS)].to_numpy()
    deviation = naive_deviation(known[list(NAIVE_COLUMNS)].to_numpy())
    end, rise, fall = (np.log(known[f"price_{name}"].to_numpy() / price) for name in ("actual", "high", "low"))
    parts = []
    for distance, (side, ahead, way) in product(DISTANCES, ((1, quantiles, rise), (-1, -quantiles[:, ::-1], -fall))):
        far = distance * deviation
        probability, happened = ending_above(ahead, far), side * end > far
        if kind == "touch":
            probability, happened = np.maximum(touching(reach, far), probability), np.fmax(way, side * end) >= far
        shared = {"distance": np.float32(distance), "side": np.int8(side)}
        event = pd.DataFrame({"probability": probability, "happened": happened, **shared}, index=known.index)
        parts.append(pd.concat([known[["coin", "origin", "horizon_min"]], event], axis=1))
    return pd.concat(parts, ignore_index=True)


def reliability(events: pd.DataFrame, by: Literal["decile", "tenth"] = "decile") -> pd.DataFrame:
    """By group of events: forecasts, events, mean stated, share that happened, their gap in points.

    Args:
        events: of one kind.
        by: "decile", ten equal groups from the smallest probability to the largest, or "tenth" of the probability,
            whose last groups may hold few.
    """
    if by == "decile":
        group = (events["probability"].rank(method="first", pct=True) * 10).apply(np.ceil).astype(int).rename(by)
    else:
        group = (events["probability"] * 10).astype(int).clip(upper=9).rename(by)
    table = share_by(events, group)
    forecasts = events[["coin", "origin"]].assign(group=group).drop_duplicates()["group"].value_counts()
    return table.assign(forecasts=table[by].map(forecasts))


def share_by(events: pd.DataFrame, label: pd.Series) -> pd.DataFrame:
    """By value of `label`: events, mean stated probability, share that happened, and their gap in points."""
    grouped = events.groupby(label)
    table = grouped.agg(events=("happened", "size"), stated=("probability", "mean"), happened=("happened", "mean"))
    return table.assign(gap=100 * (table["stated"] - table["happened"])).reset_index()


def largest_gap(table: pd.DataFrame) -> float:
    """Largest gap in points among the groups that are large enough."""
    return float(table.loc[table["forecasts"] >= MIN_GROUP, "gap"].abs().max())


def brier_scores(events: pd.DataFrame, group: Sequence[str] = _GROUP) -> tuple[float, float]:
    """Brier score of the probabilities, and that of stating each group's share, which is known only afterwards."""
    own = float(((events["probability"] - events["happened"]) ** 2).mean())
    share = events.groupby(list(group), observed=True)["happened"].transform("mean")
    return own, float((share * (1 - share)).mean())
