"""What the dashboard keeps for its whole life, as the API does: its settings, and the tokens that open it.

A file of tokens that is gone later changes nothing: no page builds the settings again, which ask for all their files.
"""

from __future__ import annotations

from functools import cache

from core.access_tokens import AccessTokens
from core.settings import Settings, load_settings

__all__ = ["access_tokens", "settings"]


@cache
def settings() -> Settings:
    """The settings of the first time at which they can be used.

    Raises:
        ConfigurationError: they cannot be used yet.
    """
    return load_settings()


@cache
def access_tokens() -> AccessTokens:
    """The tokens of the settings, or those of their file, which they follow.

    Raises:
        ConfigurationError: the settings cannot be used yet.
    """
    return AccessTokens(settings().api_token, settings().api_token_file)
