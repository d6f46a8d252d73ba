"""The opened workspace of a pipeline: its published files, the engine, and the stored model it resumed from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import pyarrow as pa

from core.artifacts.bucket import open_bucket
from core.errors import ConfigurationError, NotReady, StorageProblem
from core.price_store import PriceReader
from core.publishing.publisher import Publisher
from core.settings import Settings, Source
from core.store_address import NamedSchema, StoreAddress
from core.times import now_ms
from core.wording import message
from core.workspace import PUBLISHED, Workspace, without_secrets, workspace_for_step
from etl.features.columns import FEATURE_NAMES
from model.forecaster.engine import EngineOptions, EngineState
from model.forecaster.prior import Prior
from model.loop.artifact_copy import ArtifactCopy, continue_publication
from model.loop.executor import Executor, OneProcess, first_state
from model.loop.forecast_log import ForecastLog
from model.loop.model_copy import ModelCopy, restore_model, signing_key
from model.loop.price_connection import PriceConnection
from model.loop.registry import ModelRegistry
from model.loop.shard_link import Start
from model.loop.shard_local import process_starter
from model.loop.shard_processes import ShardProcesses
from model.scoring.judge import Judged

__all__ = ["Session", "engine_options", "made_with", "open_session"]

_UNTRAINED: Final = "0"
"""Model version of forecasts made before a model was stored."""

_MODELS: Final = "models"
"""Folder of the models in a bucket."""

_MANY_COINS: Final = 32
"""With fewer coins all that is stored is learned within seconds: no early forecasts."""

_log = logging.getLogger(__name__)


@dataclass
class Session:
    """Everything that a step of the pipeline needs; only the holder of the pipeline's lock has one.

    Attributes:
        settings: the settings it was opened with.
        workspace: folders and source.
        publisher: writer of the published files.
        registry: stored models.
        forecast_log: publishes forecasts and keeps the log.
        options: sizes and constants of the engine.
        executor: the forecasting engine, in this process or in shards.
        connection: to the price store.
        model_version: version of the newest stored model.
        trained_ms: time of the last fit, None before the first.
        saved_ms: time of the fit that was stored last.
        shrinkage: per horizon, the published part of the drift.
        copy: copies what is published to a bucket, if there is one.
        busy: called between the parts of what may take long.
        is_other_store: whether another store took the place of the one that the executor has read.
    """

    settings: Settings
    workspace: Workspace
    publisher: Publisher
    registry: ModelRegistry
    forecast_log: ForecastLog
    options: EngineOptions
    executor: Executor
    connection: PriceConnection
    model_version: str = _UNTRAINED
    trained_ms: int | None = None
    saved_ms: int | None = None
    shrinkage: tuple[float, ...] = ()
    copy: ArtifactCopy | None = None
    busy: Callable[[], None] = lambda: None
    is_other_store: bool = False

    @property
    def damaged(self) -> list[str]:
        """Published files and models that could not be read and were set aside."""
        return [*self.publisher.damaged, *self.registry.damaged]

    def pull(self, now: int) -> int:
        """Carry new prices to the engine and bring it up to date.

        Returns:
            The number of new prices.

        Raises:
            NotReady: the collector has stored nothing yet.
            DamagedFile: the price store cannot be read.
        """
        self.is_other_store = self.connection.renew() or self.is_other_store
        count = self.executor.pull(self.connection.reader, now, again=self.is_other_store)
        self.is_other_store = False
        return count

    def forecast_early(self, now: int) -> None:
        """Publish forecasts learned from the last day alone, before the engine learns from all stored prices.

        Learning from 14 days of 250 coins takes longer than a person should wait; with few coins nothing is published
        here, because it takes seconds.

        Raises:
            NotReady: the collector has stored nothing yet.
            DamagedFile: the price store cannot be read.
            OSError: the disk refused.
        """
        self.connection.renew()
        prices = self.connection.reader
        if len(prices.coins()) < _MANY_COINS:
            return
        state = first_state(self.options)
        with closing(_executor(self.settings, self.workspace, state, self.busy, keep_days=1)) as executor:
            executor.pull(prices, now, again=False)
            forecasts = executor.forecast(_UNTRAINED, now, self.workspace.source.value)
        if len(forecasts):
            self.forecast_log.publish(forecasts, None, now)

    def prices(self) -> PriceReader:
        """The read-only connection opened by `pull`."""
        return self.connection.reader

    def forecast(self, now: int) -> pa.Table:
        """The newest forecasts of all coins that have a price, in FORECAST_SCHEMA.

        Raises:
            NotReady: no coin has a price, or none has a history.
        """
        if not self.executor.origins:
            raise NotReady(message("prices.none_stored"))
        forecasts = self.executor.forecast(self.model_version, now, self.workspace.source.value)
        if not len(forecasts):
            raise NotReady(message("prices.no_history"))
        return forecasts

    def judge(self, due: pa.Table) -> Judged:
        """Outcomes and scores of forecasts that are due, from the prices of their coins."""
        return self.executor.judge(due, self.connection.reader)

    def save_model(self) -> None:
        """Store what the engine has learned as the newest version."""
        if self.trained_ms is not None:
            options = made_with(self.options)
            card = self.registry.save(self.executor.state(), FEATURE_NAMES, options, self.trained_ms)
            self.model_version = card.version
            self.saved_ms = self.trained_ms

    def restart_engine(self) -> None:
        """Start again from the stored model and the stored prices, after a step has failed half-way."""
        self.executor.close()
        state, self.model_version, self.trained_ms = _resume(self.registry, self.options)
        self.executor = _executor(self.settings, self.workspace, state, self.busy)
        self.saved_ms = self.trained_ms
        self.forecast_log = ForecastLog(self.publisher, now_ms(), self.settings.retention_days)

    def close(self) -> None:
        """End what was opened; safe to call twice."""
        self.connection.close()
        self.executor.close()


@contextmanager
def open_session(settings: Settings, busy: Callable[[], None] = lambda: None) -> Iterator[Session]:
    """The pipeline's session for `settings`, alone in its workspace; it calls `busy` between the parts of long steps.

    Raises:
        AlreadyRunning: another pipeline works here.
        ConfigurationError: the workspace belongs to other settings.
    """
    workspace = workspace_for_step(settings)
    with workspace.hold_pipeline(), ExitStack() as stack:
        registry = ModelRegistry(workspace.models)
        options = engine_options(settings, workspace.source)
        copy = _begin_copy(workspace, registry, made_with(options), stack)
        publisher = Publisher(workspace.processed)
        state, version, trained_ms = _resume(registry, options)
        session = Session(
            settings=settings,
            workspace=workspace,
            publisher=publisher,
            registry=registry,
            forecast_log=ForecastLog(publisher, now_ms(), settings.retention_days),
            options=options,
            executor=_executor(settings, workspace, state, busy),
            connection=PriceConnection(workspace.store),
            model_version=version,
            trained_ms=trained_ms,
            saved_ms=trained_ms,
            copy=copy,
            busy=busy,
        )
        try:
            yield session
        finally:
            session.close()


def _begin_copy(
    workspace: Workspace, registry: ModelRegistry, options: Mapping[str, Any], stack: ExitStack
) -> ArtifactCopy | None:
    """Continue what another pipeline has published and learned, if there is one, and copy to the bucket from now on."""
    if workspace.bucket is None:
        return None
    bucket, models = (open_bucket(workspace.bucket.folder(name)) for name in (PUBLISHED, _MODELS))
    key = signing_key()
    try:
        continue_publication(bucket, workspace.processed)
        if key is not None:
            restore_model(models, registry, key, FEATURE_NAMES, options)
    except StorageProblem as error:
        _log.warning("the bucket is not read: %s; publishing on this machine alone until it is", error)
    model_copy = None if key is None else ModelCopy(models, workspace.models, key)
    copy = ArtifactCopy(bucket, workspace.processed, model_copy)
    stack.callback(copy.close)
    return copy


def engine_options(settings: Settings, source: Source) -> EngineOptions:
    """The options of the live engine and of the backtests beside it.

    Simulated markets hear of no announcement, and replayed ones heard of theirs at another time.
    """
    real_now = source is Source.COINGECKO
    return EngineOptions(train_days=settings.train_days, seed=settings.seed, use_announcements=real_now)


def made_with(options: EngineOptions) -> dict[str, Any]:
    """What a stored model must agree with: a model learned from another prior is learned again."""
    return {**asdict(options), "prior": Prior.digest()}


def _executor(
    settings: Settings,
    workspace: Workspace,
    state: EngineState,
    busy: Callable[[], None],
    keep_days: int | None = None,
) -> Executor:
    """The engine that goes on from `state`, in as many processes as the settings say, here or on a cluster."""
    if settings.shards == 1 and settings.cluster is None:
        return OneProcess(state, keep_days=keep_days, busy=busy)
    store: StoreAddress | NamedSchema
    if settings.cluster is None:
        store, start = workspace.store, process_starter(settings.log_level, settings.log_format)
    else:
        store, start = without_secrets(workspace.store), _cluster(settings.cluster)
    return ShardProcesses(state, store, settings.shards, start, settings.interval, keep_days=keep_days, busy=busy)


def _cluster(address: str) -> Start:
    """What starts shards on a cluster.

    Raises:
        ConfigurationError: the packages for it are not installed.
    """
    try:
        from model.loop.shard_cluster import Cluster  # noqa: PLC0415 - an extra that few need
    except ModuleNotFoundError as error:
        if error.name != "distributed":
            raise
        raise ConfigurationError(message("cluster.no_driver")) from error
    return Cluster(address)


def _resume(registry: ModelRegistry, options: EngineOptions) -> tuple[EngineState, str, int | None]:
    """State of the engine, model version and time of the fit: stored ones made with these options, or first ones."""
    loaded = registry.load(FEATURE_NAMES, made_with(options))
    if loaded is None:
        return first_state(options), _UNTRAINED, None
    card, state = loaded
    _log.info("resuming from model %s", card.version)
    return state, card.version, card.trained_ms
