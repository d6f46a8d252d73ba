"""`python -m alerts` watches until it is stopped; its options check the rules, try a channel or replay a recording."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from alerts.delivery.channels import open_channels
from alerts.delivery.trial import try_channel
from alerts.process import run
from alerts.rules.coin_names import CoinName, near_coin, unknown_names
from alerts.rules.rule import Rule
from alerts.rules.text import rule_text
from alerts.rules.toml_file import read_alerts
from core.errors import BadInput, NotReady
from core.processes.command_line import CommandLine, run_command
from core.processes.lifecycle import stop_event, watch_parent
from core.reading.published import PublishedData
from core.settings import PARENT_VARIABLE, Settings, Source, all_variables
from core.wording import Message, message, say
from core.workspace import current_workspace

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0 when it did what was asked."""
    line = CommandLine("alerts")
    options = line.options()
    options("--check", action="store_true")
    options("--test", value="channel")
    options("--replay", value="file", type=Path)
    options("--rules", value="file", type=Path)
    return run_command(line, _command, arguments)


def _command(settings: Settings, given: Namespace) -> int:
    rules = (given.rules or settings.alerts_file).resolve()
    settings = settings.model_copy(update={"alerts_file": rules})
    if given.check:
        return _check(settings, rules)
    if given.test is not None:
        return _try(settings, given.test)
    if given.replay is not None:
        from alerts.replay import replay  # noqa: PLC0415 - loads the forecaster, which only a replay needs

        return replay(given.replay, rules)
    if rules.exists() and not os.environ.get(PARENT_VARIABLE):
        read_alerts(rules)  # a person reads the refusal; in a running suite the rest goes on
    stop = stop_event()
    watch_parent()
    return run(settings, stop)


def _check(chosen: Settings, rules: Path) -> int:
    """Say what is wrong with the file, a line each, or what its rules wait for; and which coins nobody collects."""
    if not rules.exists():
        raise BadInput(message("alert.check.no_file", file=str(rules)))
    settings = read_alerts(rules)
    for rule in settings.rules:
        print(f"{rule.name}: {rule_text(rule, settings.language)}")  # noqa: T201 - the answer to a person
    for warning in _unknown_coins(chosen, settings.rules):
        print(say(warning, settings.language))  # noqa: T201 - the answer to a person
    said = message("alert.check.good", file=rules.name, rules=len(settings.rules), channels=len(settings.channels))
    print(say(said, settings.language))  # noqa: T201 - the answer to a person
    return 0


def _unknown_coins(settings: Settings, rules: Sequence[Rule]) -> list[Message]:
    """A warning for each name that is no coin in the price store; none before there are prices."""
    try:
        with closing(PublishedData(settings)) as data, data.prices() as prices:
            coins = [CoinName(coin.id, coin.symbol, coin.name) for coin in prices.coins()]
    except NotReady:
        return []
    names = [name for coin in coins for name in (coin.id, coin.symbol)]
    near = {name: near_coin(name, names) for name in unknown_names(rules, coins) if coins}
    return [
        message("alert.check.unknown_coin", coin=name)
        if meant is None
        else message("alert.check.unknown_coin_but_near", coin=name, near=meant)
        for name, meant in near.items()
    ]


def _try(settings: Settings, name: str) -> int:
    """Send a test message on a channel and say what came of it."""
    alerts = read_alerts(settings.alerts_file)
    channels = open_channels(alerts.channels, all_variables(), settings.alerts_file.parent)
    try:
        source = current_workspace(settings).source
    except NotReady:
        source = Source.COINGECKO
    was_taken, said = try_channel(channels, name, source.value, alerts.language)
    print(said, file=sys.stdout if was_taken else sys.stderr)
    return 0 if was_taken else 1


if __name__ == "__main__":
    sys.exit(main())
