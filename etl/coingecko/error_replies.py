"""Turns error replies into typed errors that say what happens next.

This module does no I/O. CoinGecko wraps its errors in four JSON envelopes, and the network edge in front of it sends
text or HTML; so the words of a ban, the numeric code and the status are looked up in this order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

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
from core.wording import message

__all__ = ["error_code", "refusal", "server_time_ms", "wait_ordered_s"]

_BAN: Final = re.compile(r"error code: 10(15|20)|\b(error )?10(15|20)\b.{0,80}(rate|ban|denied)|used cloudflare", re.S)
_CREDENTIALS: Final = {
    10002: message("source.key_missing"),
    10010: message("source.key_of_pro_plan"),
    10011: message("source.key_of_demo_plan"),
}
_EPOCH_S: Final = 1_000_000_000


def refusal(status: int, headers: Mapping[str, str], body: bytes, wall_ms: int) -> ForecastingError:
    """The error for a reply with a status other than 200."""
    text = body[:20_000].decode("utf-8", "replace")
    value = _json(text)
    words = f"HTTP {status}: {_message(value, text)}"
    if value is None and _BAN.search(text.lower()):
        return Banned(words)
    code = error_code(value)
    if code in _CREDENTIALS:
        return CredentialProblem(_CREDENTIALS[code])
    if status == 400 and "vs_currency" in words:
        return ConfigurationError(message("source.unknown_currency"))
    return _by_status(status, value is None, words, wait_ordered_s(headers, wall_ms))


def _by_status(status: int, is_text: bool, words: str, ordered_s: float | None) -> ForecastingError:
    if status == 429:
        return RateLimited(words, ordered_s)
    if status == 403:
        return Banned(words) if is_text else SourceUnavailable(words)
    if status >= 500 or status == 408:
        return SourceUnavailable(words) if ordered_s is None else RateLimited(words, ordered_s)
    if status == 404:
        return UnknownCoin(words)
    if status == 414:
        return RequestTooLong(words)
    return RequestRefused(words) if 400 <= status < 500 else BadReply(words)


def error_code(value: Any) -> int | None:
    """Numeric code of an error body in any of the envelopes, or None."""
    for level in _levels(value):
        code = level.get("error_code")
        if isinstance(code, int) or (isinstance(code, str) and code.isdecimal() and len(code) < 10):
            return int(code)
    return None


def wait_ordered_s(headers: Mapping[str, str], wall_ms: int) -> float | None:
    """Seconds to wait by Retry-After, else by x-ratelimit-reset, or None.

    Dates count from the reply's own Date if it has one, so that a wrong clock here shortens no wait.
    """
    now_s = (server_time_ms(headers) or wall_ms) / 1000
    for wait_s in (_retry_after_s(headers, now_s), _reset_s(headers, now_s)):
        if wait_s is not None and wait_s > 0:
            return wait_s
    return None


def server_time_ms(headers: Mapping[str, str]) -> int | None:
    """Time of the Date header in UTC milliseconds, or None."""
    moment = _http_date(headers.get("Date", ""))
    return None if moment is None else round(moment * 1000)


def _retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text):
        return float(text)
    moment = _http_date(text)
    return None if moment is None else moment - now_s


def _reset_s(headers: Mapping[str, str], now_s: float) -> float | None:
    text = headers.get("x-ratelimit-reset", "").strip()
    if re.fullmatch(r"\d{1,12}", text):
        number = float(text)
        return number - now_s if number > _EPOCH_S else number
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").timestamp() - now_s
    except (ValueError, OverflowError):
        return None


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _levels(value: Any) -> list[dict[str, Any]]:
    """The dictionaries that may hold a code or a message."""
    if not isinstance(value, dict):
        return []
    inner = [value.get("status"), value.get("error")]
    nested = [part.get("status") for part in inner if isinstance(part, dict)]
    return [part for part in (value, *inner, *nested) if isinstance(part, dict)]


def _message(value: Any, text: str) -> str:
    for level in _levels(value):
        for key in ("error_message", "error"):
            if isinstance(level.get(key), str):
                return str(level[key])[:200]
    title = re.search(r"<title>(.*?)</title>", text, re.S | re.I)
    return " ".join((title[1] if title else text).split())[:120]
