"""What a market server answers under one fault, with its clock at a standstill."""

from __future__ import annotations

from typing import Any

import requests

from etl.local_market.coin_names import coins_wanted
from etl.local_market.simulated import SimulatedMarket
from tests.support.faults import Fault, FaultPlan
from tests.support.faulty_market import FaultyMarketServer

__all__ = ["CHART", "MARKET", "MARKETS", "NOW_MS", "rows", "suffer"]

NOW_MS = 1_790_000_123_456
MARKET = SimulatedMarket(coins_wanted("bitcoin,ethereum,solana,tether"), 0)
MARKETS = "/coins/markets?vs_currency=usd&precision=full&sparkline=true"
CHART = "/coins/bitcoin/market_chart?vs_currency=usd&days=1"


def suffer(server: FaultyMarketServer, path: str, fault: Fault) -> requests.Response:
    """The answer to `path` under one fault."""
    server.faults = FaultPlan([fault])
    return requests.get(server.url + path, timeout=5)


def rows(server: FaultyMarketServer, fault: Fault) -> dict[str, Any]:
    """The page of coins under one fault, by id."""
    return {row["id"]: row for row in suffer(server, MARKETS, fault).json()}
