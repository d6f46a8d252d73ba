"""What the collector's health file says of it: fields for programs and one message for people."""

from __future__ import annotations

import math
from typing import Final

from core.errors import BadReply, ConfigurationError, RequestRefused, SourceError, SourceUnavailable
from core.price_rules import stale_after_s
from core.processes.health_schema import CollectorProgress, ProcessState
from core.times import MINUTE_MS, iso
from core.wording import Message, counted_coins, message
from etl.collector.collector import Collector

__all__ = ["collector_progress"]

_MAX_NAMED: Final = 20
_MAX_IN_SENTENCE: Final = 5
_SOON_S: Final = 2.0
_LATE_MS: Final = 15 * MINUTE_MS
"""A coin is named as late if its price stands still this long while others move; rows of one page differ by 5 min."""

_FAILURES: Final = {
    SourceUnavailable: message("source.silent"),
    BadReply: message("source.no_prices"),
    RequestRefused: message("source.refused"),
}


def collector_progress(collector: Collector) -> tuple[ProcessState, CollectorProgress]:
    """What the collector does at this moment, and how far it is."""
    context, polls = collector.context, collector.polls
    budget, now = context.calls.budget, context.calls.now()
    wall_ms = context.calls.clock.wall_ms()
    delay_s, reason = _wait(collector, now)
    cadence_s = context.cadence_s
    progress = CollectorProgress(
        message=_sentence(collector, delay_s, reason, cadence_s),
        cadence_s=round(cadence_s, 1),
        stale_after_s=round(stale_after_s(cadence_s), 1),
        coins=len(context.universe.ids),
        last_poll_at=None if polls.polled_ms is None else iso(polls.polled_ms),
        last_price_at=None if context.intake.newest_ms is None else iso(context.intake.newest_ms),
        backfill_done=context.backfill_queue.done,
        backfill_total=context.backfill_queue.total,
        wait_until=iso(wall_ms + round(delay_s * 1000)) if reason else None,
        wait_reason=reason,
        missing=tuple(sorted(context.intake.missing)[:_MAX_NAMED]),
        late=tuple(_late(collector)[:_MAX_NAMED]),
        pending_jumps=tuple(sorted(context.intake.unconfirmed)[:_MAX_NAMED]),
        set_aside=context.buffer.set_aside,
        stored=context.buffer.stored,
        unsaved=context.buffer.waiting,
        calls_minute=budget.calls_minute,
        calls_month=budget.calls_month,
        calls_minute_limit=budget.limits.calls,
        calls_month_limit=budget.limits.per_month,
        polls=dict(polls.outcomes),
        recent_calls_minute=tuple(polls.calls_minute),
    )
    if context.buffer.standing_by:
        return ProcessState.STANDING_BY, progress
    if context.buffer.storage_error:
        return ProcessState.STORAGE_REFUSED, progress
    return ProcessState.WAITING if reason else ProcessState.COLLECTING, progress


def _wait(collector: Collector, now: float) -> tuple[float, Message | None]:
    """Seconds until the next poll, and the reason if they are more than usual."""
    budget, polls = collector.context.calls.budget, collector.polls
    if budget.blocked_for_s > 0:
        return budget.blocked_for_s, budget.block_reason
    until_poll_s = max(polls.next_at - now, 0.0)
    delay_s = budget.delay_s()
    if delay_s > until_poll_s + _SOON_S:
        month_spent = budget.limits.per_month is not None and budget.calls_month >= budget.limits.per_month
        return delay_s, message("source.month_spent" if month_spent else "source.minute_spent")
    return until_poll_s, None if polls.error is None else _failure(polls.error)


def _late(collector: Collector) -> list[str]:
    """Coins that the source still lists, but whose price it has not renewed for long."""
    intake = collector.context.intake
    since_ms = (intake.newest_ms or 0) - _LATE_MS
    tracked = set(collector.context.universe.ids) - intake.missing
    return sorted(coin for coin in tracked if intake.newest.get(coin, since_ms) < since_ms)


def _failure(error: SourceError | ConfigurationError) -> Message:
    known = next((said for kind, said in _FAILURES.items() if isinstance(error, kind)), None)
    return known or message("source.settings_refused", reason=error.message)


def _sentence(collector: Collector, delay_s: float, reason: Message | None, cadence_s: float) -> Message:
    context = collector.context
    if context.buffer.standing_by:
        return message("collector.standing_by")
    if context.buffer.storage_error:
        return message("collector.unsaved", reason=context.buffer.storage_error, waiting=context.buffer.waiting)
    if reason:
        said = message("collector.waiting", delay=math.ceil(delay_s), reason=reason)
    elif not context.universe.ids:
        said = message("collector.searching")
    else:
        said = message("collector.collecting", coins=counted_coins(len(context.universe.ids)), cadence=round(cadence_s))
    if context.backfill_queue.next is not None:
        said = message(
            "collector.with_backfill", said=said, done=context.backfill_queue.done, total=context.backfill_queue.total
        )
    named = {
        "with_missing": sorted(context.intake.missing),
        "with_late": _late(collector),
        "with_jumps": sorted(context.intake.unconfirmed),
    }
    for code, coins in named.items():
        if coins:
            said = message(f"collector.{code}", said=said, coins=", ".join(coins[:_MAX_IN_SENTENCE]))
    return said
