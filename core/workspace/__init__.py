"""Workspaces: the folders of one source. Live, simulated and replayed prices never share one."""

from __future__ import annotations

from core.workspace.addresses import schema_name, store_of, without_secrets
from core.workspace.folders import PIPELINE_LOCK, PUBLISHED, Workspace
from core.workspace.meta import META_FILE, read_meta
from core.workspace.opening import current_workspace, live_store, open_workspace, workspace_for_step
from core.workspace.recordings import MOST_RECORDING_BYTES, check_recording, recording_hash
from core.workspace.source_choice import SourceChoice, forget_source, publish_source, source_choice

__all__ = [
    "META_FILE",
    "MOST_RECORDING_BYTES",
    "PIPELINE_LOCK",
    "PUBLISHED",
    "SourceChoice",
    "Workspace",
    "check_recording",
    "current_workspace",
    "forget_source",
    "live_store",
    "open_workspace",
    "publish_source",
    "read_meta",
    "recording_hash",
    "schema_name",
    "source_choice",
    "store_of",
    "without_secrets",
    "workspace_for_step",
]
