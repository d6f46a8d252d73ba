"""Sizes and constants of the forecasting engine."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EngineOptions"]


@dataclass(frozen=True)
class EngineOptions:
    """Sizes and constants of the engine.

    Attributes:
        train_days: window of training and calibration.
        seed: seed of the forest.
        n_jobs: threads of the forest; no result depends on it.
        use_forest: False leaves the ridge alone (for comparisons).
        use_minutes: False ignores prices between the points of the 5-minute grid (for comparisons).
        use_announcements: False knows of no American announcements: for markets that do not react to them.
        n_trees: trees in the forest.
        forest_lifetime_h: hours until all trees have been replaced.
        sample_days: days of rows that the forest is grown from.
        sample_rows: most rows that a tree is grown from: a year of history costs no more than a week.
        forest_limit: largest share of the forest in the prediction; its record decides how much of it is used.
        alpha: ridge penalty at 14 days of rows, without a prior; it grows as rows get fewer.
        alpha_prior: the same with a prior.
        tracker_step: step of the coverage tracker, in log width per outcome.
        gate_half_life_h: half-life of the losses that the gate compares, in hours.
        min_rows: rows without which nothing is fitted, without a prior.
        min_rows_prior: the same with a prior; few rows then move the ridge little.
        min_outcomes: outcomes without which the intervals are not trusted.
    """

    train_days: int = 14
    seed: int = 0
    n_jobs: int = 1
    use_forest: bool = True
    use_minutes: bool = True
    use_announcements: bool = True
    n_trees: int = 40
    forest_lifetime_h: float = 168.0
    sample_days: int = 6
    sample_rows: int = 24_000
    forest_limit: float = 0.5
    alpha: float = 0.1
    alpha_prior: float = 8.0
    tracker_step: float = 0.0005
    gate_half_life_h: float = 84.0
    min_rows: int = 500
    min_rows_prior: int = 100
    min_outcomes: int = 500
