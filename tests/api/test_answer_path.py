"""Kept answers: who makes them, how often, and what clients get, with applications of a few lines."""

from __future__ import annotations

import asyncio
import gzip
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answer_capture import Dependence
from api.answer_path import AnswerPath, dependence_of
from api.answer_store import Answer, AnswerKey, AnswerStore
from api.parts_response import PartsResponse
from api.table_formats import ListFormat
from api.versions import Basis, Versions

TEXT = b"abcdefghij" * 1000
TAG = b'W/"of-the-data"'


class SetClock:
    """Versions as a test sets them."""

    def __init__(self) -> None:
        self.number = 1
        self.fresh_until = -math.inf

    def versions(self) -> Versions:
        """Every basis but the closed one has the number that is set."""
        tokens = {basis: str(self.number) for basis in Basis} | {Basis.CLOSED: "closed"}
        return Versions("demo", tokens, dict.fromkeys(Basis, self.fresh_until))


class Application:
    """Answers with `body` on one basis and counts its calls; waits for `gate` if there is one."""

    def __init__(self, basis: Basis | None = Basis.PRICES, body: bytes = TEXT, status: int = 200) -> None:
        self.basis, self.body, self.status = basis, body, status
        self.calls = self.parts_made = 0
        self.gate: asyncio.Event | None = None
        self.in_parts = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        self.calls += 1
        dependence = dependence_of(scope)
        dependence.basis = self.basis
        if self.gate is not None:
            await self.gate.wait()
        await self._response(dependence)(scope, receive, send)

    def _response(self, dependence: Dependence) -> Response:
        if not self.in_parts:
            return Response(self.body, self.status, media_type="text/plain")
        dependence.tag = TAG

        def part() -> bytes:
            self.parts_made += 1
            return self.body

        return PartsResponse(dependence, [part, part], "text/plain")


class Received:
    """An answer as its client gets it."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.parts: list[bytes] = []

    @property
    def body(self) -> bytes:
        """All parts."""
        return b"".join(self.parts)

    async def take(self, message: Message) -> None:
        """Take one ASGI message."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.parts.append(message.get("body", b""))


async def _get(app: ASGIApp, path: str = "/", **headers: str) -> Received:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": raw}
    received = Received()

    async def receive() -> Message:
        return {"type": "http.request"}

    await app(scope, receive, received.take)
    return received


def _path(application: ASGIApp, clock: SetClock, **options: Any) -> AnswerPath:
    return AnswerPath(application, clock, lambda _: True, **options)  # type: ignore[arg-type]  # all of a clock it needs


def _run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_an_answer_is_made_once_for_each_version() -> None:
    """The second request gets the same bytes without the application; a new version is computed."""
    application, clock = Application(), SetClock()

    async def story() -> None:
        path = _path(application, clock)
        first, second = await _get(path), await _get(path)
        assert (first.status, first.body, first.headers) == (200, TEXT, second.headers)
        assert (second.body, application.calls) == (TEXT, 1)
        clock.number = 2
        assert (await _get(path)).headers[b"etag"] == first.headers[b"etag"]
        assert application.calls == 2

    _run(story)


def test_a_large_answer_is_made_again_before_it_is_asked_for() -> None:
    """After a publication the application is called once for what was asked for before; the next client waits not."""
    application, clock = Application(Basis.PUBLICATION, body=b"abcdefgh" * 50_000), SetClock()

    async def story() -> None:
        path = _path(application, clock)
        async with path.renewing():
            for number in (1, 2, 3):
                clock.number = number
                if number > 1:
                    async with asyncio.timeout(30):
                        while application.calls < number:
                            await asyncio.sleep(0.01)
                assert (await _get(path)).status == 200
                assert application.calls == number

    _run(story)


def test_nobody_waits_while_a_large_answer_is_made_again() -> None:
    """Until the new one is there the last one is given out, which its receiver must not keep."""
    application, clock = Application(Basis.PUBLICATION, body=b"abcdefgh" * 50_000), SetClock()

    async def story() -> None:
        path = _path(application, clock)
        async with path.renewing(), asyncio.timeout(30):
            await _get(path)
            application.body, application.gate, clock.number = b"ABCDEFGH" * 50_000, asyncio.Event(), 2
            clock.fresh_until = time.monotonic() + 3600
            while application.calls < 2:
                await asyncio.sleep(0.01)
            last = await _get(path)
            assert last.body[:8] == b"abcdefgh"
            assert last.headers[b"cache-control"] == b"no-cache"
            application.gate.set()
            while (new := await _get(path)).body[:8] != b"ABCDEFGH":
                await asyncio.sleep(0.01)
            assert new.headers[b"cache-control"].startswith(b"max-age=3")
            assert application.calls == 2

    _run(story)


def test_a_failure_to_make_an_answer_again_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    """The next publication is made again all the same."""
    application, clock = Application(Basis.PUBLICATION, body=b"abcdefgh" * 50_000), SetClock()
    broken = False

    async def sometimes(scope: Scope, receive: Receive, send: Send) -> None:
        if broken:
            raise ZeroDivisionError
        await application(scope, receive, send)

    async def story() -> None:
        nonlocal broken
        path = _path(sometimes, clock)
        async with path.renewing(), asyncio.timeout(30):
            await _get(path)
            broken, clock.number = True, 2
            while "was not made again" not in caplog.text:
                await asyncio.sleep(0.01)
            broken, clock.number = False, 3
            await _get(path)
            calls, clock.number = application.calls, 4
            while application.calls == calls:
                await asyncio.sleep(0.01)

    _run(story)


def test_a_closed_range_outlives_new_versions() -> None:
    """Its answer is made once, and clients may keep it for long."""
    application, clock = Application(Basis.CLOSED), SetClock()

    async def story() -> None:
        path = _path(application, clock)
        await _get(path)
        clock.number, clock.fresh_until = 2, 1e12
        assert b"immutable" in (await _get(path)).headers[b"cache-control"]
        assert application.calls == 1

    _run(story)


def test_requests_for_one_answer_wait_for_the_first() -> None:
    """Twenty requests at once make it once; requests for another path do not wait."""
    application, clock = Application(), SetClock()

    async def story() -> None:
        path = _path(application, clock)
        application.gate = asyncio.Event()
        waiting = [asyncio.create_task(_get(path)) for _ in range(20)]
        await asyncio.sleep(0)
        other = asyncio.create_task(_get(path, "/other"))
        await asyncio.sleep(0)
        assert application.calls == 2
        application.gate.set()
        assert {answer.body for answer in await asyncio.gather(*waiting, other)} == {TEXT}
        assert application.calls == 2

    _run(story)


@pytest.mark.parametrize(("basis", "status"), [(None, 200), (Basis.PRICES, 404), (Basis.PRICES, 503)])
def test_other_answers_pass_through_every_time(basis: Basis | None, status: int) -> None:
    """Refusals, and routes that say nothing of what they depend on, are never kept; none waits for ever."""
    application, clock = Application(basis, status=status), SetClock()

    async def story() -> None:
        path = _path(application, clock)
        answers = await asyncio.gather(*(_get(path, accept_encoding="gzip") for _ in range(3)))
        assert [(answer.status, answer.body, b"etag" in answer.headers) for answer in answers] == [
            (status, TEXT, False)
        ] * 3
        assert application.calls == 3

    _run(story)


def test_a_failing_application_leaves_nobody_waiting() -> None:
    """Each request gets the error of its own run."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def story() -> None:
        path = _path(broken, SetClock())
        results = await asyncio.gather(*(_get(path) for _ in range(3)), return_exceptions=True)
        assert [type(result) for result in results] == [ZeroDivisionError] * 3

    _run(story)


def test_a_body_is_compressed_as_the_client_wishes() -> None:
    """The tag is the same for every coding, and `Vary` says that the body is not."""
    application, clock = Application(), SetClock()

    async def story() -> None:
        path = _path(application, clock)
        plain, packed = await _get(path), await _get(path, accept_encoding="gzip, br")
        assert packed.headers[b"content-encoding"] == b"gzip"
        assert gzip.decompress(packed.body) == plain.body == TEXT
        assert len(packed.body) == int(packed.headers[b"content-length"]) < len(TEXT) // 10
        assert plain.headers[b"etag"] == packed.headers[b"etag"]
        assert b"Accept-Encoding" in plain.headers[b"vary"]
        known = await _get(path, accept_encoding="gzip", if_none_match=plain.headers[b"etag"].decode())
        assert (known.status, known.body, b"content-encoding" in known.headers) == (304, b"", False)

    _run(story)


def test_a_long_answer_comes_in_parts_unless_it_is_compressed() -> None:
    """Parts go out as they are made; compressed they are kept as one; a client that has them all makes none."""
    application, clock = Application(), SetClock()
    application.in_parts = True

    async def story() -> None:
        path = _path(application, clock)
        plain = await _get(path)
        assert (plain.parts, plain.headers[b"etag"]) == ([TEXT, TEXT, b""], TAG)
        packed = await _get(path, accept_encoding="gzip")
        assert gzip.decompress(packed.body) == TEXT + TEXT
        assert (packed.headers[b"etag"], application.parts_made) == (TAG, 4)
        known = await _get(path, "/again", if_none_match=TAG.decode())
        assert (known.status, known.body, application.parts_made) == (304, b"", 4)

    _run(story)


def test_a_large_body_leaves_in_pieces() -> None:
    """Kept once, it waits for each client by pieces alone; its length is known, and an empty one is an answer too."""
    large = Application(body=bytes(600_000))

    async def story() -> None:
        for _ in range(2):
            answer = await _get(_path(large, SetClock()))
            assert [len(part) for part in answer.parts] == [262_144, 262_144, 75_712]
            assert answer.headers[b"content-length"] == b"600000"
        assert (await _get(_path(Application(body=b""), SetClock()))).parts == [b""]

    _run(story)


def test_freshness_is_told_in_whole_seconds() -> None:
    """Known to stay for 7.9 s means `max-age=7`; private where a token is needed; `no-store` for the moment."""
    clock = SetClock()

    async def story() -> None:
        now = asyncio.get_running_loop().time()
        clock.fresh_until = now + 7.9
        assert (await _get(_path(Application(), clock))).headers[b"cache-control"] == b"max-age=7"
        private = await _get(_path(Application(), clock, is_private=True))
        assert private.headers[b"cache-control"] == b"private, max-age=7"
        moment = await _get(_path(Application(Basis.MOMENT), clock))
        assert (moment.headers[b"cache-control"], b"etag" in moment.headers) == (b"no-store", False)

    _run(story)


def test_a_wrong_token_sees_nothing_that_is_kept() -> None:
    """The application, which refuses it, is asked every time."""
    application = Application()

    async def story() -> None:
        path = AnswerPath(application, SetClock(), lambda header: header == b"Bearer right")  # type: ignore[arg-type]
        for token in ("Bearer right", "Bearer right", "Bearer wrong", "Bearer wrong"):
            await _get(path, authorization=token)
        assert application.calls == 3

    _run(story)


def test_kept_answers_stay_within_their_bound() -> None:
    """The one used longest ago goes first; one that is too large is not kept."""
    store = AnswerStore(max_bytes=10_000)

    def key(name: str) -> AnswerKey:
        return AnswerKey(name, b"", ListFormat.JSON, "identity")

    for name in ("a", "b", "a", "c", "d"):
        if store.get(key(name)) is None:
            store.put(key(name), Answer((), bytes(1000), b"", Basis.PRICES, "1"))
    assert [name for name in "abcd" if store.get(key(name)) is not None] == ["a", "c", "d"]
    assert store.used_bytes <= 10_000
    store.put(key("e"), Answer((), bytes(3 * 2**20), b"", Basis.PRICES, "1"))
    assert store.get(key("e")) is None
    assert store.used_bytes <= 10_000
