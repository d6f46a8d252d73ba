"""A real nginx that keeps answers, with the shipped configuration: what it keeps, for how long, and for whom never."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import urllib3
from pydantic import SecretStr

from tests.support.nginx import NGINX, plain_open_data, running_nginx
from tests.support.ports import reserve_port
from tests.support.served_api import served_api
from tests.support.workspace import SampleWorkspace

NAME: Final = "dados.example.com"
INTERVAL_S: Final = 5.0
MARGIN_S: Final = 1.0
"""What the guide states: nginx counts whole seconds, and the API looks every 50 ms."""

PUBLICATIONS: Final = 5
PATIENCE_S: Final = 60.0

pytestmark = [pytest.mark.slow, pytest.mark.skipif(NGINX is None, reason="needs Debian's package nginx")]


@dataclass(frozen=True)
class Publications:
    """When each publication began to appear, and when it was complete."""

    begun: list[float]
    complete: list[float]


class Reader:
    """Asks the proxy, as somebody on another machine would."""

    def __init__(self, port: int) -> None:
        self._pool = urllib3.HTTPConnectionPool("127.0.0.1", port, timeout=PATIENCE_S, retries=False)

    def get(self, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
        """The answer to one request."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._pool.request("GET", path, headers={"Host": NAME, **named})


@contextmanager
def behind_nginx(tmp_path: Path, **settings: Any) -> Iterator[tuple[SampleWorkspace, Reader]]:
    """The API over a filled folder, and nginx before it with the shipped configuration, but without TLS."""
    api_port, port = reserve_port(), reserve_port()
    sample = SampleWorkspace.make(tmp_path / "data", interval=INTERVAL_S).fill()
    folder = tmp_path / "nginx"
    folder.mkdir()
    chosen = sample.settings.model_copy(update={"allowed_hosts": (NAME,), **settings})
    with served_api(chosen, api_port), running_nginx(folder, plain_open_data(port, api_port), port):
        yield sample, Reader(port)


@contextmanager
def publishing(sample: SampleWorkspace) -> Iterator[Publications]:
    """Publish at the pace of the settings."""
    done, published = threading.Event(), Publications([time.monotonic()], [time.monotonic()])

    def work() -> None:
        due = time.monotonic()
        while not done.wait(max(0.0, (due := due + INTERVAL_S) - time.monotonic())):
            published.begun.append(time.monotonic())
            sample.tick()
            sample.publish_forecasts()
            published.complete.append(time.monotonic())

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield published
    finally:
        done.set()
        worker.join()


def test_answers_are_kept_until_the_next_publication_and_no_longer(tmp_path: Path) -> None:
    """Most readers are answered by nginx, and none of them with what was replaced more than a second before."""
    with behind_nginx(tmp_path) as (sample, reader), publishing(sample) as published:
        seen: dict[bytes, int] = {}
        hits: list[str] = []
        hit(reader, "/prever/btc")  # now the API knows the pace
        last = len(published.complete) + PUBLICATIONS
        while len(published.complete) <= last:
            complete, asked_at = list(published.complete), time.monotonic()
            answer = reader.get("/prever/btc")
            assert answer.status == 200
            following = seen.setdefault(answer.data, len(published.begun))
            hits.append(answer.headers["X-Cache"])
            replaced_at = complete[following] if following < len(complete) else asked_at
            assert asked_at - replaced_at <= MARGIN_S, "older than a publication interval and the margin"
            assert answer.headers["X-Cache"] != "HIT" or answer.headers["Cache-Control"] == "no-cache"
            time.sleep(0.02)
    assert len(seen) >= PUBLICATIONS
    assert hits.count("HIT") > len(hits) / 2


def test_a_reader_who_has_the_answer_gets_304_from_the_cache(tmp_path: Path) -> None:
    """The proxy compares the ETag itself, and tells codings apart as Vary asks."""
    with behind_nginx(tmp_path) as (sample, reader), publishing(sample):
        answer = hit(reader, "/prever?campos=todos")
        again = reader.get("/prever?campos=todos", If_None_Match=answer.headers["ETag"])
        packed = reader.get("/prever?campos=todos", Accept_Encoding="gzip")
    assert (again.status, again.data) == (304, b"")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in answer.headers


def test_answers_that_need_a_token_are_never_kept(tmp_path: Path) -> None:
    """With a token nobody else gets an answer, not even somebody with the same token, and without one there is 401."""
    token = "um-segredo-bem-guardado"
    with behind_nginx(tmp_path, api_token=SecretStr(token)) as (sample, reader), publishing(sample) as published:
        while len(published.complete) < 5:  # now the API knows the pace and gives answers an age
            time.sleep(0.05)
        shown = [reader.get("/prever/btc", Authorization=f"Bearer {token}") for _ in range(5)]
        refused = reader.get("/prever/btc")
    assert {answer.status for answer in shown} == {200}
    assert all(answer.headers["Cache-Control"].startswith("private") for answer in shown)
    assert "HIT" not in {answer.headers.get("X-Cache") for answer in shown}
    assert refused.status == 401


@pytest.mark.parametrize("path", ["/status", "/saude", "/prever/nada"])
def test_what_is_true_for_a_moment_is_not_kept(tmp_path: Path, path: str) -> None:
    """The state of now, the sign of life and refusals come from the API each time; /metrics from nobody."""
    with behind_nginx(tmp_path) as (_, reader):
        assert "HIT" not in {reader.get(path).headers["X-Cache"] for _ in range(4)}
        assert reader.get("/metrics").status == 404


def hit(reader: Reader, path: str) -> urllib3.BaseHTTPResponse:
    """An answer from the cache."""
    deadline = time.monotonic() + PATIENCE_S
    while (answer := reader.get(path)).headers["X-Cache"] != "HIT":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer
