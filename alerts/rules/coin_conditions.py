"""Conditions about coins: judged at each price, or at each forecast."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from alerts.rules.condition import Condition, ConditionKind, Scope
from alerts.rules.values import choice, duration, key, number, write_duration
from core.answers.regime import Regime
from core.forecast_levels import HORIZONS_MIN
from core.times import DAY_MS, MINUTE_MS

__all__ = [
    "BandWidth",
    "Change",
    "Direction",
    "EndsAbove",
    "EndsBelow",
    "ExpectedMove",
    "LevelChance",
    "OutsideBand",
    "PriceAbove",
    "PriceBelow",
    "PriceCrosses",
    "PriceLevel",
    "RegimeChange",
    "SizeForecast",
    "Touches",
]

_MAX_PRICE: Final = 1e15


class Direction(StrEnum):
    """Which changes of a price count."""

    UP = "alta"
    DOWN = "queda"
    BOTH = "qualquer"


@dataclass(frozen=True)
class PriceLevel(Condition):
    """A price and a level, in the currency of the prices."""

    SCOPE: ClassVar[Scope] = Scope.PRICES
    SLACK_PERCENT: ClassVar[float] = 0.2

    level: float = field(metadata=key("nivel", number(0, _MAX_PRICE, above=True)))


@dataclass(frozen=True)
class PriceAbove(PriceLevel):
    """The price is above the level."""

    KIND: ClassVar[ConditionKind] = ConditionKind.PRICE_ABOVE


@dataclass(frozen=True)
class PriceBelow(PriceLevel):
    """The price is below the level."""

    KIND: ClassVar[ConditionKind] = ConditionKind.PRICE_BELOW


@dataclass(frozen=True)
class PriceCrosses(PriceLevel):
    """The price has gone from one side of the level to the other."""

    KIND: ClassVar[ConditionKind] = ConditionKind.PRICE_CROSSES

    @property
    def is_switch(self) -> bool:
        """Both directions are told."""
        return True


@dataclass(frozen=True)
class Change(Condition):
    """The price has changed by `percent` or more against the one `span_ms` before."""

    KIND: ClassVar[ConditionKind] = ConditionKind.CHANGE
    SCOPE: ClassVar[Scope] = Scope.PRICES

    percent: float = field(metadata=key("percentual", number(0, 10_000, above=True)))
    span_ms: int = field(metadata=key("periodo", duration(MINUTE_MS, 14 * DAY_MS), write_duration))
    direction: Direction = field(default=Direction.BOTH, metadata=key("direcao", choice(*Direction), str))


@dataclass(frozen=True)
class OutsideBand(Condition):
    """The price lies outside the band of `percent` that was forecast for it an hour ago."""

    KIND: ClassVar[ConditionKind] = ConditionKind.OUTSIDE_BAND
    SCOPE: ClassVar[Scope] = Scope.PRICES
    SLACK_PERCENT: ClassVar[float] = 0.0

    percent: int = field(default=95, metadata=key("faixa", choice(80, 95)))


@dataclass(frozen=True)
class SizeForecast(Condition):
    """A forecast size in percent of the price, or its percentile among the coin's own hours of 14 days."""

    SCOPE: ClassVar[Scope] = Scope.FORECASTS
    ONE_OF: ClassVar[tuple[str, ...]] = ("nivel", "percentil")

    percent: float | None = field(default=None, metadata=key("nivel", number(0, 1000, above=True)))
    percentile: float | None = field(default=None, metadata=key("percentil", number(0, 100)))

    @property
    def threshold(self) -> float:
        """Whichever of the two is given."""
        return (self.percentile or 0.0) if self.percent is None else self.percent


@dataclass(frozen=True)
class ExpectedMove(SizeForecast):
    """The expected absolute move of the next hour is above the threshold."""

    KIND: ClassVar[ConditionKind] = ConditionKind.EXPECTED_MOVE


@dataclass(frozen=True)
class BandWidth(SizeForecast):
    """Half the width of the next hour's 80 % band is above the threshold."""

    KIND: ClassVar[ConditionKind] = ConditionKind.BAND_WIDTH


@dataclass(frozen=True)
class LevelChance(Condition):
    """A level (a price, or a signed distance from the price in percent) and the least probability, in percent."""

    SCOPE: ClassVar[Scope] = Scope.FORECASTS
    ONE_OF: ClassVar[tuple[str, ...]] = ("nivel", "distancia")

    probability: float = field(metadata=key("probabilidade", number(0, 100, above=True)))
    level: float | None = field(default=None, metadata=key("nivel", number(0, _MAX_PRICE, above=True)))
    distance: float | None = field(default=None, metadata=key("distancia", number(-99, 10_000)))
    horizon_min: int = field(default=60, metadata=key("horizonte", choice(*HORIZONS_MIN)))


@dataclass(frozen=True)
class EndsAbove(LevelChance):
    """The price ends above the level at the horizon with at least this probability."""

    KIND: ClassVar[ConditionKind] = ConditionKind.ENDS_ABOVE


@dataclass(frozen=True)
class EndsBelow(LevelChance):
    """The price ends below the level at the horizon with at least this probability."""

    KIND: ClassVar[ConditionKind] = ConditionKind.ENDS_BELOW


@dataclass(frozen=True)
class Touches(LevelChance):
    """The price touches the level within the horizon with at least this probability."""

    KIND: ClassVar[ConditionKind] = ConditionKind.TOUCHES


@dataclass(frozen=True)
class RegimeChange(Condition):
    """The regime of the next hour is another one than told last; or, with `to`, it is that one."""

    KIND: ClassVar[ConditionKind] = ConditionKind.REGIME_CHANGE
    SCOPE: ClassVar[Scope] = Scope.FORECASTS

    to: Regime | None = field(default=None, metadata=key("para", choice(*Regime), str))

    @property
    def is_switch(self) -> bool:
        """Every change is told, unless one regime is waited for."""
        return self.to is None
