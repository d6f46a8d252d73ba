"""CoinGecko's addresses and the User-Agent of this project's requests."""

from __future__ import annotations

import re
from typing import Final

from core.version import VERSION

__all__ = ["PRO_URL", "PUBLIC_URL", "user_agent"]

PUBLIC_URL: Final = "https://api.coingecko.com/api/v3"
PRO_URL: Final = "https://pro-api.coingecko.com/api/v3"


def user_agent(contact: str | None = None) -> str:
    """Product, version and contact, for CoinGecko refuses requests without a User-Agent."""
    product = f"crypto-forecasting-pipeline/{VERSION}"
    contact = re.sub(r"[^ -~]|[()]", "", contact or "").strip()
    return f"{product} ({contact})" if contact else product
