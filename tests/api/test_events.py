"""Listeners of /eventos get everything that is stored, once, over restarts; what they cannot get is named."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

import api.event_hub
import api.timed_connection
from api.event_batch import Event, EventBatch, Selection
from api.event_feed import EventFeed, Place
from api.event_hub import EventHub, Listener, TooManyListeners
from api.event_schemas import EventKind, SuiteState
from core.price_store import Coin, Price, open_writer
from core.reading.readers import Readers
from core.times import HOUR_MS, MINUTE_MS, now_ms
from etl.coingecko.client import MarketsPage
from etl.coingecko.parsing import MarketRow, ReplyTime
from etl.collector.intake import Intake
from etl.collector.write_buffer import WriteBuffer
from tests.support.event_stream import EventReader, ReceivedEvent
from tests.support.running_suite import DIRECT
from tests.support.served_api import served_api
from tests.support.workspace import SampleWorkspace

FORECASTS_OF_BTC = "/eventos?moedas=btc&tipos=previsao"


@pytest.fixture
def world(tmp_path: Path) -> SampleWorkspace:
    """A filled workspace whose newest prices are ten minutes old."""
    return SampleWorkspace.settled(tmp_path)


@pytest.fixture
def address(world: SampleWorkspace) -> Iterator[str]:
    """Address of an API over that workspace."""
    with served_api(world.settings) as found:
        yield found


def _get(address: str, path: str) -> Any:
    with DIRECT.open(address + path, timeout=20) as reply:
        return json.loads(reply.read())


def _named(events: list[ReceivedEvent]) -> list[tuple[str, str]]:
    return [(event.name, event.data.get("moeda", "")) for event in events]


def _of_coins(stream: EventReader, count: int) -> list[ReceivedEvent]:
    """The next events about coins; a slow machine's status may change in between."""
    events: list[ReceivedEvent] = []
    while len(events) < count:
        events += [event for event in stream.take(1) if event.name != "status"]
    return events


def test_a_new_listener_gets_the_newest_of_every_coin_and_then_what_comes(world: SampleWorkspace, address: str) -> None:
    """First prices, forecasts and state; after a poll the prices and outcomes, after a cycle the forecasts."""
    with EventReader(address) as stream:
        assert stream.reply.headers["Content-Type"].startswith("text/event-stream")
        assert stream.reply.headers["Cache-Control"] == "no-store"
        symbols = [coin.symbol for coin in world.coins]
        opening = stream.take(2 * len(symbols))
        assert _named(opening) == [("preco", coin) for coin in symbols] + [("previsao", coin) for coin in symbols]
        assert stream.wait_for("status").data["fonte"] == "demo"
        world.tick()
        assert sorted(_named(_of_coins(stream, 2 * len(symbols)))) == [
            (kind, coin) for kind in ("acerto", "preco") for coin in sorted(symbols)
        ]
        before = stream.last_id
        world.publish_forecasts()
        assert _named(_of_coins(stream, len(symbols))) == [("previsao", coin) for coin in symbols]
        numbers = [int(text.split(".")[0]) for text in (before, stream.last_id)]
        assert numbers == [numbers[0], world.publisher.manifest.version]
        assert numbers[0] < numbers[1]


def test_bodies_are_those_of_the_other_routes(address: str) -> None:
    """`previsao` is the answer of /prever, `preco` the newest row of /historico with all fields."""
    with EventReader(address, "/eventos?moedas=btc") as stream:
        price, forecast = stream.take(2)
        assert forecast.data == _get(address, "/prever/btc")
        assert price.data == _get(address, "/historico/btc?limite=1&campos=todos")[0]


def test_many_coins_come_in_one_batch(tmp_path: Path) -> None:
    """With 250 coins a new listener gets 250 prices and 250 forecasts, by the rank of the coins."""
    coins = [Coin(f"coin-{number}", f"c{number}", f"Coin {number}", number + 1, 1) for number in range(250)]
    world = SampleWorkspace.make(tmp_path, coins)
    world.fill_prices(hours=0.1)
    world.publish_forecasts()
    feed = EventFeed(Readers(world.settings), 30.0)
    text = feed.opening(feed.place()).text(Selection(None, frozenset(EventKind))).decode()
    assert text.count("event: preco\n") == text.count("event: previsao\n") == len(coins)
    assert re.findall(r'"moeda":"(c\d+)"', text) == 2 * [coin.symbol for coin in coins]


def test_a_jump_is_told_with_its_outcomes_when_later_polls_confirm_it(world: SampleWorkspace) -> None:
    """Nothing of the coin comes while the jump waits and others are told; then each price and the outcome, once."""
    feed, wanted = EventFeed(Readers(world.settings), 30.0), Selection(frozenset(["bitcoin"]), frozenset(EventKind))
    told: list[list[str]] = []
    with open_writer(world.workspace.database) as writer:
        intake = Intake(buffer := WriteBuffer(writer))
        intake.resume(writer.latest())
        for second in (1, 31, 61, 91):
            ts_ms, before = world.now + 5 * MINUTE_MS + 1000 * second, feed.place()
            moved = {coin.id: world.prices[coin.id] * (1.5 if coin.id == "bitcoin" else 1.0) for coin in world.coins}
            rows = [MarketRow(coin, Price(coin.id, ts_ms, moved[coin.id], fetched_ms=ts_ms)) for coin in world.coins]
            intake.take_page(MarketsPage(rows, ReplyTime(ts_ms, ts_ms), whole=False), moved, 30.0)
            buffer.flush()
            text = feed.between(before, feed.place()).text(wanted).decode()
            told.append(re.findall("event: (.+)", text))
    assert told == [[], [], ["preco", "preco", "preco", "acerto"], ["preco"]]


def test_a_coin_fetched_while_the_clock_was_ahead_silences_no_other(world: SampleWorkspace, address: str) -> None:
    """Its unchanged price is among the newest, and after it the prices of the others are told as they come."""
    with open_writer(world.workspace.database) as writer:
        ahead_ms, ts_ms = now_ms() + 3 * HOUR_MS, world.now + MINUTE_MS
        writer.store([Price("ethereum", ts_ms, 3_000.0, fetched_ms=ahead_ms)])
        writer.store([Price("bitcoin", ts_ms + 1, 60_000.0, fetched_ms=ts_ms + 900)])
    with EventReader(address, "/eventos?tipos=preco") as stream:
        assert _named(stream.take(3)) == [("preco", coin.symbol) for coin in world.coins]
        for price in (1.0, 2.0):
            with open_writer(world.workspace.database) as writer:
                ts_ms = now_ms()
                writer.store(Price(coin, ts_ms, price, fetched_ms=ts_ms) for coin in ("bitcoin", "dogecoin"))
            told = [(event.data["moeda"], event.data["preco"]) for event in stream.take(2)]
            assert told == [("btc", price), ("doge", price)]


def test_prices_fetched_while_the_clock_was_ahead_are_followed_by_those_after(
    world: SampleWorkspace, address: str
) -> None:
    """Who was told of them is sent the newest of every coin once the clock is right, and then what comes."""
    with open_writer(world.workspace.database) as writer:
        ahead_ms = now_ms() + 3 * HOUR_MS
        writer.store(Price(coin.id, world.now + MINUTE_MS, 1.0, fetched_ms=ahead_ms) for coin in world.coins)
    with EventReader(address, "/eventos?tipos=preco") as stream:
        stream.take(3)
        with open_writer(world.workspace.database) as writer:
            writer.store([Price("bitcoin", now_ms(), 2.0, fetched_ms=now_ms())])
        gap, *newest = stream.take(4)
        assert (gap.name, gap.data["motivo"]) == ("lacuna", "adiante")
        assert [(event.data["moeda"], event.data["preco"]) for event in newest] == [
            ("btc", 2.0),
            ("eth", 1.0),
            ("doge", 1.0),
        ]
        with open_writer(world.workspace.database) as writer:
            writer.store([Price("dogecoin", now_ms(), 3.0, fetched_ms=now_ms())])
        assert _named(stream.take(1)) == [("preco", "doge")]


def test_a_listener_goes_on_after_its_last_id_over_a_restart_of_the_api(world: SampleWorkspace) -> None:
    """Everything published in between comes once and in order; nothing comes twice."""
    path = "/eventos?moedas=btc&tipos=preco,previsao"
    with served_api(world.settings) as address, EventReader(address, path) as stream:
        stream.take(2)
        last_id = stream.last_id
    world.tick()
    for _ in range(3):
        world.publish_forecasts()
    world.tick()
    with served_api(world.settings) as address, EventReader(address, path, last_id) as stream:
        assert [name for name, _ in _named(stream.take(5))] == ["preco", "preco", "previsao", "previsao", "previsao"]
        last_id = stream.last_id
        assert stream.rest(0.5) == []
        with EventReader(address, path, last_id) as again:
            assert again.rest(0.5) == []


@pytest.mark.parametrize(
    ("last_id", "reason"),
    [("none of ours", "id_ilegivel"), ("1.1.ffffff", "outros_dados"), ("999999.1", "id_ilegivel")],
)
def test_an_id_from_elsewhere_is_answered_by_gaps_and_the_newest(address: str, last_id: str, reason: str) -> None:
    """Each kind gets a `lacuna` with its reason and where to fetch, and then the newest events."""
    with EventReader(address, "/eventos?moedas=btc", last_id) as stream:
        gaps = stream.take(3)
        assert {event.name for event in gaps} == {"lacuna"}
        assert [event.data["tipo"] for event in gaps] == ["preco", "previsao", "acerto"]
        assert {event.data["motivo"] for event in gaps} == {reason}
        assert {event.data["buscar"] for event in gaps} == {"/historico/{moeda}", "/previsoes/{moeda}"}
        assert _named(stream.take(2)) == [("preco", "btc"), ("previsao", "btc")]


def test_forecasts_that_are_deleted_are_named_by_a_gap(world: SampleWorkspace, address: str) -> None:
    """When the file of the last forecasts is gone, one `lacuna` says from when on, and the newest forecast follows."""
    with EventReader(address, FORECASTS_OF_BTC) as stream:
        stream.take(1)
        last_id = stream.last_id
    for _ in range(2):
        world.publish_forecasts()
    for path in sorted(world.workspace.processed.glob("latest-*.parquet"))[:-1]:
        path.unlink()
    with EventReader(address, FORECASTS_OF_BTC, last_id) as stream:
        gap, newest = stream.take(2)
        assert (gap.name, gap.data["motivo"], newest.name) == ("lacuna", "antigo_demais", "previsao")
        assert isinstance(_get(address, gap.data["buscar"].format(moeda="btc")), list)
        assert stream.rest(0.5) == []


def test_data_set_back_are_named_by_gaps(world: SampleWorkspace, address: str) -> None:
    """An id later than what is stored, as after a backup was restored, gets `lacuna` with `adiante`."""
    with EventReader(address, FORECASTS_OF_BTC) as stream:
        stream.take(1)
        number, rest = stream.last_id.split(".", 1)
    with EventReader(address, FORECASTS_OF_BTC, f"{int(number) + 5}.{rest}") as stream:
        gap, newest = stream.take(2)
        assert (gap.data["motivo"], newest.name) == ("adiante", "previsao")


def test_unknown_coins_kinds_and_too_many_listeners_are_refused(
    filled: SampleWorkspace, make_client: Callable[..., TestClient]
) -> None:
    """404 with suggestions, 422, and 503 with Retry-After, each as problem details."""
    client = make_client(filled.settings.model_copy(update={"event_listeners": 0}))
    assert client.get("/eventos?moedas=bitconi").json()["codigo"] == "unknown_coin"
    refusal = client.get("/eventos?tipos=tudo").json()
    assert refusal["codigo"] == "invalid_parameter"
    assert "preco, previsao, acerto, status" in refusal["detail"]
    full = client.get("/eventos")
    assert (full.status_code, full.json()["codigo"]) == (503, "too_many_listeners")
    assert int(full.headers["Retry-After"]) > 0


def test_only_guesses_of_the_token_count_against_the_rate(
    filled: SampleWorkspace, make_client: Callable[..., TestClient]
) -> None:
    """Streams asked for with the token are never refused for their rate; without it 429 comes soon."""
    update = {"api_token": SecretStr("0123456789abcdef"), "api_rate_limit": 3, "event_listeners": 0}
    client = make_client(filled.settings.model_copy(update=update))
    right, wrong = ({"Authorization": f"Bearer {token}"} for token in ("0123456789abcdef", "wrong"))
    assert {client.get("/eventos", headers=right).status_code for _ in range(6)} == {503}
    assert [client.get("/eventos", headers=wrong).status_code for _ in range(4)] == [401, 401, 401, 429]


def test_a_quiet_stream_gives_signs_of_life_and_outlives_the_time_limits(
    filled: SampleWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments come while nothing happens, far beyond the time in which other answers must be read."""
    monkeypatch.setattr(api.event_hub, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(api.timed_connection, "REQUEST_TIMEOUT_S", 1.0)
    monkeypatch.setattr(api.timed_connection, "PROGRESS_TIMEOUT_S", 0.5)
    with served_api(filled.settings) as address, EventReader(address, FORECASTS_OF_BTC) as stream:
        stream.take(1)
        place = stream.last_id
        while stream.comments < 25:
            assert stream.read_line() is not None
        assert stream.last_id == place


def test_streams_end_when_the_server_stops(filled: SampleWorkspace) -> None:
    """Open streams are ended in order, so that the server stops without waiting for its time limit."""
    with served_api(filled.settings) as address:
        streams = [EventReader(address, FORECASTS_OF_BTC) for _ in range(5)]
        for stream in streams:
            stream.take(1)
    for stream in streams:
        with stream:
            assert stream.next() is None


def test_a_listener_that_does_not_keep_up_is_closed() -> None:
    """Its queue is bounded: the batch that does not fit ends the connection, others are not affected."""

    async def overfill() -> tuple[bool, bool]:
        slow, quick = (Listener(Selection(None, frozenset(EventKind)), None) for _ in range(2))
        texts = quick.texts()
        for number in range(100):
            batch = EventBatch([Event(EventKind.STATUS, None, b"data: 1\n")], str(number))
            slow.offer(batch)
            quick.offer(batch)
            await anext(texts)
        return slow.is_open, quick.is_open

    assert asyncio.run(overfill()) == (False, True)


def test_places_are_limited_in_all_and_for_each_far_client(filled: SampleWorkspace) -> None:
    """A released place is free again; a client on this machine is limited by the sum alone."""
    state = SuiteState(status="ok", codigos_dos_problemas=[], fonte="demo", dados_reais=False)
    hub = EventHub(EventFeed(Readers(filled.settings), 30.0), lambda: state, 3, 1)
    wish = Selection(None, frozenset(EventKind))

    async def listen() -> None:
        far = hub.admit(wish, "192.0.2.1")
        with pytest.raises(TooManyListeners):
            hub.admit(wish, "192.0.2.1")
        near = [hub.admit(wish, None) for _ in range(2)]
        with pytest.raises(TooManyListeners):
            hub.admit(wish, "192.0.2.2")
        hub.release(far)
        hub.release(near[0])
        hub.admit(wish, "192.0.2.1")

    asyncio.run(listen())


def test_listeners_with_the_same_wish_share_one_text() -> None:
    """The text of a batch is made once for each selection, with the id on its last event alone."""
    events = [Event(EventKind.PRICE, coin, b"event: preco\ndata: 1\n") for coin in ("bitcoin", "solana")]
    batch = EventBatch(events, "7.1.abcdef")
    wish = Selection(frozenset({"bitcoin"}), frozenset({EventKind.PRICE}))
    assert batch.text(wish) == b"id: 7.1.abcdef\nevent: preco\ndata: 1\n\n"
    assert batch.text(wish) is batch.text(Selection(frozenset({"bitcoin"}), frozenset({EventKind.PRICE})))
    assert batch.text(Selection(None, frozenset(EventKind))).count(b"id: ") == 1
    assert Place.parse("7.1.abcdef") is not None


def test_events_about_no_coin_have_one_text_whatever_coins_are_wanted() -> None:
    """The state of the suite may stay for weeks, and must not remember the coins of each listener that came."""
    batch = EventBatch([Event(EventKind.STATUS, None, b"event: status\ndata: 1\n")], None)
    kinds = frozenset({EventKind.STATUS, EventKind.PRICE})
    texts = [batch.text(Selection(frozenset({f"coin-{number}"}), kinds)) for number in range(100)]
    assert {id(text) for text in texts} == {id(texts[0])}
