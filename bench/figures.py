"""Figures beside their yardsticks and targets, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Figure", "exit_code", "table"]


@dataclass(frozen=True)
class Figure:
    """One measured value, its yardstick from the same run, and its limit.

    `limit` bounds the ratio if there is a yardstick, else the value, from above or with `at_least` from below; None for
    a figure without a target.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    yardstick: str = ""
    yardstick_value: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """Value / yardstick."""
        return self.value / self.yardstick_value if self.yardstick_value else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.limit is None:
            return None
        measured = self.value if self.ratio is None else self.ratio
        return measured >= self.limit if self.at_least else measured <= self.limit

    def to_json(self) -> dict[str, Any]:
        """Fields, ratio and verdict."""
        return {**vars(self), "ratio": self.ratio, "met": self.met}


def table(figures: Sequence[Figure]) -> str:
    """One line a figure: value, yardstick, ratio, target, verdict."""
    width = max(len(figure.name) for figure in figures)
    lines = [f"{'figure':{width}} {'value':>14}  {'yardstick':40} {'ratio':>8} {'target':>8}"]
    for figure in figures:
        yardstick = "" if figure.yardstick_value is None else f"{figure.yardstick} {_number(figure.yardstick_value)}"
        ratio = "" if figure.ratio is None else _number(figure.ratio)
        limit = "" if figure.limit is None else f"{'≥' if figure.at_least else '≤'} {_number(figure.limit)}"
        verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
        value = f"{_number(figure.value)} {figure.unit}"
        lines.append(f"{figure.name:{width}} {value:>14}  {yardstick:40} {ratio:>8} {limit:>8} {verdict}".rstrip())
    return "\n".join(lines)


def exit_code(figures: Sequence[Figure]) -> int:
    """1 if a target was missed, for a benchmark to end with."""
    return int(any(figure.met is False for figure in figures))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
