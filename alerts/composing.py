"""From findings to alerts: many coins that move at once are told together, and quiet hours hold back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from alerts.alert import Alert, AlertKind, Sight, alert_key
from alerts.engine import Finding
from alerts.rules.rule import Rule
from alerts.rules.settings import AlertSettings
from core.times import GRID_STEP_MS

__all__ = ["ALONE", "compose", "held_back", "together"]

ALONE: Final = 3
"""So many coins are told one by one; more of one rule and one evaluation within five minutes are one alert."""


def compose(findings: Iterable[Finding], source: str) -> list[Alert]:
    """Alerts of one evaluation, by time."""
    groups: dict[tuple[str, AlertKind, int], list[Finding]] = {}
    for finding in findings:
        moment = finding.sight.at_ms // GRID_STEP_MS
        groups.setdefault((finding.rule.id, finding.kind, moment), []).append(finding)
    alerts: list[Alert] = []
    for group in groups.values():
        rule, kind = group[0].rule, group[0].kind
        sights = [finding.sight for finding in group]
        parts = [sights] if len(sights) > ALONE else [[sight] for sight in sights]
        alerts += [_alert(rule, kind, part, source) for part in parts]
    return sorted(alerts, key=lambda alert: alert.sights[0].at_ms)


def held_back(alerts: Iterable[Alert], rules: Iterable[Rule], settings: AlertSettings, now: int) -> dict[str, int]:
    """Key → end of the quiet hours, for alerts that fall into some that have not ended yet, or become known in some."""
    by_id = {rule.id: rule for rule in rules}
    held: dict[str, int] = {}
    for alert in alerts:
        ends_ms = [settings.held_until(by_id[alert.rule], moment) or 0 for moment in (alert.sights[-1].at_ms, now)]
        if max(ends_ms) > now:
            held[alert.key] = max(ends_ms)
    return held


def together(held: Sequence[Alert]) -> list[Alert]:
    """What quiet hours held back: one alert for each rule and kind."""
    groups: dict[tuple[str, AlertKind], list[Alert]] = {}
    for alert in held:
        groups.setdefault((alert.rule, alert.kind), []).append(alert)
    joined = []
    for (rule, kind), alerts in groups.items():
        sights = tuple(sorted((sight for alert in alerts for sight in alert.sights), key=lambda sight: sight.at_ms))
        joined.append(replace(alerts[-1], key=alert_key(rule, kind, sights), sights=sights))
    return joined


def _alert(rule: Rule, kind: AlertKind, sights: Sequence[Sight], source: str) -> Alert:
    return Alert(
        key=alert_key(rule.id, kind, sights),
        rule=rule.id,
        name=rule.name,
        condition=rule.condition.KIND.value,
        kind=kind,
        sights=tuple(sights),
        source=source,
        channels=rule.channels,
    )
