"""Receivers on loopback: an HTTP server that can be awkward, and a mail server."""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
import hmac
import logging
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.ports import reserve_port

__all__ = [
    "HttpReceiver",
    "MailReceiver",
    "MortalReceiver",
    "Request",
    "babble",
    "drip",
    "flood",
    "hang",
    "http_receiver",
    "mail_receiver",
    "reset",
    "says",
    "status",
    "taken",
    "verified",
]

Mood = Callable[["_Handler"], None]
"""Answers a request, or does something worse."""

_HANG_S: Final = 60.0


@dataclass(frozen=True)
class Request:
    """What a receiver was sent."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class HttpReceiver:
    """An HTTP server that notes requests and answers each after its mood; the last mood stays."""

    def __init__(self, port: int | None = None) -> None:
        self.port = reserve_port() if port is None else port
        self.requests: list[Request] = []
        self.taken: list[Request] = []
        self.moods: list[Mood] = [taken]
        self.released = threading.Event()
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the receiver."""
        return f"http://127.0.0.1:{self.port}"

    def mood(self) -> Mood:
        """The mood for the next request."""
        with self._lock:
            return self.moods.pop(0) if len(self.moods) > 1 else self.moods[0]

    def close(self) -> None:
        """Stop, and let hanging requests go."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    receiver: ClassVar[HttpReceiver]

    def do_POST(self) -> None:
        """Note the request, then do what the mood says."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.request_noted = Request(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.receiver.requests.append(self.request_noted)
        with suppress(OSError):
            self.receiver.mood()(self)

    do_GET = do_POST  # noqa: N815 - a name of the standard library

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def taken(handler: _Handler) -> None:
    """Take the request."""
    handler.receiver.taken.append(handler.request_noted)
    status(200)(handler)


def status(code: int, **headers: str) -> Mood:
    """Answer with a status code and headers, whose names have dashes for underscores."""

    def answer(handler: _Handler) -> None:
        handler.send_response(code)
        for name, value in {**headers, "content_length": "2"}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(b"{}")

    return answer


def says(body: bytes, content_type: str, code: int = 200) -> Mood:
    """Answer with this body, and end the connection."""

    def answer(handler: _Handler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Type", content_type)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def reset(handler: _Handler) -> None:
    """Break the connection off with a reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.rfile.close()
    handler.connection.close()


def hang(handler: _Handler) -> None:
    """Answer nothing until the receiver closes."""
    handler.receiver.released.wait(_HANG_S)


def drip(handler: _Handler) -> None:
    """Send a head that never ends, a byte at a time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nx-slow: ")
    while not handler.receiver.released.wait(0.05):
        handler.wfile.write(b".")
        handler.wfile.flush()


def babble(handler: _Handler) -> None:
    """Answer something that is no HTTP."""
    handler.wfile.write(b"hello there\r\n\r\n")
    handler.close_connection = True


def flood(handler: _Handler) -> None:
    """Take the request with an answer that never ends."""
    handler.receiver.taken.append(handler.request_noted)
    handler.send_response(200)
    handler.end_headers()
    while not handler.receiver.released.is_set():
        handler.wfile.write(b"x" * 65536)


AWKWARD: Final[tuple[Mood, ...]] = (taken, taken, status(500), status(429, retry_after="0"), reset, hang)
"""Moods of a receiver in trouble."""


class MortalReceiver:
    """A receiver that dies and comes back on the same port, in random moods; its last mood is to take everything."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._port = reserve_port()
        self._open: HttpReceiver | None = None
        self._taken: list[Request] = []

    @property
    def port(self) -> int:
        """Where it listens while it lives."""
        return self._port

    @property
    def taken(self) -> list[Request]:
        """What it took in all its lives."""
        return self._taken + (self._open.taken if self._open else [])

    def live(self, *, awkward: int = 0) -> None:
        """Listen, and answer so many requests in random moods first."""
        self._open = HttpReceiver(self._port)
        self._open.moods = [*(self._chance.choice(AWKWARD) for _ in range(awkward)), taken]

    def die(self) -> None:
        """Stop listening, whatever is being answered; nothing happens if it does not live."""
        dying, self._open = self._open, None
        if dying is not None:
            dying.close()
            self._taken += dying.taken


@contextmanager
def http_receiver(moods: Sequence[Mood] = (taken,), port: int | None = None) -> Iterator[HttpReceiver]:
    """A receiver that closes with the block."""
    receiver = HttpReceiver(port)
    receiver.moods = list(moods)
    try:
        yield receiver
    finally:
        receiver.close()


def verified(request: Request, secret: str) -> bool:
    """Whether the signature is right, computed from the words of the specification alone."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in request.headers["webhook-signature"].split(" ")


class MailReceiver:
    """A mail server that keeps what it is sent."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.port = reserve_port()
        self._controller: Controller | None = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Keep a mail."""
        del server, session
        assert isinstance(envelope.content, bytes)
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"

    def start(self) -> None:
        """Listen, without a log of each line."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def close(self) -> None:
        """Stop listening; it can start again."""
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    """A mail server that closes with the block."""
    receiver = MailReceiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.close()
