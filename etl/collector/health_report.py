"""What the collector's health file says: language-neutral fields, and one Portuguese sentence for people."""

from __future__ import annotations

import math
from typing import Any, Final

from core.errors import BadReply, RequestRefused, SourceUnavailable
from core.times import MINUTE_MS, iso
from etl.collector.collector import Collector
from etl.collector.context import STALE_CADENCES

__all__ = ["report"]

_MAX_NAMED: Final = 20
_MAX_IN_SENTENCE: Final = 5
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
    context, polls = collector.context, collector.polls
    budget, now = context.calls.budget, context.calls.now()
    wall_ms = context.calls.clock.wall_ms()
    delay_s, reason = _wait(collector, now)
    cadence_s = context.cadence_s
    fields: dict[str, Any] = {
        "cadence_s": round(cadence_s, 1),
        "stale_after_s": round(STALE_CADENCES * cadence_s, 1),
        "coins": len(context.universe.ids),
        "last_poll_at": None if polls.polled_ms is None else iso(polls.polled_ms),
        "last_price_at": None if context.intake.newest_ms is None else iso(context.intake.newest_ms),
        "backfill_done": context.backfill_queue.done,
        "backfill_total": context.backfill_queue.total,
        "wait_until": iso(wall_ms + round(delay_s * 1000)) if reason else None,
        "wait_reason": reason or None,
        "missing": sorted(context.intake.missing)[:_MAX_NAMED],
        "late": _late(collector)[:_MAX_NAMED],
        "pending_jumps": sorted(context.intake.unconfirmed)[:_MAX_NAMED],
        "set_aside": context.buffer.set_aside,
        "stored": context.buffer.stored,
        "unsaved": context.buffer.waiting,
        "calls_minute": budget.calls_minute,
        "calls_month": budget.calls_month,
    }
    state = "sem_disco" if context.buffer.storage_error else "aguardando" if reason else "coletando"
    return state, {**fields, "mensagem": _sentence(collector, delay_s, reason, cadence_s)}


def _wait(collector: Collector, now: float) -> tuple[float, str]:
    """Seconds until the next poll, and why they are more than usual; no reason where they are not."""
    budget, polls = collector.context.calls.budget, collector.polls
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
    intake = collector.context.intake
    since_ms = (intake.newest_ms or 0) - _LATE_MS
    tracked = set(collector.context.universe.ids) - intake.missing
    return sorted(coin for coin in tracked if intake.newest.get(coin, since_ms) < since_ms)


def _failure(error: Exception) -> str:
    return next((text for kind, text in _FAILURES.items() if isinstance(error, kind)), str(error))


def _sentence(collector: Collector, delay_s: float, reason: str, cadence_s: float) -> str:
    context = collector.context
    if context.buffer.storage_error:
        return (
            f"não consigo gravar os preços ({context.buffer.storage_error}); {context.buffer.waiting} ficam na memória"
        )
    if reason:
        parts = [f"aguardando {math.ceil(delay_s)} s: {reason}"]
    elif not context.universe.ids:
        parts = ["procurando as maiores moedas"]
    else:
        parts = [f"{len(context.universe.ids)} moedas a cada {cadence_s:.0f} s"]
    if context.backfill_queue.next is not None:
        parts.append(f"histórico {context.backfill_queue.done}/{context.backfill_queue.total}")
    named = {
        "sem preço": sorted(context.intake.missing),
        "preço parado": _late(collector),
        "salto a confirmar": sorted(context.intake.unconfirmed),
    }
    parts += [f"{what}: {', '.join(coins[:_MAX_IN_SENTENCE])}" for what, coins in named.items() if coins]
    return "; ".join(parts)
