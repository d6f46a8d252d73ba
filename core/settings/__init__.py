"""Settings, built once from the command line, the environment and `.env`, then passed to whatever needs them."""

from __future__ import annotations

from core.settings.choices import DEFAULT_COINS, Plan, Source
from core.settings.loading import PARENT_VARIABLE, all_variables, load_settings
from core.settings.places import PROJECT
from core.settings.settings import MAX_SHARDS, SECRETS, Settings

__all__ = [
    "DEFAULT_COINS",
    "MAX_SHARDS",
    "PARENT_VARIABLE",
    "PROJECT",
    "SECRETS",
    "Plan",
    "Settings",
    "Source",
    "all_variables",
    "load_settings",
]
