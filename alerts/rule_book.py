"""The rules that hold now, of alerts.toml and of the dashboard; a change is taken up when it is seen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from alerts.rules.rule import Rule
from alerts.rules.settings import AlertSettings
from alerts.rules.toml_file import AlertsFileInvalid, AlertsFileUnreadable, read_alerts
from alerts.store import AlertStore
from core.files import file_stamp
from core.wording import Message

__all__ = ["RuleBook"]

_log = logging.getLogger(__name__)


class RuleBook:
    """Reads the rules again only when the file or the store has changed.

    Attributes:
        settings: with the rules of the file; of one that became invalid or unreadable, as it was before.
        rules: of the file and, switched on, of the store, none twice.
        problem: what is wrong with the file.
    """

    def __init__(self, path: Path, store: AlertStore) -> None:
        self._path = path
        self._store = store
        self._stamp: object = None
        self._changes: int | None = None
        self._stored: Sequence[Rule] = ()
        self.settings = AlertSettings()
        self.rules: tuple[Rule, ...] = ()
        self.problem: Message | None = None

    def refresh(self) -> bool:
        """Look for changes; whether there is one."""
        has_changed = self._refresh_file()
        has_changed = self._refresh_stored() or has_changed
        if has_changed:
            self.rules = tuple({rule.id: rule for rule in (*self._stored, *self.settings.rules)}.values())
        return has_changed

    def _refresh_file(self) -> bool:
        stamp = file_stamp(self._path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            self.settings, self.problem = read_alerts(self._path), None
        except FileNotFoundError:
            self.settings, self.problem = AlertSettings(), None
        except AlertsFileInvalid as error:
            self._refused(error.summary)
        except AlertsFileUnreadable as error:
            self._stamp = None
            return self._refused(error.summary)
        return True

    def _refused(self, problem: Message) -> bool:
        """Keep the rules there are; whether this is another problem than before."""
        is_new = problem != self.problem
        if is_new:
            _log.error("%s; until that is mended, the rules before go on", problem)
        self.problem = problem
        return is_new

    def _refresh_stored(self) -> bool:
        changes = self._store.changes()
        if changes == self._changes:
            return False
        self._changes = changes
        stored = [one.rule for one in self._store.rules() if one.is_on]
        if stored == self._stored:
            return False
        self._stored = stored
        return True
