"""The rules of CoinGecko's plans on the local market server: User-Agent, keys, calls per minute and month."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final

from etl.local_market.replies import RefusedRequest, Reply, refuse_in_status, refuse_wrong_host

__all__ = ["CALLS_PER_MINUTE", "PlanLimits"]

CALLS_PER_MINUTE: Final[dict[str, int | None]] = {"local": None, "keyless": 10, "demo-key": 30, "pro-key": 500}
"""Budget of each plan; `local` has none. CoinGecko's keyless budget changes with its load, from 5 to 30."""

_CALLS_PER_MONTH: Final[dict[str, int | None]] = {
    "local": None,
    "keyless": None,
    "demo-key": 10_000,
    "pro-key": 500_000,
}

_WINDOW_MS: Final = 60_000
_PRICING: Final = "https://www.coingecko.com/en/api/pricing"
_DEMO_KEY: Final = ("x-cg-demo-api-key", "x_cg_demo_api_key")
_PRO_KEY: Final = ("x-cg-pro-api-key", "x_cg_pro_api_key")
_NO_AGENT: Final = (
    "Please add a descriptive User-Agent to your request. For higher rate limits & stable integration, please "
    f"subscribe to our API plans: {_PRICING} . If you think this is a mistake, please report here: "
    "https://forms.gle/3V2z8Mb3k2RMu5S2A"
)
_LIMIT: Final = (
    f"You've exceeded the Rate Limit. Please visit {_PRICING} to subscribe to our API plans for higher rate limits."
)
_NO_KEY: Final = (
    "API Key Missing. Please make sure you're using the right authentication method. For Pro API, please visit: "
    "https://docs.coingecko.com/reference/authentication. For Public/Demo API, please visit: "
    "https://docs.coingecko.com/v3.0.1/reference/authentication"
)
_PRO_ON_PUBLIC: Final = (
    "If you are using Pro API key, please change your root URL from api.coingecko.com to pro-api.coingecko.com "
    "Please refer here for more details: https://docs.coingecko.com/reference/introduction"
)
_DEMO_ON_PRO: Final = (
    "If you are using Demo API key, please change your root URL from pro-api.coingecko.com to api.coingecko.com "
    "Please refer here for more details: https://docs.coingecko.com/v3.0.1/reference/introduction"
)


class PlanLimits:
    """Counts calls and checks keys for one plan: `local`, `keyless`, `demo-key` or `pro-key`."""

    def __init__(self, plan: str, calls_per_minute: int | None = None, calls_per_month: int | None = None) -> None:
        self._plan = plan
        self._per_minute = calls_per_minute or CALLS_PER_MINUTE[plan]
        self._per_month = calls_per_month or _CALLS_PER_MONTH[plan]
        self._lock = threading.Lock()
        self._window_start_ms = 0
        self._in_window = 0
        self._credits = 0

    @property
    def paid(self) -> bool:
        """Whether more than a year of history is served."""
        return self._plan == "pro-key"

    def check(self, headers: Mapping[str, str], query: Mapping[str, str], now_ms: int) -> RefusedRequest | None:
        """The refusal of this call, or None; refused calls count against the minute too."""
        refusal = self._check_budget(self._allowance(headers, query), now_ms)
        if refusal is None and not headers.get("user-agent", "").strip():
            refusal = refuse_in_status(403, 403, _NO_AGENT)
        if refusal is None and self._plan != "local":
            refusal = self._check_key(headers, query, now_ms)
        return refusal

    def count_answer(self, reply: Reply) -> None:
        """Count an answer against the month; only a 200 costs a credit."""
        if reply.status == 200:
            with self._lock:
                self._credits += 1

    def _allowance(self, headers: Mapping[str, str], query: Mapping[str, str]) -> int | None:
        """Calls per minute; a demo client without its key has the keyless budget."""
        if self._plan == "demo-key" and not _key(headers, query, _DEMO_KEY):
            return CALLS_PER_MINUTE["keyless"]
        return self._per_minute

    def _check_budget(self, per_minute: int | None, now_ms: int) -> RefusedRequest | None:
        with self._lock:
            if not 0 <= now_ms - self._window_start_ms < _WINDOW_MS:
                self._window_start_ms, self._in_window = now_ms, 0
            self._in_window += 1
            if per_minute is not None and self._in_window > per_minute:
                wait_s = -(-(self._window_start_ms + _WINDOW_MS - now_ms) // 1000)
                return refuse_in_status(429, 429, _LIMIT, {"Retry-After": str(wait_s)})
            if self._per_month is not None and self._credits >= self._per_month:
                return refuse_in_status(429, 429, _LIMIT)
        return None

    def _check_key(self, headers: Mapping[str, str], query: Mapping[str, str], now_ms: int) -> RefusedRequest | None:
        demo, pro = _key(headers, query, _DEMO_KEY), _key(headers, query, _PRO_KEY)
        if self._plan != "pro-key":
            return refuse_wrong_host(now_ms, 10010, _PRO_ON_PUBLIC) if pro else None
        if demo and not pro:
            return refuse_wrong_host(now_ms, 10011, _DEMO_ON_PRO)
        return None if pro else refuse_in_status(401, 10002, _NO_KEY)


def _key(headers: Mapping[str, str], query: Mapping[str, str], names: tuple[str, str]) -> str:
    """The key sent in the header, or in the query, or an empty text."""
    return headers.get(names[0]) or query.get(names[1]) or ""
