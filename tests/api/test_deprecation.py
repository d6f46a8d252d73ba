"""Deprecated answers say since when, until when, and what replaces them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from api.deprecation import deprecation_headers


def test_the_headers_have_the_forms_of_their_standards() -> None:
    """Deprecation is a date of structured fields (RFC 9745), Sunset an HTTP date (RFC 8594), both in UTC."""
    since = datetime(2027, 1, 1, tzinfo=UTC)
    sunset = datetime(2027, 6, 30, 21, tzinfo=timezone(timedelta(hours=-3)))
    assert deprecation_headers(since, sunset, "/risco") == {
        "Deprecation": "@1798761600",
        "Sunset": "Thu, 01 Jul 2027 00:00:00 GMT",
        "Link": '</risco>; rel="successor-version"',
    }
