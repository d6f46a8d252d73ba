"""The table that run_all.py prints at the start: addresses, source, coins and folders."""

from __future__ import annotations

from core.settings import Settings, Source
from core.wording import Message, message, say
from core.workspace import Workspace

__all__ = ["addresses", "banner"]

_MAX_SHOWN = 10
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


def addresses(settings: Settings) -> dict[str, str]:
    """Base URLs of API and dashboard for a browser on this machine."""
    host = _EVERYWHERE.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    return {"api": f"http://{host}:{settings.api_port}", "dashboard": f"http://{host}:{settings.dashboard_port}"}


def banner(settings: Settings, workspace: Workspace) -> str:
    """Lay out the table; the source of `settings` must be decided."""
    urls = addresses(settings)
    source = message(f"banner.source_{settings.source}", seed=settings.seed, replay=str(settings.replay))
    coins = message(
        "banner.coins_line",
        coins=_coins(settings),
        currency=settings.currency.upper(),
        interval=f"{settings.interval:g}",
    )
    rows: dict[str, Message | str] = {
        "dashboard": urls["dashboard"],
        "api": f"{urls['api']}/docs",
        "source": source,
        "coins": coins,
        "data": str(workspace.root),
        "models": str(workspace.models),
        "stop": "Ctrl+C",
    }
    lines = [f"  {say(message(f'banner.{name}')):<8} {say(value)}" for name, value in rows.items()]
    rule = "─" * min(100, max(map(len, lines)) + 2)
    return "\n".join([rule, *lines, rule])


def _coins(settings: Settings) -> Message | str:
    if settings.top is not None:
        return message("banner.largest", number=settings.top)
    if settings.coins is None and settings.source is Source.REPLAY:
        return message("banner.all_recorded")
    ids = settings.coin_ids
    named = ", ".join(ids[:_MAX_SHOWN])
    return message("banner.and_more", coins=named, more=len(ids) - _MAX_SHOWN) if len(ids) > _MAX_SHOWN else named
