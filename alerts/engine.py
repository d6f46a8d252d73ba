"""Judges all rules on what was seen, and carries their episodes on. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from alerts.alert import AlertKind, Sight
from alerts.conditions import forecasts, prices, suite
from alerts.conditions.sides import UNKNOWN, Floats, Judge, column_of
from alerts.conditions.views import View
from alerts.episodes import Episodes, Policy, Step, advance
from alerts.rules import coin_conditions as coins
from alerts.rules import suite_conditions as suites
from alerts.rules.coin_names import CoinName, ids_by_name, named_coins
from alerts.rules.condition import Condition, Scope
from alerts.rules.rule import Rule
from alerts.rules.suite_conditions import PROCESS_NAMES, ProcessDown, ProcessRestarted
from alerts.store.rows import Episode

__all__ = ["ALL_TOGETHER", "Engine", "Finding"]

ALL_TOGETHER: Final = ""
"""The subject that is the suite as a whole, or all coins together."""

_Applies = npt.NDArray[np.bool_]
_JUDGES: Final[Mapping[type[Condition], Callable[[Any, Floats, _Applies], Judge]]] = {
    coins.PriceAbove: lambda conditions, slack, _: prices.AboveJudge(conditions, slack),
    coins.PriceBelow: lambda conditions, slack, _: prices.BelowJudge(conditions, slack),
    coins.PriceCrosses: lambda conditions, slack, _: prices.CrossesJudge(conditions, slack),
    coins.Change: lambda conditions, slack, _: prices.ChangeJudge(conditions, slack),
    coins.OutsideBand: lambda conditions, slack, _: prices.BandJudge(conditions, slack),
    coins.ExpectedMove: lambda conditions, slack, _: forecasts.SizeJudge(conditions, slack),
    coins.BandWidth: lambda conditions, slack, _: forecasts.SizeJudge(conditions, slack),
    coins.EndsAbove: forecasts.ChanceJudge,
    coins.EndsBelow: forecasts.ChanceJudge,
    coins.Touches: forecasts.ChanceJudge,
    coins.RegimeChange: lambda conditions, slack, _: forecasts.RegimeJudge(conditions, slack),
    suites.CoverageOut: lambda conditions, slack, _: suite.CoverageJudge(conditions, slack),
    suites.DataStale: lambda conditions, slack, _: suite.StaleJudge(conditions, slack),
    suites.ProcessDown: lambda conditions, slack, _: suite.DownJudge(conditions, slack),
    suites.ProcessRestarted: lambda conditions, slack, _: suite.RestartJudge(conditions, slack),
    suites.DiskLow: lambda conditions, slack, _: suite.DiskJudge(conditions, slack),
    suites.CallsLow: lambda conditions, slack, _: suite.CallsJudge(conditions, slack),
}


@dataclass(frozen=True)
class Finding:
    """Something that a rule has to tell."""

    rule: Rule
    kind: AlertKind
    sight: Sight


class Engine:
    """The rules and their episodes.

    Args:
        rules: without repetitions.
        coins: those that are collected, by rank.
        episodes: the states where the rules left off; those of other rules are ignored.
    """

    def __init__(self, rules: Sequence[Rule], coins: Sequence[CoinName], episodes: Iterable[Episode] = ()) -> None:
        self.coins = tuple(coin.id for coin in coins)
        """The subjects of prices and forecasts, by whose places in here a view names them."""
        self.rules = tuple(rules)
        named = ids_by_name(coins)
        subjects = {
            Scope.PRICES: self.coins,
            Scope.FORECASTS: self.coins,
            Scope.COVERAGE: (*self.coins, ALL_TOGETHER),
            Scope.PROCESSES: PROCESS_NAMES,
            Scope.SUITE: (ALL_TOGETHER,),
        }
        kinds: dict[type[Condition], list[Rule]] = {}
        for rule in rules:
            kinds.setdefault(type(rule.condition), []).append(rule)
        self._blocks = [_Block(alike, subjects[kind.SCOPE], named) for kind, alike in kinds.items()]
        owners = {rule.id: (block, row) for block in self._blocks for row, rule in enumerate(block.rules)}
        for episode in episodes:
            if (owner := owners.get(episode.rule)) is not None:
                owner[0].restore(owner[1], episode)
        self._changed: dict[tuple[str, str], Episode] = {}

    @property
    def spans_ms(self) -> frozenset[int]:
        """The spans over which some rule asks for a change."""
        return frozenset(rule.condition.span_ms for rule in self.rules if isinstance(rule.condition, coins.Change))

    @property
    def needs_bands(self) -> bool:
        """Whether some rule compares prices with the forecast of an hour ago."""
        return any(isinstance(rule.condition, coins.OutsideBand) for rule in self.rules)

    def needs(self, scope: Scope) -> bool:
        """Whether some rule is about this."""
        return any(block.scope is scope for block in self._blocks)

    def look(self, scope: Scope, view: View) -> list[Finding]:
        """Judge the rules of a scope, and note which states changed."""
        findings: list[Finding] = []
        for block in self._blocks:
            if block.scope is scope:
                step = block.look(view)
                findings += block.findings(step, view)
                self._changed |= block.changed(step, view)
        return findings

    def take_changes(self) -> list[Episode]:
        """The states that changed since they were taken last."""
        changed, self._changed = self._changed, {}
        return list(changed.values())


class _Block:
    """All rules of one kind over all their subjects."""

    def __init__(self, rules: Sequence[Rule], subjects: Sequence[str], named: Mapping[str, str]) -> None:
        self.rules = rules
        self.scope = rules[0].condition.SCOPE
        self.subjects = subjects
        self._columns = {subject: column for column, subject in enumerate(subjects)}
        applies = np.array([_about(rule, subjects, named) for rule in rules], np.bool_)
        self._applies = applies
        slack = column_of([rule.slack / 100 for rule in rules])
        self._judge = _JUDGES[type(rules[0].condition)]([rule.condition for rule in rules], slack, applies)
        self._policy = Policy.of(rules)
        self._tells_normal = np.array([[rule.tell_normal] for rule in rules])
        self._episodes = Episodes.at_first(self._policy, len(subjects))

    def restore(self, row: int, episode: Episode) -> None:
        """Take up a stored state of a rule, if its subject is still there."""
        if (column := self._columns.get(episode.subject)) is not None:
            states = self._episodes
            states.side[row, column], states.told[row, column] = episode.side, episode.told
            states.since_ms[row, column], states.told_ms[row, column] = episode.since_ms, episode.told_ms

    def look(self, view: View) -> Step:
        """Carry the episodes of the subjects in the view to what was seen."""
        sides = np.array(self._judge.sides(view))
        sides[~self._applies[:, view.places]] = UNKNOWN
        step = advance(self._episodes.at(view.places), self._policy, sides, view.at_ms)
        self._episodes.put(view.places, step.states)
        return step

    def findings(self, step: Step, view: View) -> list[Finding]:
        """What is to be told, by time."""
        told = [(AlertKind.FIRED, step.fired), (AlertKind.NORMAL, step.ended & self._tells_normal)]
        found = [
            Finding(self.rules[row], kind, self._sight(row, column, step, view))
            for kind, flags in told
            for row, column in np.argwhere(flags).tolist()
        ]
        return sorted(found, key=lambda finding: finding.sight.at_ms)

    def changed(self, step: Step, view: View) -> dict[tuple[str, str], Episode]:
        """The new states, where they changed."""
        states, found = step.states, {}
        for row, column in np.argwhere(step.changed).tolist():
            subject = self.subjects[view.places[column]]
            found[self.rules[row].id, subject] = Episode(
                self.rules[row].id,
                subject,
                int(states.side[row, column]),
                int(states.told[row, column]),
                int(states.since_ms[row, column]),
                int(states.told_ms[row, column]),
            )
        return found

    def _sight(self, row: int, column: int, step: Step, view: View) -> Sight:
        subject = self.subjects[view.places[column]]
        is_process = self.scope is Scope.PROCESSES
        return Sight(
            coin=None if is_process or subject == ALL_TOGETHER else subject,
            at_ms=int(view.at_ms[column]),
            figures=self._judge.figures(row, view, column),
            since_ms=int(step.states.since_ms[row, column]),
            process=subject if is_process else None,
        )


def _about(rule: Rule, subjects: Sequence[str], named: Mapping[str, str]) -> list[bool]:
    """Which subjects a rule is about."""
    condition = rule.condition
    if isinstance(condition, ProcessDown | ProcessRestarted):
        return [condition.processes is None or subject in condition.processes for subject in subjects]
    if rule.coins is None:
        return [subject != ALL_TOGETHER for subject in subjects]
    wanted = named_coins(rule, named) or {ALL_TOGETHER}
    return [subject in wanted for subject in subjects]
