"""ETags: a client that has the current version of the data gets 304 without a body."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from core.price_store import Coin, Price, open_writer
from core.settings import Source
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, iso
from tests.support.workspace import SampleWorkspace

ClientFactory = Callable[..., TestClient]
ADDRESSES = (
    "/moedas",
    "/prever/btc",
    "/probabilidade/btc?nivel=68000",
    "/risco?carteira=btc:1,eth:2",
    "/previsoes/btc",
    "/historico/btc?formato=csv",
    "/metricas",
    "/metricas/btc",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_unchanged_answer_is_not_sent_again(client: TestClient, address: str) -> None:
    """A current tag gets 304 without a body; any other tag gets the whole answer."""
    first = client.get(address)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"
    for known in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
        answer = client.get(address, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert (answer.headers["etag"], answer.headers["x-fonte"]) == (tag, "demo")
    for unknown in ('"x"', "", 'W/"', "W/*"):
        answer = client.get(address, headers={"If-None-Match": unknown})
        assert (answer.status_code, answer.content) == (200, first.content)


@pytest.mark.parametrize(
    ("address", "by_prices", "by_publication"),
    [
        ("/moedas", True, False),
        ("/historico/btc", True, False),
        ("/previsoes/btc", False, False),
        ("/prever/btc", False, True),
        ("/probabilidade/btc?nivel=68000", False, True),
        ("/risco?carteira=btc:1", False, True),
        ("/metricas", False, False),
    ],
)
def test_a_tag_changes_with_the_body_alone(
    sample: SampleWorkspace, make_client: ClientFactory, address: str, by_prices: bool, by_publication: bool
) -> None:
    """A new price or publication changes the tag of an answer exactly where it changes its body."""
    sample.fill()
    client = make_client(sample.settings)
    first = client.get(address)
    with open_writer(sample.workspace.database) as writer:
        writer.store([Price("bitcoin", sample.now + 1000, 5.0)])
    priced = client.get(address)
    assert (priced.headers["etag"] != first.headers["etag"]) is (priced.content != first.content) is by_prices
    sample.publish_forecasts(sample.now + 1000)
    published = client.get(address)
    changed = published.content != priced.content
    assert (published.headers["etag"] != priced.headers["etag"]) is changed is by_publication


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_restart_changes_no_tag(filled: SampleWorkspace, make_client: ClientFactory, address: str) -> None:
    """Two processes give the same tag to the same answer."""
    before, after = (make_client(filled.settings).get(address).headers["etag"] for _ in range(2))
    assert before == after


def test_a_range_that_has_closed_stays_as_it_is(tmp_path: Path, make_client: ClientFactory) -> None:
    """A range up to more than a day ago is immutable, one up to an hour ago is not; both say the same rows."""
    sample = SampleWorkspace.make(tmp_path, source=Source.COINGECKO)
    sample.fill_prices(hours=30)
    client = make_client(sample.settings)
    newest = client.get("/historico/btc?limite=1")
    old = client.get("/historico/bitcoin", params={"limite": 1, "fim": iso(sample.now - 26 * HOUR_MS)})
    recent = client.get("/historico/bitcoin", params={"limite": 1, "fim": iso(sample.now - HOUR_MS)})
    assert re.fullmatch("max-age=86[34][0-9]{2}, immutable", old.headers["cache-control"])
    assert newest.headers["cache-control"] == recent.headers["cache-control"] == "no-cache"
    assert old.json()[0]["horario"] < recent.json()[0]["horario"] < newest.json()[0]["horario"]


def test_a_symbol_may_pass_to_another_coin(tmp_path: Path, make_client: ClientFactory) -> None:
    """A range asked for by symbol is that of the coin that is larger now; asked for by id it is immutable."""
    coins = Coin("old-pepe", "pepe", "Old Pepe", 100, 1), Coin("new-pepe", "pepe", "New Pepe", 500, 1)
    sample = SampleWorkspace.make(tmp_path, coins, Source.COINGECKO)
    sample.fill_prices(hours=30)
    client = make_client(sample.settings)
    old = {"limite": "1", "fim": iso(sample.now - 26 * HOUR_MS)}
    assert client.get("/historico/pepe", params=old).json()[0]["id"] == "old-pepe"
    with open_writer(sample.workspace.database) as writer:
        writer.update_coins([coins[0]._replace(rank=600), coins[1]._replace(rank=90)])
    answer = client.get("/historico/pepe", params=old)
    assert (answer.json()[0]["id"], answer.headers["cache-control"]) == ("new-pepe", "no-cache")
    assert "immutable" in client.get("/historico/old-pepe", params=old).headers["cache-control"]


def test_a_range_that_will_be_thinned_is_not_immutable(tmp_path: Path, make_client: ClientFactory) -> None:
    """What begins within two days of the end of the retention changes when that comes; later ranges stay."""
    sample = SampleWorkspace.make(tmp_path, source=Source.COINGECKO, retention_days=15)
    sample.fill_prices(hours=16 * 24, step_ms=10 * MINUTE_MS)
    client = make_client(sample.settings)

    def history(start_ms: int) -> Response:
        span = {"inicio": start_ms, "fim": start_ms + HOUR_MS}
        return client.get("/historico/bitcoin", params={**span, "campos": "todos"})

    old_ms = sample.now - 14 * DAY_MS
    whole = history(old_ms)
    with open_writer(sample.workspace.database) as writer:
        writer.thin("bitcoin", old_ms, old_ms + HOUR_MS + 1, HOUR_MS)
    assert len(history(old_ms).json()) < len(whole.json())
    assert whole.headers["cache-control"] == "no-cache"
    assert "immutable" in history(sample.now - 12 * DAY_MS).headers["cache-control"]


def test_prices_that_are_not_live_are_never_kept_unasked(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """After a restart the address of a simulated range may be one of live prices, so clients must ask each time."""
    sample.fill_prices(hours=30)
    old = make_client(sample.settings).get("/historico/bitcoin", params={"fim": iso(sample.now - 26 * HOUR_MS)})
    assert (old.headers["cache-control"], old.headers["x-fonte"]) == ("no-cache", "demo")


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("/previsoes/btc?limite=1", {"preco_real": 68000.0}),
        ("/historico/btc?intervalo=1h&limite=1", {"fechado": True}),
    ],
)
def test_an_old_range_changes_until_a_later_price_comes(
    sample: SampleWorkspace, make_client: ClientFactory, address: str, known: dict[str, object]
) -> None:
    """After an outage of two days, outcomes and closed intervals of its beginning become known with the next price."""
    present, sample.now = sample.now, sample.now - 48 * HOUR_MS
    sample.fill_prices(hours=3)
    sample.publish_log()
    last = Price("bitcoin", sample.now + HOUR_MS - 1000, 68000.0)
    client = make_client(sample.settings)
    for newest, is_known in ((last, False), (Price("bitcoin", present, 67000.0), True)):
        with open_writer(sample.workspace.database) as writer:
            writer.store([newest])
        row = client.get(f"{address}&fim={sample.now + HOUR_MS}").json()[0]
        assert (known.items() <= row.items()) is is_known


def test_a_refusal_is_never_cached(client: TestClient) -> None:
    """Answers to unknown coins and bad parameters have no tag and must not be stored."""
    for address in ("/prever/nada", "/historico/btc?limite=0", "/risco?carteira=nada:1"):
        answer = client.get(address, headers={"If-None-Match": "*"})
        assert answer.status_code in (404, 422)
        assert "etag" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


def test_a_tag_from_before_a_restart_does_not_match(sample: SampleWorkspace, make_client: ClientFactory) -> None:
    """After a restart commits are counted from zero; an old tag must not match by chance."""
    sample.fill()
    tag = make_client(sample.settings).get("/moedas").headers["etag"]
    with open_writer(sample.workspace.database) as writer:
        writer.store([Price("bitcoin", sample.now + 1000, 5.0)])
    answer = make_client(sample.settings).get("/moedas", headers={"If-None-Match": tag})
    assert answer.status_code == 200
    assert answer.json()[0]["atualizado_em"] == iso(sample.now + 1000)


def test_status_is_never_cached(client: TestClient) -> None:
    """Its ages change without new data, so it has no 304."""
    answer = client.get("/status", headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
