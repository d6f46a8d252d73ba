"""What all conditions have in common; each has a class of its own, in the modules beside this one.

Names here are English; the words of alerts.toml stand in the metadata of the fields and in `ConditionKind`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

__all__ = ["Condition", "ConditionKind", "Scope"]


class ConditionKind(StrEnum):
    """The conditions, by the word of alerts.toml."""

    PRICE_ABOVE = "preco_acima"
    PRICE_BELOW = "preco_abaixo"
    PRICE_CROSSES = "preco_cruza"
    CHANGE = "variacao"
    OUTSIDE_BAND = "fora_da_faixa"
    EXPECTED_MOVE = "movimento_esperado"
    BAND_WIDTH = "largura_da_faixa"
    ENDS_ABOVE = "termina_acima"
    ENDS_BELOW = "termina_abaixo"
    TOUCHES = "toca"
    REGIME_CHANGE = "regime"
    COVERAGE_OUT = "cobertura"
    DATA_STALE = "dados_parados"
    PROCESS_DOWN = "processo_parado"
    PROCESS_RESTARTED = "processo_reiniciado"
    DISK_LOW = "disco_cheio"
    CALLS_LOW = "chamadas_no_fim"


class Scope(StrEnum):
    """What a condition is about: a coin at each price, a coin at each forecast, or the suite."""

    PRICES = "prices"
    FORECASTS = "forecasts"
    COVERAGE = "coverage"
    PROCESSES = "processes"
    SUITE = "suite"


@dataclass(frozen=True)
class Condition:
    """What a rule waits for.

    Attributes:
        KIND: its word.
        SCOPE: what it is about.
        SLACK_PERCENT: default of the hysteresis, in percent of the threshold (of a regime's bounds: in points).
        ONE_OF: names in alerts.toml of which exactly one must be given.
    """

    KIND: ClassVar[ConditionKind]
    SCOPE: ClassVar[Scope]
    SLACK_PERCENT: ClassVar[float] = 5.0
    ONE_OF: ClassVar[tuple[str, ...]] = ()

    @property
    def is_switch(self) -> bool:
        """Whether each change between states is told, rather than the beginning of one of them."""
        return False
