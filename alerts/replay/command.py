"""`python -m alerts --replay FILE`: prints what would have been told, and how often each rule was right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tqdm import tqdm

from alerts.alert import Alert
from alerts.composing import compose
from alerts.engine import Finding
from alerts.messages import Wording, alert_text
from alerts.replay.recorded_market import Replay
from alerts.replay.verdicts import Verdict, verdict
from alerts.rules.coin_names import near_coin, unknown_names
from alerts.rules.condition import Scope
from alerts.rules.rule import Rule
from alerts.rules.settings import AlertSettings
from alerts.rules.text import rule_text
from alerts.rules.toml_file import read_alerts
from core.errors import BadInput
from core.number_format import format_number
from core.settings import Source
from core.wording import Value, message, say
from etl.local_market.coin_names import known_coins
from etl.recordings.recording import read_recording

__all__ = ["replay", "report"]

_MOST_SHOWN: Final = 10
_JUDGED: Final = (Scope.PRICES, Scope.FORECASTS)


def replay(recording_file: Path, rules_file: Path) -> int:
    """Judge the rules on a recording and print; the exit code is 0.

    Raises:
        BadInput: the recording cannot be read, or there is no file of rules.
        ConfigurationError: the rules have no meaning.
    """
    if not rules_file.exists():
        raise BadInput(message("alert.check.no_file", file=str(rules_file)))
    settings = read_alerts(rules_file)
    recording = read_recording(recording_file, None)
    judged = [rule for rule in settings.rules if rule.condition.SCOPE in _JUDGED]
    run = Replay(recording, judged)
    found = _run(run, settings.language)
    for line in report(settings, run, judged, found, recording.currency):
        print(line)  # noqa: T201 - the answer to the person who asked
    return 0


def _run(run: Replay, language: str) -> list[Finding]:
    """All that the rules tell; a bar on a terminal says how many of the recording's hours are done."""
    found: list[Finding] = []
    unit = say(message("alert.replay.hour"), language)
    with tqdm(total=run.hours, unit=unit, unit_scale=True, disable=None, mininterval=1.0) as bar:
        for piece in run.run():
            found += piece
            bar.update(run.hours_done - bar.n)
    return found


def report(
    settings: AlertSettings, run: Replay, judged: Sequence[Rule], found: Sequence[Finding], currency: str
) -> list[str]:
    """Lines about each rule: what it waits for, how it did, and the first things it would have told."""
    titles = {coin.id: coin.title for coin in run.coins}
    wording, prices = Wording(settings.language, settings.zone, None, currency, titles), run.prices
    days = (max(int(t[-1]) for t, _ in prices.values()) - min(int(t[0]) for t, _ in prices.values())) / 86_400_000
    lines = [_say("about", wording, coins=len(prices), days=format_number(days, 1, wording.language))]
    for rule in settings.rules:
        lines += ["", f"{rule.name}: {rule_text(rule, settings.language)}"]
        if rule not in judged:
            lines.append(_say("not_judged", wording))
            continue
        lines += [_missing_text(name, run, wording) for name in unknown_names([rule], run.coins)]
        own = [finding for finding in found if finding.rule is rule]
        alerts = compose(own, Source.REPLAY.value)
        lines.append(_say("told", wording, alerts=len(alerts), times=len(own)))
        lines.append(_verdict_text(verdict(rule.condition, own, prices, run.outside(rule)), wording))
        lines += [f"  {_first_line(alert, wording)}" for alert in alerts[:_MOST_SHOWN]]
        if len(alerts) > _MOST_SHOWN:
            lines.append("  " + say(message("alert.frame.more", count=len(alerts) - _MOST_SHOWN), wording.language))
    return lines


def _missing_text(name: str, run: Replay, wording: Wording) -> str:
    """The line for what a rule names and the recording does not hold; a well-known coin is no misspelt other one."""
    known = {word for coin in known_coins().values() for word in (coin.id, coin.symbol)}
    recorded = [word for coin in run.coins for word in (coin.id, coin.symbol)]
    near = None if name.lower() in known else near_coin(name, recorded)
    if near is None:
        return _say("not_recorded", wording, coin=name)
    return _say("not_recorded_but_near", wording, coin=name, near=near)


def _first_line(alert: Alert, wording: Wording) -> str:
    return " ".join(alert_text(alert, wording).splitlines()[: 1 if len(alert.sights) == 1 else 3])


def _verdict_text(found: Verdict, wording: Wording) -> str:
    if found.code != "fact" and not found.judged:
        return _say("nothing_judged", wording)
    values: dict[str, Value] = {"told": found.told, "judged": found.judged}
    values["right"] = "" if found.right is None else found.right
    for name in ("stated", "happened", "usual"):
        value = getattr(found, name)
        values[name] = "?" if value is None else format_number(value, 1 if value >= 10 else 2, wording.language)
    return _say(found.code, wording, **values)


def _say(code: str, wording: Wording, **values: Value) -> str:
    return say(message(f"alert.replay.{code}", **values), wording.language)
