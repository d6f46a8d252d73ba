"""Where a workspace keeps what does not lie in its folder: its schema on a server, its copies in a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigurationError
from core.settings import Settings, Source
from core.store_address import BucketAddress, NamedSchema, ServerAddress, StoreAddress
from core.wording import message

__all__ = ["bucket_address", "schema_name", "server_address", "store_of", "without_secrets"]

_SCHEMA_OF: Final = {Source.COINGECKO: "live", Source.DEMO: "demo", Source.REPLAY: "replay"}


def schema_name(source: Source, meta: Mapping[str, Any]) -> str:
    """The schema of a workspace on a server; each simulation and each replay has its own, from its first moment on."""
    parts = [_SCHEMA_OF[source], str(meta["currency"])]
    if source is not Source.COINGECKO:
        parts.append(str(int(meta["epoch_ms"])))
    return "_".join(parts)


def server_address(settings: Settings, source: Source, meta: Mapping[str, Any]) -> ServerAddress | None:
    """The schema of a workspace on the server that the settings name, for the role that writes or else for readers."""
    return _address(settings, schema_name(source, meta))


def without_secrets(store: StoreAddress) -> Path | NamedSchema:
    """The address for a process whose own settings name the server."""
    return NamedSchema(store.schema) if isinstance(store, ServerAddress) else store


def store_of(settings: Settings, named: NamedSchema) -> ServerAddress:
    """The schema on the server that the settings name.

    Raises:
        ConfigurationError: they name none.
    """
    server = _address(settings, named.schema)
    if server is None:
        raise ConfigurationError(message("prices.no_server"))
    return server


def _address(settings: Settings, schema: str) -> ServerAddress | None:
    url = settings.store_url or settings.store_read_url
    return None if url is None else ServerAddress(url, schema, settings.store_read_url)


def bucket_address(settings: Settings, source: Source, meta: Mapping[str, Any]) -> BucketAddress | None:
    """The folder of the bucket that the settings name, for what a workspace publishes and learns."""
    if settings.bucket is None:
        return None
    name, folder = settings.bucket
    return BucketAddress(name, "/".join(filter(None, (folder, schema_name(source, meta)))))
