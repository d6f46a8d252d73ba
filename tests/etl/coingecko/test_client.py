"""The client on a real socket: what it sends, and what it makes of every way in which an answer can be wrong."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest

from core.coingecko import user_agent
from core.errors import BadReply, ConfigurationError, RateLimited, SourceUnavailable
from core.settings import Settings
from core.times import iso, now_ms
from core.version import VERSION
from etl.coingecko.client import CoinGecko, base_url
from etl.coingecko.transport import Transport
from tests.support.ports import reserve_port

ROWS = [{"id": "bitcoin", "symbol": "btc", "name": "Bitcoin", "current_price": 1.5, "last_updated": iso(now_ms())}]
BODY = json.dumps(ROWS).encode()


def http(body: bytes, *, status: str = "200 OK", length: int | None = None, **headers: str) -> bytes:
    """An HTTP/1.1 answer; header names are written with underscores."""
    fields = {"Content-Type": "application/json; charset=utf-8", "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    fields["Content-Length"] = str(len(body) if length is None else length)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


@pytest.fixture
def client(raw_server: Any, collector_settings: Callable[..., Settings]) -> Iterator[CoinGecko]:
    """A client of the raw server."""
    api = CoinGecko(collector_settings(raw_server.url, contact="ana@example.org"))
    yield api
    api.close()


def test_a_page_is_asked_for_as_coingecko_wants_it(raw_server: Any, client: CoinGecko) -> None:
    """Commas without spaces, 250 a page, full precision, product and contact in the User-Agent, no key, no cookie."""
    raw_server.script = [http(BODY)]
    page = client.markets(["bitcoin", "ethereum"], sparkline=True)
    head = raw_server.requests[0]
    line = head.split("\r\n")[0]
    assert line.startswith("GET /api/v3/coins/markets?")
    assert {"ids=bitcoin,ethereum", "per_page=250", "precision=full", "sparkline=true", "vs_currency=usd"} <= set(
        line.split(" ")[1].split("?")[1].split("&")
    )
    assert f"User-Agent: crypto-forecasting-pipeline/{VERSION} (ana@example.org)\r\n" in head
    assert "x-cg" not in head.lower()
    assert "authorization" not in head.lower()
    assert page.rows[0].price is not None
    assert not page.whole


@pytest.mark.parametrize(("plan", "header"), [("demo-key", "x-cg-demo-api-key"), ("pro-key", "x-cg-pro-api-key")])
def test_the_key_goes_into_its_header_alone(
    raw_server: Any, collector_settings: Callable[..., Settings], plan: str, header: str
) -> None:
    """Never in the address line, never in the other plan's header."""
    raw_server.script = [http(BODY)]
    api = CoinGecko(collector_settings(raw_server.url, coingecko_plan=plan, coingecko_key="CG-made-up-secret"))
    api.markets(["bitcoin"])
    head = raw_server.requests[0]
    assert f"{header}: CG-made-up-secret\r\n" in head
    assert head.count("CG-made-up-secret") == 1
    assert "CG-made-up-secret" not in head.split("\r\n")[0]


def test_a_coin_id_cannot_leave_its_place_in_the_path(raw_server: Any, client: CoinGecko) -> None:
    """Slashes and question marks of an id are escaped."""
    raw_server.script = [http(b'{"prices": []}')]
    client.market_chart("../ping?x=")
    assert raw_server.requests[0].startswith("GET /api/v3/coins/..%2Fping%3Fx%3D/market_chart?")


@pytest.mark.parametrize(
    "answer",
    [
        http(b"<html>down</html>", Content_Type="text/html"),
        http(b"<html>down</html>"),
        http(BODY, Content_Type="text/plain"),
        http(b"{}"),
        http(b'{"status":{"error_code":429}}'),
        http(b""),
        http(b"[" * 50_000),
        http(BODY[:-10]),
        http(b"\x1f\x8b garbage", Content_Encoding="gzip"),
        http(gzip.compress(BODY)[:-12], Content_Encoding="gzip"),
        http(gzip.compress(b" " * 20_000_000 + BODY), Content_Encoding="gzip"),
        http(b"", status="301 Moved Permanently", Location="/api/v3/elsewhere"),
        http(b"", status="302 Found", Location="http://127.0.0.1:9/"),
        http(b"", status="304 Not Modified"),
        http(b"", status="204 No Content"),
        b"HTTP/1.1 200 OK\r\nContent-Ty",
    ],
)
def test_a_complete_answer_without_prices_is_a_bad_reply(raw_server: Any, client: CoinGecko, answer: bytes) -> None:
    """HTML with 200, other types and shapes, garbage, bombs and redirects are dropped after one request."""
    raw_server.script = [answer]
    with pytest.raises(BadReply):
        client.markets(["bitcoin"])
    assert len(raw_server.requests) == 1


def reset(connection: socket.socket) -> None:
    """Hang up with a reset in the middle of the body."""
    connection.sendall(http(BODY, length=len(BODY) + 100))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    """Close the connection without an answer."""
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "answer",
    [
        http(BODY, length=len(BODY) + 100),
        http(BODY, Transfer_Encoding="chunked", length=None).replace(b"Content-Length", b"X-Nothing")[:-4],
        b"this is not HTTP\r\n\r\n",
        b"HTTP/1.1 999999999999 ?\r\n\r\n",
        b"\x00" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        reset,
        hang_up,
    ],
)
def test_a_cut_or_invalid_http_answer_means_that_the_source_is_unavailable(
    raw_server: Any, client: CoinGecko, answer: Any
) -> None:
    """Cut bodies, resets, hang-ups and noise are network failures; nothing is tried again behind the caller's back."""
    raw_server.script = [answer]
    with pytest.raises(SourceUnavailable):
        client.markets(["bitcoin"])
    assert len(raw_server.requests) == 1


def test_a_closed_port_means_that_the_source_is_unavailable(collector_settings: Callable[..., Settings]) -> None:
    """A closed port is a failure like any other."""
    url = f"http://127.0.0.1:{reserve_port()}/api/v3"
    with pytest.raises(SourceUnavailable, match="refused"):
        CoinGecko(collector_settings(url)).markets(["bitcoin"])


def trickle(in_head: bool) -> Callable[[socket.socket], None]:
    """Send a byte every 50 ms, for ever, in the head or in the body."""

    def send(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" if in_head else http(b"[", length=100_000))
        while True:
            connection.sendall(b"X" if in_head else b" ")
            time.sleep(0.05)

    return send


@pytest.mark.parametrize("in_head", [True, False])
def test_a_trickle_ends_at_the_total_deadline(raw_server: Any, in_head: bool) -> None:
    """A server that always sends a little more, so that no read time-out strikes, is cut off."""
    cut = threading.Event()

    def send(connection: socket.socket) -> None:
        try:
            trickle(in_head)(connection)
        finally:  # only a connection that the client has cut ends the trickle
            cut.set()

    raw_server.script = [send]
    transport = Transport(raw_server.url, {"User-Agent": "test"}, total_s=0.6)
    with pytest.raises(SourceUnavailable, match="no whole answer within 1 s"):
        transport.get("/ping")
    assert cut.wait(timeout=30)


def test_a_stop_cuts_the_answer_in_progress(raw_server: Any, client: CoinGecko) -> None:
    """A stop does not wait for a slow server, and no further call is made."""
    raw_server.script = [trickle(in_head=False)]
    threading.Timer(0.3, client.abort).start()
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            client.markets(["bitcoin"])
    assert len(raw_server.requests) == 1


def test_a_rate_limit_says_how_long(raw_server: Any, client: CoinGecko) -> None:
    """429 carries the seconds of Retry-After."""
    body = json.dumps({"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit."}}).encode()
    raw_server.script = [http(body, status="429 Too Many Requests", Retry_After="53")]
    with pytest.raises(RateLimited) as caught:
        client.markets(["bitcoin"])
    assert caught.value.retry_after_s == 53


@pytest.mark.parametrize(
    ("clock_ahead_s", "believed"), [(0, [False, False]), (3600, [True, False]), (9e8, [False] * 2)]
)
def test_future_event_times_are_judged_by_the_sources_clock(
    raw_server: Any, client: CoinGecko, clock_ahead_s: float, believed: list[bool]
) -> None:
    """Prices 90 s and 180 s ahead of a server an hour ahead: the first is of now. A Date years ahead is no clock."""
    rows = [{**ROWS[0], "last_updated": iso(now_ms() + seconds * 1000)} for seconds in (3690, 3780)]
    date = formatdate(time.time() + clock_ahead_s, usegmt=True)
    raw_server.script = [http(json.dumps(rows).encode(), Date=date)]
    page = client.markets(["bitcoin"])
    assert [row.price is not None for row in page.rows] == believed


@pytest.mark.parametrize(
    "url",
    ["api.coingecko.com", "ftp://x/api", "http://", "http://x:0/", "http://x:99999/", "http://u:p@x/", "http://x?k=v"],
)
def test_an_invalid_address_is_a_configuration_error(collector_settings: Callable[..., Settings], url: str) -> None:
    """The message names the variable."""
    with pytest.raises(ConfigurationError, match="CRYPTO_COINGECKO_URL"):
        base_url(collector_settings(url))


def test_a_contact_cannot_break_the_header() -> None:
    """Line ends, parentheses and letters beyond ASCII are left out; without a contact the product stands alone."""
    assert user_agent("Zoë\r\nX-Evil: 1 (x)") == f"crypto-forecasting-pipeline/{VERSION} (ZoX-Evil: 1 x)"
    assert user_agent(None) == f"crypto-forecasting-pipeline/{VERSION}"
