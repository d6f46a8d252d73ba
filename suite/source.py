"""What the source `auto` means: CoinGecko if it answers, otherwise the simulated market."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

import requests

from core.coingecko import user_agent
from core.errors import DamagedFile, NotReady, OutOfReach
from core.price_store import open_reader
from core.settings import Plan, Settings, Source
from core.wording import Message, message
from core.workspace import live_store

__all__ = [
    "BACK_NOTICE",
    "FALLBACK_NOTICE",
    "Decision",
    "FallbackWatch",
    "Probe",
    "decide",
    "needs_probe",
    "pointing_to_local_server",
]

FALLBACK_NOTICE: Final = message("notice.fallback")
BACK_NOTICE: Final = message("notice.coingecko_back")
_NOTICES: Final = {
    Source.DEMO: message("notice.demo"),
    Source.REPLAY: message("notice.replay"),
}


@dataclass(frozen=True)
class Decision:
    """The source of this run, never `auto`, and the notice that people see about it."""

    settings: Settings
    notice: Message | None
    is_fallback: bool = False


def needs_probe(settings: Settings) -> bool:
    """Whether `auto` needs a probe of CoinGecko: no key, no URL, and no live prices stored."""
    return (
        settings.source is Source.AUTO
        and settings.coingecko_key is None
        and settings.coingecko_key_file is None
        and settings.coingecko_url is None
        and not _has_live_prices(settings)
    )


def decide(settings: Settings, *, reachable: bool) -> Decision:
    """Decide on the source; `reachable` matters only if `needs_probe` says so."""
    if settings.source is not Source.AUTO:
        return Decision(settings, _NOTICES.get(settings.source))
    if reachable or not needs_probe(settings):
        return Decision(settings.model_copy(update={"source": Source.COINGECKO}), None)
    return Decision(settings.model_copy(update={"source": Source.DEMO}), FALLBACK_NOTICE, is_fallback=True)


def pointing_to_local_server(settings: Settings, port: int) -> Settings:
    """Settings of a collector that asks the local market server instead of CoinGecko."""
    local = {
        "coingecko_url": f"http://127.0.0.1:{port}/api/v3",
        "coingecko_plan": Plan.LOCAL,
        "coingecko_key": None,
        "coingecko_key_file": None,
        "calls_per_minute": None,
    }
    return settings.model_copy(update=local)


class Probe:
    """One request to `url` in a background thread, so that a hanging name lookup blocks nothing."""

    def __init__(self, url: str, timeout_s: float = 4.5) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._reached: bool | None = None
        threading.Thread(target=self._ask, name="probe", daemon=True).start()

    @property
    def answer(self) -> bool | None:
        """True: any HTTP response came. False: no name, no connection, or too late. None: not known yet."""
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
            self._reached = True  # a server responds; the collector will report what is wrong with its certificate
        except (requests.ConnectionError, requests.Timeout):
            self._reached = False
        except requests.RequestException:
            self._reached = True  # a response that breaks the protocol is a response
        else:
            self._reached = True


class FallbackWatch:
    """Probes `url` at intervals while simulated prices are shown because it did not answer."""

    def __init__(self, url: str, interval_s: float) -> None:
        self._url = url
        self._interval_s = interval_s
        self._probe: Probe | None = None
        self._next_at = time.monotonic() + interval_s

    def answers_again(self) -> bool:
        """Whether a probe was answered since the last call; starts the next probe when it is due, never blocks."""
        if self._probe is None:
            if time.monotonic() >= self._next_at:
                self._probe = Probe(self._url)
            return False
        answer = self._probe.answer
        if answer is not None:
            self._probe, self._next_at = None, time.monotonic() + self._interval_s
        return bool(answer)


def _has_live_prices(settings: Settings) -> bool:
    """Whether live prices were ever stored; a damaged store or one out of reach counts, because it may hold some."""
    try:
        with open_reader(live_store(settings)) as reader:
            return bool(reader.latest())
    except (DamagedFile, OutOfReach):
        return True
    except NotReady:
        return False
