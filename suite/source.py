"""The source `auto`: CoinGecko if anything answers there, the simulated market if nothing can be reached."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

import requests

from core.coingecko import user_agent
from core.errors import DamagedFile, NotReady
from core.price_store import PriceReader
from core.settings import Plan, Settings, Source

__all__ = [
    "BACK_NOTICE",
    "FALLBACK_NOTICE",
    "Decision",
    "Probe",
    "at_local_server",
    "decide",
    "is_open",
]

FALLBACK_NOTICE: Final = (
    "CoinGecko não pôde ser alcançado: os preços mostrados são SIMULADOS, não são do mercado real. "
    "Verifique a internet e reinicie."
)
BACK_NOTICE: Final = "CoinGecko voltou: reinicie para usar preços reais. Os preços mostrados ainda são SIMULADOS."
_NOTICES: Final = {
    Source.DEMO: "Mercado SIMULADO: os preços mostrados não são reais.",
    Source.REPLAY: "Replay de preços GRAVADOS: os preços mostrados não são os de agora.",
}


@dataclass(frozen=True)
class Decision:
    """The source of this run, never `auto`, and what people must be told about it."""

    settings: Settings
    notice: str | None
    is_fallback: bool = False


def is_open(settings: Settings) -> bool:
    """Whether the source depends on what CoinGecko answers.

    It does for `auto` with neither key nor address set and no live price stored; otherwise nothing is asked.
    """
    return (
        settings.source is Source.AUTO
        and settings.coingecko_key is None
        and settings.coingecko_url is None
        and not _has_live_prices(settings)
    )


def decide(settings: Settings, *, reachable: bool) -> Decision:
    """The source of this run; `reachable` matters only where the question `is_open`."""
    if settings.source is not Source.AUTO:
        return Decision(settings, _NOTICES.get(settings.source))
    if reachable or not is_open(settings):
        return Decision(settings.model_copy(update={"source": Source.COINGECKO}), None)
    return Decision(settings.model_copy(update={"source": Source.DEMO}), FALLBACK_NOTICE, is_fallback=True)


def at_local_server(settings: Settings, port: int) -> Settings:
    """The same settings with the local market server in CoinGecko's place."""
    local = {
        "coingecko_url": f"http://127.0.0.1:{port}/api/v3",
        "coingecko_plan": Plan.LOCAL,
        "coingecko_key": None,
        "calls_per_minute": None,
    }
    return settings.model_copy(update=local)


class Probe:
    """Asks once, in the background, whether anything answers at `url`; a name service that hangs delays nobody."""

    def __init__(self, url: str, timeout_s: float = 4.5) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._reached: bool | None = None
        threading.Thread(target=self._ask, name="probe", daemon=True).start()

    @property
    def answer(self) -> bool | None:
        """True: an HTTP answer of any kind came. False: name, connection or time failed. None: not known yet."""
        if self._reached is None and time.monotonic() > self._deadline:
            return False
        return self._reached

    def _ask(self) -> None:
        try:
            requests.get(
                f"{self._url}/ping",
                headers={"User-Agent": user_agent()},
                timeout=self._timeout_s,
                allow_redirects=False,
            ).close()
        except requests.exceptions.SSLError:
            self._reached = True  # somebody is there; the collector will say what is wrong with its certificate
        except (requests.ConnectionError, requests.Timeout):
            self._reached = False
        except requests.RequestException:
            self._reached = True  # an answer that breaks the protocol is an answer
        else:
            self._reached = True


def _has_live_prices(settings: Settings) -> bool:
    """Whether live prices were ever stored; a damaged store counts, for it held some."""
    try:
        with PriceReader(settings.data_dir / "crypto.db") as reader:
            return bool(reader.latest())
    except NotReady:
        return False
    except DamagedFile:
        return True
