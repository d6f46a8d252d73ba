"""The command line of run_all.py; `Settings` checks the values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core.errors import ConfigurationError
from core.processes.command_line import CommandLine
from core.settings import Settings, Source, load_settings
from core.wording import message, say

__all__ = ["parse_arguments"]

_INSTALLED_COMMAND: Final = "crypto-forecasting"


def parse_arguments(arguments: Sequence[str] | None = None) -> Settings:
    """Build settings from the command line, the environment and `.env`, in this precedence.

    Raises:
        ConfigurationError: options contradict each other, or a value is invalid.
        SystemExit: `--help` (0) or an unknown option (2).
    """
    given = vars(_command_line().parse_args(arguments))
    source = _source(given.pop("source"), demo=given.pop("demo"), replay=given["replay"])
    settings = load_settings(source=source, browser=False if given.pop("no_browser") else None, **given)
    if given["replay_start"] and settings.source is not Source.REPLAY:
        raise ConfigurationError(message("suite.replay_start_alone"))
    return settings


def _source(named: str | None, *, demo: bool, replay: str | None) -> str | None:
    """The source that the options select, or None.

    Raises:
        ConfigurationError: they select several.
    """
    asked: dict[str, str] = {}
    if named is not None:
        asked[f"--source {named}"] = named
    if demo:
        asked["--demo"] = Source.DEMO.value
    if replay is not None:
        asked["--replay"] = Source.REPLAY.value
    if len(set(asked.values())) > 1:
        raise ConfigurationError(message("suite.contradiction", options=" + ".join(asked)))
    return next(iter(asked.values()), None)


def _command_line() -> CommandLine:
    command = _INSTALLED_COMMAND if Path(sys.argv[0]).stem == _INSTALLED_COMMAND else "python run_all.py"
    line = CommandLine("run_all", command, epilog=say(message("command.run_all_epilog")))
    line.usage = say(message("command.run_all_usage", command=command))
    market = line.options("prices")
    market("--source", value="source")
    market("--demo", action="store_true")
    market("--replay", value="file")
    market("--replay-start", value="moment")
    market("--coins", value="list")
    market("--currency", value="currency")
    market("--interval", value="seconds")
    market("--seed", value="number")
    market("--shards", value="number")
    services = line.options("services")
    services("--host", value="host")
    services("--api-port", value="port")
    services("--dashboard-port", value="port")
    services("--api-workers", value="number")
    services("--data-dir", value="folder")
    services("--models-dir", value="folder")
    services("--no-browser", action="store_true")
    return line
