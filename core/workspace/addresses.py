"""Where a workspace keeps what does not lie in its folder: its schema on a server, its copies in a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.settings import Settings, Source
from core.store_address import BucketAddress, ServerAddress

__all__ = ["bucket_address", "schema_name", "server_address"]

_SCHEMA_OF: Final = {Source.COINGECKO: "live", Source.DEMO: "demo", Source.REPLAY: "replay"}


def schema_name(source: Source, meta: Mapping[str, Any]) -> str:
    """The schema of a workspace on a server; each simulation and each replay has its own, from its first moment on."""
    parts = [_SCHEMA_OF[source], str(meta["currency"])]
    if source is not Source.COINGECKO:
        parts.append(str(int(meta["epoch_ms"])))
    return "_".join(parts)


def server_address(settings: Settings, source: Source, meta: Mapping[str, Any]) -> ServerAddress | None:
    """The schema of a workspace on the server that the settings name, for the role that writes or else for readers."""
    url = settings.store_url or settings.store_read_url
    return None if url is None else ServerAddress(url, schema_name(source, meta), settings.store_read_url)


def bucket_address(settings: Settings, source: Source, meta: Mapping[str, Any]) -> BucketAddress | None:
    """The folder of the bucket that the settings name, for what a workspace publishes and learns."""
    if settings.bucket is None:
        return None
    name, folder = settings.bucket
    return BucketAddress(name, "/".join(filter(None, (folder, schema_name(source, meta)))))
