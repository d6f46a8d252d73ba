"""The parts of a report: its data, and the sections that the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.accuracy.scores import Score
from model.backtesting.evaluation import Difference, Evaluation

__all__ = ["Figure", "Miss", "Report", "Rival", "Section", "Table"]


@dataclass(frozen=True)
class Miss:
    """An outcome outside its 95 % interval, `distance` half-widths beyond the nearer end; times in UTC."""

    coin: str
    origin: datetime
    horizon_min: int
    price_origin: float
    low: float
    high: float
    actual: float
    distance: float


@dataclass(frozen=True)
class Rival:
    """Another method on the same data: its score, and our difference from it (below zero we are better)."""

    score: Score
    difference: Difference


@dataclass(frozen=True)
class Report:
    """The data of a report; `facts` are shown as they are."""

    evaluation: Evaluation
    misses: Sequence[Miss]
    rivals: Mapping[str, Rival]
    facts: Mapping[str, str]
    first_origin: datetime
    last_origin: datetime


@dataclass(frozen=True)
class Figure:
    """A number at the top of the page."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Table:
    """Formatted cells; `ratios`, of the same shape without the first column, tint them around 1."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    ratios: Sequence[Sequence[float | None]] | None = None


@dataclass(frozen=True)
class Section:
    """A heading, a sentence on how to read it, charts (HTML) and tables."""

    title: str
    text: str
    charts: Sequence[str] = ()
    tables: Sequence[Table] = ()
