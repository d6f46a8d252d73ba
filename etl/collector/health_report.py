"""What the collector's health file says: language-neutral fields, and one Portuguese sentence for people."""

from __future__ import annotations

import math
from typing import Any, Final

from core.errors import BadReply, RequestRefused, SourceUnavailable
from core.times import MINUTE_MS, iso
from etl.collector.collector import Collector
from etl.collector.context import STALE_CADENCES

__all__ = ["report"]

_MOST_NAMED: Final = 20
_MOST_IN_SENTENCE: Final = 5
_SOON_S: Final = 2.0
_LATE_MS: Final = 15 * MINUTE_MS
"""A coin whose price has not moved on for so long while others have is named; rows of one page differ by 5 minutes."""
_FAILURES: Final[dict[type[Exception], str]] = {
    SourceUnavailable: "o CoinGecko não responde",
    BadReply: "o CoinGecko respondeu algo que não são preços",
    RequestRefused: "o CoinGecko recusou o pedido",
}


def report(collector: Collector) -> tuple[str, dict[str, Any]]:
    """State (coletando, aguardando, sem_disco) and progress fields of this moment."""
    desk, polls = collector.desk, collector.polls
    budget, now = desk.caller.budget, desk.caller.now()
    wall_ms = desk.caller.clock.wall_ms()
    delay_s, reason = _wait(collector, now)
    cadence_s = desk.cadence_s
    fields: dict[str, Any] = {
        "cadence_s": round(cadence_s, 1),
        "stale_after_s": round(STALE_CADENCES * cadence_s, 1),
        "coins": len(desk.universe.ids),
        "last_poll_at": None if polls.polled_ms is None else iso(polls.polled_ms),
        "last_price_at": None if desk.intake.newest_ms is None else iso(desk.intake.newest_ms),
        "backfill_done": desk.backfill.done,
        "backfill_total": desk.backfill.total,
        "wait_until": iso(wall_ms + round(delay_s * 1000)) if reason else None,
        "wait_reason": reason or None,
        "missing": sorted(desk.intake.missing)[:_MOST_NAMED],
        "late": _late(collector)[:_MOST_NAMED],
        "pending_jumps": sorted(desk.intake.pending)[:_MOST_NAMED],
        "set_aside": desk.outbox.set_aside,
        "stored": desk.outbox.stored,
        "unsaved": desk.outbox.waiting,
        "calls_minute": budget.calls_minute,
        "calls_month": budget.calls_month,
    }
    state = "sem_disco" if desk.outbox.trouble else "aguardando" if reason else "coletando"
    return state, {**fields, "mensagem": _sentence(collector, delay_s, reason, cadence_s)}


def _wait(collector: Collector, now: float) -> tuple[float, str]:
    """Seconds until the next poll, and why they are more than usual; no reason where they are not."""
    budget, polls = collector.desk.caller.budget, collector.polls
    if budget.blocked_for_s > 0:
        return budget.blocked_for_s, budget.block_reason
    until_poll_s = max(polls.next_at - now, 0.0)
    delay_s = budget.delay_s()
    if delay_s > until_poll_s + _SOON_S:
        month_spent = budget.limits.per_month is not None and budget.calls_month >= budget.limits.per_month
        return delay_s, "chamadas do mês esgotadas" if month_spent else "chamadas por minuto esgotadas"
    return until_poll_s, _failure(polls.error) if polls.error is not None else ""


def _late(collector: Collector) -> list[str]:
    """Coins that the source still lists, with a price that has long not been renewed."""
    intake = collector.desk.intake
    since_ms = (intake.newest_ms or 0) - _LATE_MS
    tracked = set(collector.desk.universe.ids) - intake.missing
    return sorted(coin for coin in tracked if intake.newest.get(coin, since_ms) < since_ms)


def _failure(error: Exception) -> str:
    return next((text for kind, text in _FAILURES.items() if isinstance(error, kind)), str(error))


def _sentence(collector: Collector, delay_s: float, reason: str, cadence_s: float) -> str:
    desk = collector.desk
    if desk.outbox.trouble:
        return f"não consigo gravar os preços ({desk.outbox.trouble}); {desk.outbox.waiting} ficam na memória"
    if reason:
        parts = [f"aguardando {math.ceil(delay_s)} s: {reason}"]
    elif not desk.universe.ids:
        parts = ["procurando as maiores moedas"]
    else:
        parts = [f"{len(desk.universe.ids)} moedas a cada {cadence_s:.0f} s"]
    if desk.backfill.next is not None:
        parts.append(f"histórico {desk.backfill.done}/{desk.backfill.total}")
    named = {
        "sem preço": sorted(desk.intake.missing),
        "preço parado": _late(collector),
        "salto a confirmar": sorted(desk.intake.pending),
    }
    parts += [f"{what}: {', '.join(coins[:_MOST_IN_SENTENCE])}" for what, coins in named.items() if coins]
    return "; ".join(parts)
