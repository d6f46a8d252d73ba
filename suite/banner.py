"""The short table of what runs where."""

from __future__ import annotations

from core.settings import Settings, Source
from core.workspace import Workspace

__all__ = ["addresses", "banner"]

_SHOWN_COINS = 10
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to
_SOURCES = {
    Source.COINGECKO: "CoinGecko (preços reais; Powered by CoinGecko, https://www.coingecko.com)",
    Source.DEMO: "SIMULADA (mercado de mentira, semente {seed})",
    Source.REPLAY: "REPLAY de {replay}",
}


def addresses(settings: Settings) -> dict[str, str]:
    """Where a person at this machine finds API and dashboard: their base URLs."""
    host = _EVERYWHERE.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    return {"api": f"http://{host}:{settings.api_port}", "dashboard": f"http://{host}:{settings.dashboard_port}"}


def banner(settings: Settings, workspace: Workspace) -> str:
    """The table, for a source that is decided."""
    urls = addresses(settings)
    rows = {
        "Painel": urls["dashboard"],
        "API": f"{urls['api']}/docs",
        "Fonte": _SOURCES[settings.source].format(seed=settings.seed, replay=settings.replay),
        "Moedas": f"{_coins(settings)}, em {settings.currency.upper()}, a cada {settings.interval:g} s",
        "Dados": str(workspace.root),
        "Modelos": str(workspace.models),
        "Parar": "Ctrl+C",
    }
    lines = [f"  {name:<8} {value}" for name, value in rows.items()]
    rule = "─" * min(100, max(map(len, lines)) + 2)
    return "\n".join([rule, *lines, rule])


def _coins(settings: Settings) -> str:
    if settings.top is not None:
        return f"as {settings.top} maiores"
    if settings.coins is None and settings.source is Source.REPLAY:
        return "todas as da gravação"
    ids = settings.coin_ids
    return ", ".join(ids[:_SHOWN_COINS]) + (f" e mais {len(ids) - _SHOWN_COINS}" if len(ids) > _SHOWN_COINS else "")
