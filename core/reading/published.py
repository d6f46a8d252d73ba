"""Where API and dashboard read: the workspace of now, its price store and its published files, and how new they are."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

from core.artifacts.bucket import open_bucket
from core.artifacts.following import Follower
from core.errors import ConfigurationError, DamagedFile, NotReady, OutOfReach
from core.files import file_stamp
from core.price_store import PricePool, PriceReader, StoreInfo, open_pool
from core.publishing.manifest import MANIFEST, Manifest, ManifestReader
from core.settings import Settings
from core.store_address import StoreAddress
from core.wording import Message, message
from core.workspace import META_FILE, PUBLISHED, Workspace, current_workspace

__all__ = ["PublishedData"]

_MOST_CACHED: Final = 2_048
"""Values kept at most. An outlook of a coin takes 13 KB, its scores of 90 days take 160 KB."""

_Value = TypeVar("_Value")


class PublishedData:
    """What collector and pipeline wrote, with a cache for what was made of it. Never writes. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._token = secrets.token_hex(4)
        self._pools: dict[StoreAddress, PricePool] = {}
        self._followers: dict[Path, Follower] = {}
        self._opening = Lock()
        weakref.finalize(self, _close, self._pools, self._followers)
        self._workspace: tuple[object, Workspace] | None = None
        self._manifests: dict[Path, ManifestReader] = {}
        self._cache: dict[str, tuple[object, Any]] = {}

    def workspace(self) -> Workspace:
        """The workspace shown now.

        Raises:
            NotReady: the suite has not decided on a source yet, or what it decided cannot be read now.
        """
        choice = file_stamp(self._settings.run_dir / "source.json")
        if self._workspace is None or self._workspace[0] != (choice, _workspace_stamp(self._workspace[1])):
            workspace = _readable_workspace(self._settings)
            self._workspace = ((choice, _workspace_stamp(workspace)), workspace)
        workspace = self._workspace[1]
        if workspace.follows and workspace.processed not in self._followers:
            self._follow(workspace)
        return workspace

    def _follow(self, workspace: Workspace) -> None:
        """Begin to follow the bucket of a workspace, in a thread beside the readers."""
        with self._opening:
            if workspace.bucket is not None and workspace.processed not in self._followers:
                bucket = open_bucket(workspace.bucket.folder(PUBLISHED))
                self._followers[workspace.processed] = Follower(workspace, bucket)

    def following_problem(self) -> Message | str | None:
        """Why nothing new comes from the bucket; None if it does, or none is followed."""
        return next((follower.problem for follower in self._followers.values() if follower.problem), None)

    def close(self) -> None:
        """Close idle database connections and stop following; the data can be read again."""
        _close(self._pools, self._followers)

    def version(self) -> str:
        """A token that changes with each commit to the prices and each publication; costs microseconds.

        Each process has its own tokens, so an old token is not valid after a restart.
        """
        try:
            prices = self.price_version()
        except (NotReady, DamagedFile, ConfigurationError):
            prices = self._token
        return f"{prices}-{self.publication_version()}"

    def price_version(self) -> str:
        """A token that changes with each commit to the prices, valid in this process only; costs microseconds.

        Raises:
            NotReady: no prices are stored yet.
            DamagedFile: the price store cannot be read.
        """
        numbers = self._pool().version()
        return "-".join([self._token, *(f"{number:x}" for number in numbers)])

    def publication_version(self) -> str:
        """A token that changes only with each publication of the pipeline."""
        try:
            workspace = self.workspace()
        except (NotReady, ConfigurationError):
            return "0"
        published = file_stamp(workspace.processed / MANIFEST)
        return "-".join([workspace.source.value, *(f"{number:x}" for number in published)])

    def prices(self) -> AbstractContextManager[PriceReader]:
        """Borrow a connection to the price store, for one thread at a time.

        Raises:
            NotReady: no prices are stored yet.
            DamagedFile: the price store cannot be read.
        """
        return self._pool().borrow()

    def store_info(self) -> StoreInfo:
        """Name, size and age of the price store.

        Raises:
            NotReady: the suite has not decided on a source yet.
        """
        return self._pool().info()

    def _pool(self) -> PricePool:
        address = self.workspace().store
        if (pool := self._pools.get(address)) is None:
            pool = self._pools.setdefault(address, open_pool(address))
        return pool

    def manifest(self) -> tuple[Path, Manifest]:
        """The folder of the published files, and the manifest that names them.

        Raises:
            NotReady: nothing is published yet; OutOfReach: the store that is followed does not answer.
        """
        folder = self.workspace().processed
        try:
            return folder, self._manifests.setdefault(folder, ManifestReader(folder)).current()
        except NotReady as error:
            if (problem := self.following_problem()) is None:
                raise
            raise OutOfReach(problem) from error

    def cached(self, name: str, key: object, make: Callable[[], _Value]) -> _Value:
        """Give the cached value if `key` is unchanged, otherwise make it; two threads may make it twice.

        Of many values those that were made longest ago are dropped.
        """
        cached = self._cache.get(name)
        if cached is None or cached[0] != key:
            cached = (key, make())
            self._cache.pop(name, None)  # to the end
            self._cache[name] = cached
            for oldest in list(self._cache)[:-_MOST_CACHED]:
                self._cache.pop(oldest, None)
        value: _Value = cached[1]
        return value

    def derived(self, name: str, make: Callable[[], _Value]) -> _Value:
        """Give what `make` made of published data under this name, made again only after the next publication."""
        return self.cached(name, self.publication_version(), make)


def _readable_workspace(settings: Settings) -> Workspace:
    try:
        return current_workspace(settings)
    except OSError as error:
        file, reason = Path(error.filename or META_FILE).name, error.strerror or str(error)
        raise NotReady(message("files.unreadable_now", file=file, reason=reason)) from error


def _workspace_stamp(workspace: Workspace) -> tuple[int, int, int]:
    return file_stamp(workspace.root / META_FILE)


def _close(pools: dict[StoreAddress, PricePool], followers: dict[Path, Follower]) -> None:
    for pool in list(pools.values()):
        pool.close()
    while followers:
        followers.popitem()[1].close()
