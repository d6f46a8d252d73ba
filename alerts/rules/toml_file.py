"""Read alerts.toml: everything that is wrong with it, each with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alerts.rules.rule import Rule, keys_of
from alerts.rules.settings import AlertSettings, Channel, ChannelKind, QuietHours
from alerts.rules.table import Problem, RuleProblems, nearest_hint, read_fields, read_rule
from alerts.rules.toml_lines import TomlLines
from core.errors import ConfigurationError, DamagedFile, Unavailable
from core.files import read_bytes
from core.wording import Message, message

__all__ = ["AlertsFileInvalid", "AlertsFileUnreadable", "FileProblem", "parse_alerts", "read_alerts"]

_RULE: Final = "regra"
_CHANNELS: Final = "canais"
_QUIET: Final = "silencio"
_CHANNEL_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
_MOST_BYTES: Final = 2**20
_MOST_RULES: Final = 2_000
_MOST_PROBLEMS: Final = 20
"""At most so many problems are shown at once; the next ones follow when these are mended."""
_TOML_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)")


@dataclass(frozen=True)
class FileProblem:
    """One thing that is wrong, and the line where it stands."""

    line: int
    problem: Message


class AlertsFileInvalid(ConfigurationError):
    """The file says something that has no meaning; `problems` in the order of the lines, `summary` one line each."""

    def __init__(self, path: Path, problems: list[FileProblem]) -> None:
        found = sorted(problems, key=lambda found: found.line)
        rest = found[_MOST_PROBLEMS:]
        more = [FileProblem(rest[0].line, message("alert.file.more", count=len(rest)))] if rest else []
        self.problems = (*found[:_MOST_PROBLEMS], *more)
        self.summary = _joined(path, self.problems)
        super().__init__(self.summary)


class AlertsFileUnreadable(Unavailable):
    """The system refuses to open or read the file; `summary` says why."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.summary = message("alert.file.not_read", file=path.name, reason=error.strerror or str(error))
        super().__init__(self.summary)


def read_alerts(path: Path) -> AlertSettings:
    """Read a file of rules.

    Raises:
        FileNotFoundError: there is none.
        AlertsFileUnreadable: the system refuses to open or read it.
        AlertsFileInvalid: it says something that has no meaning.
    """
    try:
        content = read_bytes(path, _MOST_BYTES)
    except DamagedFile as error:
        raise AlertsFileInvalid(
            path, [FileProblem(1, message("alert.file.unreadable", reason=error.message))]
        ) from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AlertsFileUnreadable(path, error) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise AlertsFileInvalid(path, [FileProblem(line, message("alert.file.encoding"))]) from error
    return parse_alerts(text, path)


def parse_alerts(text: str, path: Path) -> AlertSettings:
    """The settings and rules in the text of a file; `path` names it in messages.

    Raises:
        AlertsFileInvalid: it says something that has no meaning.
    """
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:  # wrong syntax, or tables nested a thousand deep
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise AlertsFileInvalid(path, [FileProblem(line, message("alert.file.syntax"))]) from error
    parser = _Parser(TomlLines(text))
    settings = parser.settings(table)
    if parser.problems:
        raise AlertsFileInvalid(path, parser.problems)
    return settings


class _Parser:
    """Collects what is wrong while it reads."""

    def __init__(self, lines: TomlLines) -> None:
        self._lines = lines
        self.problems: list[FileProblem] = []

    def settings(self, table: Mapping[str, Any]) -> AlertSettings:
        known = {_RULE, _CHANNELS, _QUIET, *(key.name for key in keys_of(AlertSettings).values())}
        self._add("", 0, [(word, nearest_hint(word, known)) for word in table if word not in known])
        problems: list[Problem] = []
        values = read_fields(AlertSettings, table, problems)
        self._add("", 0, problems)
        channels = self._channels(table.get(_CHANNELS, {}))
        return AlertSettings(
            **values,
            channels=channels,
            quiet=self._quiet(table),
            rules=self._rules(table.get(_RULE, []), table.get(_CHANNELS, {})),
        )

    def _channels(self, table: object) -> dict[str, Channel]:
        if not isinstance(table, dict) or not all(isinstance(part, dict) for part in table.values()):
            self._add("", 0, [(_CHANNELS, message("alert.file.not_table", key=_CHANNELS))])
            return {}
        return {name: channel for name, part in table.items() if (channel := self._channel(name, part)) is not None}

    def _channel(self, name: str, table: Mapping[str, object]) -> Channel | None:
        problems: list[Problem] = []
        if not _CHANNEL_NAME.fullmatch(name):
            problems.append((None, message("alert.file.channel_name", name=name[:60])))
        values = self._part(Channel, table, problems)
        addresses = [key for key in ("url", "url_env", "url_arquivo") if key in table]
        if len(addresses) != 1:
            problems.append((None, message("alert.file.one_of", keys="url, url_env, url_arquivo")))
        if values.get("kind") is ChannelKind.WEBHOOK and not {"segredo_env", "segredo_arquivo"} & table.keys():
            problems.append((None, message("alert.file.one_of", keys="segredo_env, segredo_arquivo")))
        self._add(f"{_CHANNELS}.{name}", 0, problems)
        return None if problems else Channel(name, **values)

    def _quiet(self, table: Mapping[str, Any]) -> QuietHours | None:
        part = table.get(_QUIET)
        if part is None:
            return None
        if not isinstance(part, dict):
            self._add("", 0, [(_QUIET, message("alert.file.not_table", key=_QUIET))])
            return None
        problems: list[Problem] = []
        values = self._part(QuietHours, part, problems)
        self._add(_QUIET, 0, problems)
        return None if problems else QuietHours(**values)

    def _rules(self, tables: object, channels: Container[str]) -> tuple[Rule, ...]:
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._add("", 0, [(_RULE, message("alert.file.not_rules"))])
            return ()
        if len(tables) > _MOST_RULES:
            self._add(_RULE, _MOST_RULES, [(None, message("alert.file.too_many_rules", most=_MOST_RULES))])
            return ()
        rules: dict[str, Rule] = {}
        lines: dict[str, int] = {}
        for place, table in enumerate(tables):
            try:
                rule = read_rule(table)
            except RuleProblems as error:
                self._add(_RULE, place, error.problems)
                continue
            unknown = [name for name in rule.channels if name not in channels]
            self._add(_RULE, place, [("canais", message("alert.file.no_channel", name=name)) for name in unknown])
            if rule.id in rules:
                self._add(_RULE, place, [(None, message("alert.file.repeated", line=lines[rule.id]))])
            rules[rule.id], lines[rule.id] = rule, self._lines.of(_RULE, place)
        return tuple(rules.values())

    def _part(self, owner: type[Any], table: Mapping[str, object], problems: list[Problem]) -> dict[str, Any]:
        known = [key.name for key in keys_of(owner).values()]
        problems += [(word, nearest_hint(word, known)) for word in table if word not in known]
        return read_fields(owner, table, problems)

    def _add(self, table: str, place: int, problems: list[Problem] | tuple[Problem, ...]) -> None:
        self.problems += [FileProblem(self._lines.of(table, place, key), problem) for key, problem in problems]


def _joined(path: Path, problems: tuple[FileProblem, ...]) -> Message:
    first, *rest = (
        message("alert.file.line", file=path.name, line=found.line, problem=found.problem) for found in problems
    )
    for problem in rest:
        first = message("settings.lines", first=first, rest=problem)
    return first
