"""What the pages show of alerts, read from alerts.toml and alerts.db; again only when these have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from alerts.rules.settings import AlertSettings
from alerts.rules.toml_file import AlertsFileInvalid, AlertsFileUnreadable, read_alerts
from alerts.store import AlertStore, DeadLetter, StoredRule, Told
from core.errors import ConfigurationError, DamagedFile, NotReady, StorageProblem
from core.files import file_stamp
from core.reading.readers import Readers
from core.settings import Settings
from core.wording import Message

__all__ = ["Alerts", "alert_file", "alert_stamp", "alerts_of", "read_stored"]

_MOST: Final = 100
_STAMP_DIGITS: Final = 16
_last_good: Final[dict[Path, AlertSettings]] = {}


@dataclass(frozen=True)
class Alerts:
    """The content of alerts.db.

    Attributes:
        rules: made in the dashboard.
        told: what was told last, newest first.
        dead: what could not be delivered, newest first.
        holding: id of a rule → the coins or processes for which it holds now.
        judged: ids of the rules that were ever judged.
    """

    rules: Sequence[StoredRule] = ()
    told: Sequence[Told] = ()
    dead: Sequence[DeadLetter] = ()
    holding: Mapping[str, Sequence[str]] = field(default_factory=dict)
    judged: Collection[str] = ()

    @cached_property
    def stamp(self) -> str:
        """Changes with the content."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:_STAMP_DIGITS]


def alerts_of(readers: Readers) -> Alerts:
    """The alerts of the workspace that is shown; empty where there are none.

    Raises:
        DamagedFile, StorageProblem: alerts.db cannot be read.
    """
    try:
        path = readers.workspace().alerts
    except (NotReady, ConfigurationError):
        return Alerts()
    if not path.exists():
        return Alerts()
    return read_stored(path, file_stamp(path), file_stamp(path.with_name(f"{path.name}-wal")))


@lru_cache(maxsize=4)
def read_stored(path: Path, *_stamps: tuple[int, int, int]) -> Alerts:
    """The content of an alerts.db; the stamps of its files tell one state from another."""
    holding: dict[str, list[str]] = {}
    judged: dict[str, None] = {}
    with AlertStore(path) as store:
        for episode in store.episodes():
            judged.setdefault(episode.rule)
            if episode.side == 1:
                holding.setdefault(episode.rule, []).append(episode.subject)
        return Alerts(store.rules(), store.told(_MOST), store.dead_letters(_MOST), holding, tuple(judged))


def alert_stamp(readers: Readers) -> str:
    """Names the state of what is shown of alerts."""
    try:
        return alerts_of(readers).stamp
    except (DamagedFile, StorageProblem) as error:
        return str(error)


def alert_file(settings: Settings) -> tuple[AlertSettings, Message | None]:
    """What alerts.toml says, and what is wrong with it; without the file, the defaults.

    While something is wrong, what this process read before goes on, as in the alert process.
    """
    path = settings.alerts_file
    try:
        return _alert_file(path, file_stamp(path))
    except AlertsFileUnreadable as error:  # not kept: the file may be readable at the next look, unchanged
        return _last_good.get(path, AlertSettings()), error.summary


@lru_cache(maxsize=4)
def _alert_file(path: Path, _stamp: tuple[int, int, int]) -> tuple[AlertSettings, Message | None]:
    try:
        _last_good[path] = read_alerts(path)
    except FileNotFoundError:
        _last_good[path] = AlertSettings()
    except AlertsFileInvalid as error:
        return _last_good.get(path, AlertSettings()), error.summary
    return _last_good[path], None
