"""Every status, envelope and page that CoinGecko or its edge sends becomes the error that says what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import (
    BadReply,
    Banned,
    ConfigurationError,
    CredentialProblem,
    ForecastingError,
    RateLimited,
    RequestRefused,
    RequestTooLong,
    SourceUnavailable,
    UnknownCoin,
)
from core.times import parse_iso
from etl.coingecko.error_replies import error_code, refusal, wait_ordered_s

NOW_MS = parse_iso("2026-09-16T09:14:20Z")
CLOUDFLARE = "<!DOCTYPE html> ... <title>Access denied | api.coingecko.com used Cloudflare to restrict access</title>"
TIMEOUT = "<!DOCTYPE html> ... <title>api.coingecko.com | 504: Gateway time-out</title> ..."
RAILS = "<!DOCTYPE html>... <title>Uh Oh! We're sorry, but something went wrong. (500)</title> ..."
NGINX = "<html>\r\n<head><title>414 Request-URI Too Large</title></head>..."
BAN_PAGE = "<html><title>Access denied | Error 1015</title><body>You are being rate limited</body></html>"


def in_status(code: int, message: str = "words") -> dict[str, Any]:
    """Envelope B."""
    return {"status": {"timestamp": "2026-05-17T01:39:44.892+00:00", "error_code": code, "error_message": message}}


def beside_status(code: int) -> dict[str, Any]:
    """Envelope D."""
    return {"timestamp": "2025-09-01T13:07:05Z", "error_code": code, "status": {"error_message": "change your URL"}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid vs_currency"}, ConfigurationError),
        (400, {"error": "invalid interval parameter"}, RequestRefused),
        (400, beside_status(10010), CredentialProblem),
        (400, beside_status(10011), CredentialProblem),
        (400, beside_status(10012), RequestRefused),
        (401, in_status(10002), CredentialProblem),
        (401, in_status(10005), RequestRefused),
        (401, {"error": in_status(10012)}, RequestRefused),
        (401, "Requests without API key are not allowed for this endpoint", RequestRefused),
        (403, in_status(403, "Please add a descriptive User-Agent"), SourceUnavailable),
        (403, CLOUDFLARE, Banned),
        (403, "error code: 1020", Banned),
        (404, {"error": "coin not found"}, UnknownCoin),
        (408, "", SourceUnavailable),
        (414, NGINX, RequestTooLong),
        (422, {"error": "Missing parameter ids"}, RequestRefused),
        (429, in_status(429, "You've exceeded the Rate Limit."), RateLimited),
        (429, "Throttled", RateLimited),
        (429, "error code: 1015", Banned),
        (429, BAN_PAGE, Banned),
        (500, RAILS, SourceUnavailable),
        (500, {"status": 500, "error": "Internal Server Error"}, SourceUnavailable),
        (502, "", SourceUnavailable),
        (503, "<html></html>", SourceUnavailable),
        (504, TIMEOUT, SourceUnavailable),
        (301, "", BadReply),
        (204, "", BadReply),
    ],
)
def test_each_answer_becomes_its_error(status: int, body: object, kind: type[ForecastingError]) -> None:
    """Status first, then the code in any envelope, then the words."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    assert type(refusal(status, {}, raw, NOW_MS)) is kind


@pytest.mark.parametrize(
    "body", [in_status(10012), {"error": in_status(10012)}, beside_status(10012), {"error_code": "10012"}]
)
def test_the_code_is_found_in_every_envelope(body: object) -> None:
    """The same code, wherever it stands."""
    assert error_code(body) == 10012


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "53"}, 53),
        ({"Retry-After": "119"}, 119),
        ({"Retry-After": "Wed, 16 Sep 2026 09:15:19 GMT"}, 59),
        ({"Retry-After": "Wed, 16 Sep 2026 19:15:19 GMT", "Date": "Wed, 16 Sep 2026 19:14:20 GMT"}, 59),
        ({"x-ratelimit-reset": "2026-09-16 09:15:20 +0000"}, 60),
        ({"x-ratelimit-reset": "2026-09-16 17:15:20 +0800"}, 60),
        ({"x-ratelimit-reset": str(NOW_MS // 1000 + 60)}, 60),
        ({"Retry-After": "53", "x-ratelimit-reset": "2026-09-16 09:15:20 +0000"}, 53),
        ({"Retry-After": "soon", "x-ratelimit-reset": "2026-09-16 09:15:20 +0000"}, 60),
        ({"Retry-After": "0"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Wed, 16 Sep 2026 09:00:00 GMT"}, None),
        ({"x-ratelimit-reset": "2026-09-16"}, None),
        ({}, None),
    ],
)
def test_the_order_to_wait_is_read_from_either_header(headers: dict[str, str], wait_s: float | None) -> None:
    """Seconds or a date, Retry-After before x-ratelimit-reset, the server's clock before ours; nonsense is no order."""
    assert wait_ordered_s(headers, NOW_MS) == wait_s


def test_a_server_error_with_an_order_to_wait_is_obeyed_like_a_rate_limit() -> None:
    """503 with Retry-After silences everybody for that long."""
    error = refusal(503, {"Retry-After": "7"}, b"", NOW_MS)
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == 7


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=300),
    retry=st.text(max_size=20),
    reset=st.text(max_size=30),
)
def test_every_answer_becomes_one_of_the_projects_errors(status: int, body: bytes, retry: str, reset: str) -> None:
    """Any status and body give one of this project's errors."""
    error = refusal(status, {"Retry-After": retry, "x-ratelimit-reset": reset, "Date": retry}, body, NOW_MS)
    assert isinstance(error, ForecastingError)
