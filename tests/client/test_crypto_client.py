"""The client that people copy: it says what the API says, and follows it over restarts without missing anything."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import requests

import client.crypto_client
from client.crypto_client import ApiProblem, Client, Event
from core.settings import PROJECT
from suite.ports import free_port
from tests.support.alert_receivers import Mood, http_receiver, says
from tests.support.served_api import served_api
from tests.support.workspace import SampleWorkspace


@pytest.fixture
def world(tmp_path: Path) -> SampleWorkspace:
    """A filled workspace whose newest prices are ten minutes old."""
    return SampleWorkspace.settled(tmp_path)


@pytest.fixture
def address(world: SampleWorkspace) -> Iterator[str]:
    """Address of an API over that workspace."""
    with served_api(world.settings) as found:
        yield found


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of a tenth."""
    monkeypatch.setattr(client.crypto_client, "_PAUSES_S", (0.1, 0.2, 0.4))
    monkeypatch.setattr(client.crypto_client, "_POLL_S", (0.1, 0.5))


def _told(events: Iterator[Event], count: int) -> list[tuple[str, str]]:
    return [(event.kind, event.body["moeda"]) for event in islice(events, count)]


def test_every_method_gives_what_the_api_says(world: SampleWorkspace, address: str) -> None:
    """Coins, one forecast, all forecasts with chosen fields, and prices between two times."""
    api = Client(address)
    assert [coin["id"] for coin in api.coins()] == [coin.id for coin in world.coins]
    assert api.forecast("btc", horizon_min=15, quantiles=(0.1, 0.9))["quantis"].keys() == {"0.1", "0.9"}
    assert api.forecasts(["eth", "btc"], fields=("id", "previsao"))[0].keys() == {"id", "previsao"}
    assert len(api.forecasts()) == len(world.coins)
    prices = api.history("btc", limit=3)
    assert api.history("btc", start=prices[2]["horario"], end=prices[1]["horario"]) == prices[1:]


def test_an_unchanged_answer_is_not_sent_again(world: SampleWorkspace, address: str) -> None:
    """The second request is answered with 304, and the client gives the same body; after a change too."""
    api = Client(address)
    statuses: list[int] = []
    api._session.hooks["response"].append(lambda reply, *_args, **_options: statuses.append(reply.status_code))
    first = api.forecast("btc")
    assert api.forecast("btc") == first
    assert statuses == [200, 304]
    world.tick()
    world.publish_forecasts()
    while (newest := api.forecast("btc")) == first:
        time.sleep(0.05)
    assert api.forecast("btc") == newest
    assert statuses[-2:] == [200, 304]


def test_a_refusal_is_an_exception_that_programs_can_read(address: str) -> None:
    """Code, parameters and suggestions are those of the problem details."""
    with pytest.raises(ApiProblem, match="bitconi") as caught:
        Client(address).forecast("bitconi")
    assert (caught.value.status, caught.value.code) == (404, "unknown_coin")
    assert caught.value.suggestions[0] == "bitcoin"
    with pytest.raises(ApiProblem) as caught:
        next(Client(address).follow(["bitconi"]))
    assert caught.value.code == "unknown_coin"


def test_a_server_that_is_not_there_is_an_error_of_requests() -> None:
    """Single questions say so at once."""
    with pytest.raises(requests.ConnectionError):
        Client(f"http://127.0.0.1:{free_port(set())}").coins()


def test_following_goes_on_over_restarts_of_the_api(world: SampleWorkspace) -> None:
    """Forecasts published while no API runs come after it is back, each once, in order."""
    port = free_port(set())
    api = Client(f"http://127.0.0.1:{port}")
    events = api.follow(["btc"])
    with served_api(world.settings, port):
        first = next(events)
    origins = []
    for _ in range(3):
        world.tick()
        world.publish_forecasts()
        origins.append(world.now)
        time.sleep(0.01)
    with served_api(world.settings, port):
        later = [next(events) for _ in origins]
        world.tick()
        world.publish_forecasts()
        later.append(next(events))
    assert len({event.body["id_previsao"] for event in (first, *later)}) == 5
    assert [event.body["horario"] for event in later] == sorted(event.body["horario"] for event in later)
    assert all(event.kind == "previsao" for event in later)


def test_another_run_goes_on_after_the_last_id(world: SampleWorkspace, address: str) -> None:
    """With the id of the last event only what came later is told."""
    last_id = next(Client(address).follow(["btc"])).last_id
    world.tick()
    world.publish_forecasts()
    events = Client(address).follow(["btc"], ("preco", "previsao"), last_id)
    assert _told(events, 2) == [("preco", "btc"), ("previsao", "btc")]


def test_a_group_cut_twice_is_asked_for_until_it_is_whole() -> None:
    """The id of a group whose end was never received is not the place to go on from."""
    first, cut = _group("T1", last_id="1.1.aaaaaa"), b"id: 2.2.aaaaaa\nevent: previsao\ndata: {"
    moods = [_stream(first, cut), _stream(_group("T2")), _stream(_group("T2"), _group("T3", last_id="2.2.aaaaaa"))]
    with http_receiver(moods) as receiver:
        events = list(islice(Client(receiver.url).follow(), 3))
        asked = [request.headers.get("last-event-id") for request in receiver.requests]
    assert [event.body["horario"] for event in events] == ["T1", "T2", "T3"]
    assert [event.last_id for event in events] == ["1.1.aaaaaa", "1.1.aaaaaa", "2.2.aaaaaa"]
    assert asked == [None, "1.1.aaaaaa", "1.1.aaaaaa"]


def _group(time_of_forecast: str, last_id: str = "") -> bytes:
    """One forecast as a stream tells it, and the id that ends a group."""
    body = json.dumps({"id": "bitcoin", "moeda": "btc", "horario": time_of_forecast})
    mark = f"id: {last_id}\n" if last_id else ""
    return f"{mark}event: previsao\ndata: {body}\n\n".encode()


def _stream(*groups: bytes) -> Mood:
    return says(b"".join(groups), "text/event-stream")


@pytest.mark.parametrize("by_stream", [True, False])
def test_following_goes_on_when_a_proxy_answers_for_the_api(by_stream: bool) -> None:
    """What nginx says while the API restarts, or to too many requests, passes; a single question tells it at once."""
    refusals = [says(b"<html></html>", "text/html", code) for code in (502, 503, 504, 429)]
    polled = b'[{"id": "bitcoin", "moeda": "btc", "horario": "T1", "proxima_em": "2026-11-22T14:04:00+00:00"}]'
    answer = _stream(_group("T1")) if by_stream else says(polled, "application/json")
    with http_receiver([*refusals, answer]) as receiver:
        with pytest.raises(ApiProblem, match="HTTP 502"):
            Client(receiver.url).coins()
        assert next(Client(receiver.url).follow(by_stream=by_stream)).body["horario"] == "T1"
        assert len(receiver.requests) == 5


def test_without_a_stream_forecasts_are_polled(world: SampleWorkspace) -> None:
    """When the API has no place for another listener, new forecasts come by polling, each once."""
    with served_api(world.settings.model_copy(update={"event_listeners": 0})) as address:
        api = Client(address)
        events = api.follow(["btc", "eth"])
        assert _told(events, 2) == [("previsao", "btc"), ("previsao", "eth")]
        world.tick()
        world.publish_forecasts()
        assert _told(events, 2) == [("previsao", "btc"), ("previsao", "eth")]


def test_the_module_stands_alone() -> None:
    """It imports the standard library and requests, nothing of the project."""
    tree = ast.parse((PROJECT / "client" / "crypto_client.py").read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names == {"__future__", "collections.abc", "dataclasses", "datetime", "json", "requests", "time", "typing"}
