"""Command lines whose description and help texts come from the catalogue."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NoReturn

from core import wording
from core.errors import EXIT_REFUSED
from core.logs import configure_logging
from core.processes.lifecycle import run_step
from core.settings import Settings, load_settings
from core.wording import say

__all__ = ["CommandLine", "bounded_integer", "run_command"]

_ENGLISH: Final = {
    "unknown_option": r"unrecognized arguments: (.*)",
    "value_missing": r"argument (\S+): expected (?:one|at least one) argument",
    "value_unwanted": r"argument (\S+): ignored explicit argument .*",
    "required": r"the following arguments are required: (.*)",
    "one_required": r"one of the arguments (.*) is required",
    "contradiction": r"argument (\S+): not allowed with argument .*",
    "invalid_value": r"argument (\S+): invalid .* value: .*",
    "invalid_choice": r"argument (\S+): invalid choice: .*",
}
"""Errors of argparse by the code of their sentence, `command.<name>`."""


class CommandLine(argparse.ArgumentParser):
    """The parser of `python -m MODULE`; texts are `command.MODULE` and `option.MODULE.NAME` of the catalogue.

    `value="file"` of an option shows the catalogue's `value.file` as the name of its value.
    """

    def __init__(self, module: str, command: str | None = None, **settings: Any) -> None:
        self._module = module
        super().__init__(
            prog=command or f"python -m {module}",
            description=say(wording.message(f"command.{module}")),
            formatter_class=_Help,
            add_help=False,
            allow_abbrev=False,
            **settings,
        )
        self._positionals.title = say(wording.message("command.group.arguments"))
        self._optionals.title = say(wording.message("command.group.options"))

    def options(self, title: str | None = None) -> Callable[..., argparse.Action]:
        """Start the group `title`; the result adds options to it, with help from the catalogue."""
        group = self if title is None else self.add_argument_group(say(wording.message(f"command.group.{title}")))
        return self._adder(group)

    def one_of(self) -> Callable[..., argparse.Action]:
        """Start a group of options of which exactly one must be given."""
        return self._adder(self.add_mutually_exclusive_group(required=True))

    def parse_args(self, *arguments: Any, **settings: Any) -> Any:
        """Parse the arguments, with `--help` as the last option."""
        if "-h" not in self._option_string_actions:
            text = say(wording.message("command.help"))
            self.add_argument("-h", "--help", action="help", help=text)
        return super().parse_args(*arguments, **settings)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to get help, and exit with code 2."""
        self.exit(EXIT_REFUSED, say(wording.message("command.wrong", problem=_translated(message))) + "\n")

    def _adder(self, group: Any) -> Callable[..., argparse.Action]:
        def add(*flags: str, value: str | None = None, **settings: Any) -> argparse.Action:
            metavar = {} if value is None else {"metavar": say(wording.message(f"value.{value}"))}
            text = say(wording.message(f"option.{self._module}.{flags[-1].lstrip('-')}"))
            action: argparse.Action = group.add_argument(*flags, help=text, **metavar, **settings)
            return action

        return add


class _Help(argparse.RawDescriptionHelpFormatter):
    def add_usage(
        self, usage: str | None, actions: Iterable[argparse.Action], groups: Iterable[Any], prefix: str | None = None
    ) -> None:
        super().add_usage(usage, actions, groups, say(wording.message("command.usage")) if prefix is None else prefix)


def run_command(
    line: CommandLine,
    step: Callable[[Settings, argparse.Namespace], int],
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the arguments, load settings, set up logging and run `step`.

    Returns:
        The exit code: that of `step`, or 2 if something is refused.
    """

    def main() -> int:
        given = line.parse_args(arguments)
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        return step(settings, given)

    return run_step(main)


def bounded_integer(low: int, high: int) -> Callable[[str], int]:
    """Make the type of an option whose value is an integer from `low` to `high`."""

    def parse(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(say(wording.message("command.whole_number", low=low, high=high)))
        return int(text)

    return parse


def _translated(text: str) -> str:
    for name, pattern in _ENGLISH.items():
        found = re.fullmatch(pattern, text)
        if found:
            return say(wording.message(f"command.{name}", what=found[1]))
    return re.sub(r"^argument (\S+):", r"\1:", text)
