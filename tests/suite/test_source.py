"""The source `auto`: what counts as an answer, when CoinGecko is probed, and the decision."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.price_store import Coin, Price, open_writer
from core.settings import Plan, Settings, Source, load_settings
from core.times import now_ms
from suite.source import FALLBACK_NOTICE, FallbackWatch, Probe, decide, needs_probe, pointing_to_local_server

PING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
ANSWERS = {
    "ping": PING,
    "forbidden": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
    "throttled": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n",
    "broken": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\noops",
    "page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
    "moved": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
}


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxies and settings of this machine."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in Settings.model_fields:
        monkeypatch.setenv(f"CRYPTO_{name.upper()}", "")
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Make settings with an empty data folder."""
    return lambda **given: load_settings(data_dir=tmp_path, models_dir=tmp_path / "models", **given)


@contextmanager
def listening(reply: bytes | None, *, drip: bool = False) -> Iterator[str]:
    """URL of a server that sends `reply` to a request (None: nothing; `drip`: a byte every 0.3 s)."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            if reply is None:
                stopped.wait(30)
            elif drip:
                for position in range(len(reply)):
                    if stopped.wait(0.3):
                        return
                    self.request.sendall(reply[position : position + 1])
            else:
                self.request.sendall(reply)

    stopped = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/v3"
        stopped.set()
        server.shutdown()


def answer_of(probe: Probe) -> bool:
    """Wait for the answer of the probe."""
    while probe.answer is None:
        time.sleep(0.01)
    return bool(probe.answer)


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_any_http_answer_means_that_coingecko_is_there(name: str) -> None:
    """Refusals, rate limits, server errors, pages and redirects are answers."""
    with listening(ANSWERS[name]) as url:
        assert answer_of(Probe(url))


def test_a_closed_port_is_no_answer() -> None:
    """A refused connection means unreachable."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not answer_of(Probe(f"http://127.0.0.1:{unused.getsockname()[1]}/api/v3"))


def test_an_unknown_name_is_no_answer() -> None:
    """A name that does not resolve means unreachable."""
    assert not answer_of(Probe("http://nada.invalid/api/v3"))


def test_silence_is_no_answer_after_the_time_limit() -> None:
    """A server that accepts but never responds counts as unreachable after the time limit."""
    with listening(None) as url:
        probe = Probe(url, timeout_s=0.5)
        assert probe.answer is None
        assert not answer_of(probe)


def test_a_dripping_answer_does_not_delay_the_decision() -> None:
    """A server that sends a byte every 0.3 s counts as unreachable after the time limit."""
    with listening(PING, drip=True) as url:
        assert not answer_of(Probe(url, timeout_s=0.7))


def test_the_fallback_watch_reports_that_coingecko_is_back() -> None:
    """An answer to one of its probes is reported; without one it goes on probing."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        watch = FallbackWatch(f"http://127.0.0.1:{unused.getsockname()[1]}/api/v3", interval_s=0.01)
        for _ in range(20):
            assert not watch.answers_again()
            time.sleep(0.01)
    with listening(PING) as url:
        watch = FallbackWatch(url, interval_s=0.01)
        while not watch.answers_again():
            time.sleep(0.01)


def test_without_prices_an_unreachable_coingecko_means_simulation(settings: Callable[..., Settings]) -> None:
    """Without prices, key and URL the simulated market is chosen, with a notice."""
    asked = settings()
    assert needs_probe(asked)
    decision = decide(asked, reachable=False)
    assert (decision.settings.source, decision.notice, decision.is_fallback) == (Source.DEMO, FALLBACK_NOTICE, True)


def test_reachable_gives_live_prices(settings: Callable[..., Settings]) -> None:
    """An answer means CoinGecko, without a notice."""
    decision = decide(settings(), reachable=True)
    assert (decision.settings.source, decision.notice, decision.is_fallback) == (Source.COINGECKO, None, False)


@pytest.mark.parametrize(
    "given",
    [
        {"coingecko_url": "http://127.0.0.1:1/api/v3"},
        {"coingecko_key": "CG-abcdef", "coingecko_plan": Plan.DEMO_KEY},
        {"coingecko_key": "CG-abcdef"},
    ],
)
def test_a_key_or_a_url_of_the_user_means_live_prices(settings: Callable[..., Settings], given: dict[str, str]) -> None:
    """With a key or a URL nothing is probed or simulated."""
    asked = settings(**given)
    assert not needs_probe(asked)
    assert decide(asked, reachable=False).settings.source is Source.COINGECKO


def test_stored_live_prices_stay_live(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """With live prices stored the source stays CoinGecko, reachable or not."""
    with open_writer(tmp_path / "crypto.db") as writer:
        writer.update_coins([Coin("bitcoin", "btc", "Bitcoin")])
        writer.track(["bitcoin"])
        assert needs_probe(settings())
        writer.store([Price("bitcoin", now_ms(), 67187.33)])
    assert not needs_probe(settings())
    assert decide(settings(), reachable=False).settings.source is Source.COINGECKO


def test_a_damaged_price_store_stays_live(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """A damaged store held live prices: the collector replaces it, nothing is simulated."""
    (tmp_path / "crypto.db").write_bytes(b"no database at all, but a file of some length" * 100)
    assert not needs_probe(settings())


@pytest.mark.parametrize("source", [Source.COINGECKO, Source.DEMO])
def test_a_named_source_is_used(settings: Callable[..., Settings], source: Source) -> None:
    """A source named by the user is used, reachable or not; simulated prices carry a notice."""
    decision = decide(settings(source=source), reachable=False)
    assert decision.settings.source is source
    assert (decision.notice is None) == (source is Source.COINGECKO)
    assert not decision.is_fallback


def test_a_key_in_a_file_counts_as_one(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """Nothing is probed with it, and the collector of a simulated market is not told of the file."""
    file = tmp_path / "key"
    file.write_text("CG-abcdef\n", encoding="utf-8")
    asked = settings(coingecko_key_file=file)
    assert not needs_probe(asked)
    assert decide(asked, reachable=False).settings.source is Source.COINGECKO
    assert pointing_to_local_server(asked, 4711).source_key is None


def test_the_local_server_gets_no_key(settings: Callable[..., Settings]) -> None:
    """Key and call limit are for CoinGecko; the local market server gets neither."""
    local = pointing_to_local_server(settings(coingecko_key="CG-abcdef", calls_per_minute=5), 4711)
    assert (local.coingecko_url, local.coingecko_plan) == ("http://127.0.0.1:4711/api/v3", Plan.LOCAL)
    assert local.coingecko_key is None
    assert local.calls_per_minute is None
