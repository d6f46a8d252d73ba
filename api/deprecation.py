"""How an answer says that its path or parameter will go: RFC 9745 and RFC 8594."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

__all__ = ["deprecation_headers"]


def deprecation_headers(since: datetime, sunset: datetime, successor: str) -> dict[str, str]:
    """Headers for every answer of what is deprecated.

    Args:
        since: from when on new clients should not use it.
        sunset: when it stops to answer, at least six months after `since` (docs/api.md).
        successor: path of what replaces it.
    """
    return {
        "Deprecation": f"@{int(since.timestamp())}",
        "Sunset": format_datetime(sunset.astimezone(UTC), usegmt=True),
        "Link": f'<{successor}>; rel="successor-version"',
    }
