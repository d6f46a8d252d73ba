"""What the pages show of alerts, read from alerts.toml and alerts.db; again only when these have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from alerts.rules.settings import AlertSettings
from alerts.rules.toml_file import AlertsFileInvalid, read_alerts
from alerts.store import AlertStore, DeadLetter, StoredRule, Told
from core.errors import DamagedFile, NotReady, StorageProblem
from core.files import file_stamp
from core.reading.readers import Readers
from core.settings import Settings
from core.wording import Message

__all__ = ["Alerts", "alert_file", "alert_stamp", "alerts_of", "read_stored"]

_MOST: Final = 100
_STAMP_DIGITS: Final = 16


@dataclass(frozen=True)
class Alerts:
    """The content of alerts.db.

    Attributes:
        rules: made in the dashboard.
        told: what was told last, newest first.
        dead: what could not be delivered, newest first.
        holding: id of a rule → the coins or processes for which it holds now.
    """

    rules: Sequence[StoredRule] = ()
    told: Sequence[Told] = ()
    dead: Sequence[DeadLetter] = ()
    holding: Mapping[str, Sequence[str]] = field(default_factory=dict)

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
    except NotReady:
        return Alerts()
    if not path.exists():
        return Alerts()
    return read_stored(path, file_stamp(path), file_stamp(path.with_name(f"{path.name}-wal")))


@lru_cache(maxsize=4)
def read_stored(path: Path, *_stamps: tuple[int, int, int]) -> Alerts:
    """The content of an alerts.db; the stamps of its files tell one state from another."""
    holding: dict[str, list[str]] = {}
    with AlertStore(path) as store:
        for episode in store.episodes():
            if episode.side == 1:
                holding.setdefault(episode.rule, []).append(episode.subject)
        return Alerts(store.rules(), store.told(_MOST), store.dead_letters(_MOST), holding)


def alert_stamp(readers: Readers) -> str:
    """Names the state of what is shown of alerts."""
    try:
        return alerts_of(readers).stamp
    except (DamagedFile, StorageProblem) as error:
        return str(error)


def alert_file(settings: Settings) -> tuple[AlertSettings, Message | None]:
    """What alerts.toml says, and what is wrong with it; without the file, the defaults."""
    return _alert_file(settings.alerts_file, file_stamp(settings.alerts_file))


@lru_cache(maxsize=4)
def _alert_file(path: Path, _stamp: tuple[int, int, int]) -> tuple[AlertSettings, Message | None]:
    try:
        return read_alerts(path), None
    except FileNotFoundError:
        return AlertSettings(), None
    except AlertsFileInvalid as error:
        return AlertSettings(), error.summary
