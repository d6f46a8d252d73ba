"""The forms of CoinGecko's answers: envelopes of errors, HTML pages, numbers and times."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Final

from core.errors import ForecastingError
from core.times import to_datetime

__all__ = [
    "RefusedRequest",
    "Reply",
    "edge_page",
    "refuse",
    "refuse_in_status",
    "refuse_range",
    "refuse_wrong_host",
    "shown_number",
    "timestamp_text",
]

_JSON_TYPE: Final = "application/json; charset=utf-8"
_PRICING: Final = "https://www.coingecko.com/en/api/pricing"


@dataclass(slots=True)
class Reply:
    """One answer before it becomes bytes; `payload` is text or a JSON value."""

    payload: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = _JSON_TYPE

    def body(self) -> bytes:
        """The bytes to send; NaN and infinities become Python's words for them, which are not JSON."""
        if isinstance(self.payload, str):
            return self.payload.encode()
        return json.dumps(self.payload, ensure_ascii=False, separators=(",", ":")).encode()


class RefusedRequest(ForecastingError):
    """The server answers this request with the error in `reply`."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.payload}")
        self.reply = reply


def refuse(status: int, message: str) -> RefusedRequest:
    """The plain envelope: `{"error": "coin not found"}`."""
    return RefusedRequest(Reply({"error": message}, status))


def refuse_in_status(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> RefusedRequest:
    """The status envelope, used for rate limits, keys and plans."""
    return RefusedRequest(Reply({"status": {"error_code": code, "error_message": message}}, status, headers or {}))


def refuse_range(now_ms: int) -> RefusedRequest:
    """The envelope within an envelope for history beyond 365 days."""
    message = (
        "Your request exceeds the allowed time range. Public API users are limited to querying historical data within "
        f"the past 365 days. Upgrade to a paid plan to enjoy full historical data access: {_PRICING}. "
    )
    status = {"timestamp": timestamp_text(now_ms), "error_code": 10012, "error_message": message}
    return RefusedRequest(Reply({"error": {"status": status}}, 401))


def refuse_wrong_host(now_ms: int, code: int, message: str) -> RefusedRequest:
    """The envelope for a key that was sent to the other plan's host."""
    payload = {"timestamp": timestamp_text(now_ms), "error_code": code, "status": {"error_message": message}}
    return RefusedRequest(Reply(payload, 400))


def edge_page(status: int, title: str) -> Reply:
    """An HTML page, which the edge or the origin sends in place of JSON."""
    text = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Reply(text, status, content_type="text/html; charset=UTF-8")


def timestamp_text(ts_ms: int) -> str:
    """UTC time with milliseconds, such as `2026-09-16T09:14:20.000Z`."""
    return to_datetime(ts_ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ts_ms % 1000:03d}Z"


def shown_number(value: float, *, full: bool = False) -> float | int | None:
    """`value` as CoinGecko shows it: in full or rounded by size; None for NaN."""
    if not math.isfinite(value):
        return None
    return float(value) if full else _rounded_by_size(float(value))


def _rounded_by_size(value: float) -> float | int:
    size = abs(value)
    if size >= 10_000:
        return round(value)
    if size >= 1:
        return round(value, 2)
    return round(value, 6 if size >= 0.1 else 8)
