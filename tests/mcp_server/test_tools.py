"""The server for assistants, asked by the SDK's own client: over stdio, over HTTP, and within this process."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import httpx2
import pytest
import uvicorn
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from core.forecast_schema import HORIZONS_MIN
from core.reading.answers import outlook
from core.reading.readers import Readers
from core.reading.trust import trust_by_coin
from core.settings import PROJECT, Source
from core.times import MINUTE_MS
from mcp_server.server import build_server, http_application
from tests.support.served_api import running
from tests.support.workspace import SampleWorkspace

TOKEN: Final = "a-token-nobody-guesses"
TOOLS: Final = {"coins", "forecast", "probability", "accuracy", "history"}
Ask = Callable[[Client], Awaitable[None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> SampleWorkspace:
    """A filled workspace of simulated prices."""
    made = SampleWorkspace.make(tmp_path_factory.mktemp("filled"))
    made.fill()
    return made


@pytest.fixture(scope="module")
def readers(folder: SampleWorkspace) -> Iterator[Readers]:
    """What the server reads."""
    opened = Readers(folder.settings)
    yield opened
    opened.close()


def asked(server: Any, name: str, **arguments: Any) -> dict[str, Any]:
    """The typed answer of a tool, asked within this process."""

    async def ask() -> dict[str, Any]:
        async with Client(server) as client:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result.content
            return dict(result.structured_content or {})

    return anyio.run(ask)


def refused(server: Any, name: str, **arguments: Any) -> str:
    """The sentence with which a tool refuses."""

    async def ask() -> str:
        async with Client(server) as client:
            result = await client.call_tool(name, arguments)
            assert result.is_error
            (content,) = result.content
            assert isinstance(content, TextContent)
            return content.text

    return anyio.run(ask)


def test_the_five_tools_are_typed_and_read_only(readers: Readers) -> None:
    """Each has a description, a schema of its arguments and one of its answer, and says that it changes nothing."""

    async def look() -> None:
        async with Client(build_server(readers)) as client:
            found = (await client.list_tools()).tools
            assert {tool.name for tool in found} == TOOLS
            for tool in found:
                assert tool.description
                assert tool.annotations is not None
                assert tool.annotations.read_only_hint
                assert tool.output_schema is not None
                assert {"source", "is_live", "notice"} <= set(tool.output_schema["properties"])

    anyio.run(look)


def test_a_forecast_agrees_with_what_is_published(readers: Readers) -> None:
    """Price, intervals, regime and trust are those of the readers; simulated prices are named as such."""
    for horizon in (HORIZONS_MIN[0], HORIZONS_MIN[-1]):
        answer = asked(build_server(readers), "forecast", coin="BTC", horizon_minutes=horizon)
        view = readers.forecast("bitcoin")
        step = view.step(horizon)
        assert (answer["coin"], answer["price"], answer["horizon_minutes"]) == ("bitcoin", view.price_origin, horizon)
        assert answer["intervals"]["80"] == {"low": step.quantiles["q10"], "high": step.quantiles["q90"]}
        regime, trust = outlook(readers, "bitcoin", horizon).regime, trust_by_coin(readers, horizon)["bitcoin"]
        assert answer["regime"] == (None if regime is None else regime.value)
        assert answer["is_current"]
        assert (answer["source"], answer["is_live"]) == ("demo", False)
        assert "simulated" in answer["notice"]
        assert answer["trust"]["scored_forecasts"] == trust.forecasts > 0
        assert (answer["trust"]["coverage_80"], answer["trust"]["skill"]) == (trust.coverage_80, trust.skill)


def test_coins_probability_accuracy_and_history(readers: Readers) -> None:
    """The other tools answer with what API and dashboard show."""
    server = build_server(readers)
    coins = asked(server, "coins", search="ETH")
    assert [row["id"] for row in coins["coins"]] == ["ethereum"]
    assert asked(server, "coins", limit=1)["total"] == len(readers.coins())
    price = readers.forecast("bitcoin").price_origin
    chance = asked(server, "probability", coin="btc", level=price * 1.001)
    assert chance["ends_above"] + chance["ends_below"] == pytest.approx(1, abs=1e-9)
    assert chance["touches"] >= chance["ends_above"]
    overall, live = asked(server, "accuracy"), readers.metrics().live
    assert live is not None
    assert overall["live"]["skill"] == live.overall.skill
    assert asked(server, "accuracy", coin="doge")["coin"] == "dogecoin"
    history = asked(server, "history", coin="btc", interval="5m", limit=3)
    assert len(history["candles"]) == 3
    assert all(row["low"] <= row["close"] <= row["high"] for row in history["candles"])


@pytest.mark.parametrize(("age_min", "is_current"), [(1, True), (8, False)])
def test_an_answer_from_an_old_forecast_says_so(tmp_path: Path, age_min: int, is_current: bool) -> None:
    """Forecast and probability alike tell whether the price that they start from still counts as current."""
    old = SampleWorkspace.make(tmp_path)
    old.now -= age_min * MINUTE_MS
    old.fill()
    opened = Readers(old.settings)
    server = build_server(opened)
    answers = [asked(server, "forecast", coin="btc"), asked(server, "probability", coin="btc", level=70_000)]
    opened.close()
    assert [answer["is_current"] for answer in answers] == [is_current, is_current]


def test_live_prices_carry_no_notice(tmp_path: Path) -> None:
    """Prices from CoinGecko are said to be live."""
    live = SampleWorkspace.make(tmp_path, source=Source.COINGECKO)
    live.fill_prices(hours=1)
    opened = Readers(live.settings)
    answer = asked(build_server(opened), "coins")
    opened.close()
    assert (answer["source"], answer["is_live"], answer["notice"]) == ("coingecko", True, None)


def test_refusals_are_sentences(folder: SampleWorkspace, readers: Readers, tmp_path: Path) -> None:
    """An unknown coin, a wrong argument and an empty folder are said so that an assistant can act on them."""
    server = build_server(readers)
    assert "bitcoin" in refused(server, "forecast", coin="bitcon")
    assert "horizon_minutes" in refused(server, "forecast", coin="btc", horizon_minutes=7)
    assert "level" in refused(server, "probability", coin="btc", level=-1)
    empty = Readers(folder.settings.model_copy(update={"data_dir": tmp_path, "source": Source.AUTO}))
    assert len(refused(build_server(empty), "coins")) > 20
    empty.close()


async def _look_around(client: Client) -> None:
    """What every transport must carry: the list, an answer, a refusal."""
    assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
    answer = await client.call_tool("forecast", {"coin": "bitcoin"})
    assert answer.structured_content is not None
    assert answer.structured_content["source"] == "demo"
    assert (await client.call_tool("forecast", {"coin": "nothing"})).is_error


def configured(page: str) -> dict[str, Any]:
    """The server that a page of the documentation tells an assistant to start."""
    text = (PROJECT / "docs" / page).read_text(encoding="utf-8")
    block = next(block for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if "mcpServers" in block)
    (found,) = json.loads(block)["mcpServers"].values()
    return dict(found)


def test_over_stdio_as_the_page_configures_it(folder: SampleWorkspace, tmp_path: Path) -> None:
    """The command of docs/integracoes.md, started from any folder, speaks the protocol alone on standard output."""
    table = configured("integracoes.md")
    assert table == configured("integrations.en.md")
    assert table["command"].endswith("/.venv/bin/python")
    place = {"PYTHONPATH": table["env"]["PYTHONPATH"].replace("/caminho/do/projeto", str(PROJECT))}
    data = {"CRYPTO_DATA_DIR": str(folder.settings.data_dir), "CRYPTO_LOG_LEVEL": "DEBUG", "CRYPTO_SOURCE": "auto"}

    async def ask() -> None:
        variables = {**os.environ, **place, **data}
        command = StdioServerParameters(command=sys.executable, args=table["args"], cwd=tmp_path, env=variables)
        async with Client(command) as client:
            await _look_around(client)

    anyio.run(ask)


@asynccontextmanager
async def _http_client(address: str, **headers: str) -> AsyncIterator[Client]:
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(httpx2.AsyncClient(headers=headers))
        transport = streamable_http_client(f"{address}/mcp", http_client=web)
        yield await stack.enter_async_context(Client(transport))


@pytest.fixture(scope="module")
def guarded(folder: SampleWorkspace, readers: Readers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server that wants a token, which stands in a file."""
    file = tmp_path_factory.mktemp("tokens") / "tokens"
    file.write_text(f"an-older-token\n{TOKEN}\n", encoding="utf-8")
    settings = folder.settings.model_copy(update={"api_token_file": file})
    application = http_application(build_server(readers), settings)
    with running(uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", ws="none"))) as address:
        yield address


def test_over_http_with_the_token(guarded: str) -> None:
    """The streamable transport answers who carries the token."""

    async def ask() -> None:
        async with _http_client(guarded, authorization=f"Bearer {TOKEN}") as client:
            await _look_around(client)

    anyio.run(ask)


def test_over_http_without_a_token_where_none_is_set(folder: SampleWorkspace, readers: Readers) -> None:
    """On loopback, as the API, it needs none."""
    application = http_application(build_server(readers), folder.settings)
    with running(uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", ws="none"))) as address:

        async def ask() -> None:
            async with _http_client(address) as client:
                await _look_around(client)

        anyio.run(ask)


def test_strangers_are_refused(guarded: str) -> None:
    """Without the token, by a foreign name (DNS rebinding) or from a page of another origin nothing is answered."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    good = {"authorization": f"Bearer {TOKEN}", "accept": "application/json, text/event-stream"}
    with httpx2.Client() as web:
        assert web.post(f"{guarded}/mcp", json=body).status_code == 401
        assert web.post(f"{guarded}/mcp", json=body, headers=good | {"host": "evil.example"}).status_code == 421
        assert (
            web.post(f"{guarded}/mcp", json=body, headers=good | {"origin": "https://evil.example"}).status_code == 403
        )
        codes = {web.post(f"{guarded}/mcp", json=body).status_code for _ in range(15)}
        assert codes == {401, 429}
        assert web.post(f"{guarded}/mcp", json=body, headers=good).status_code != 401


def test_a_host_is_known_in_any_case_and_as_an_address_of_ipv6(folder: SampleWorkspace, readers: Readers) -> None:
    """As the API does: IPv6 in brackets, names in upper or lower case; others are refused."""
    names = {"host": "fd00::5", "allowed_hosts": ("Painel.example",)}
    application = http_application(build_server(readers), folder.settings.model_copy(update=names))
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"accept": "application/json, text/event-stream"}
    with (
        running(uvicorn.Server(uvicorn.Config(application, port=0, log_level="error", ws="none"))) as address,
        httpx2.Client(headers=accept) as web,
    ):

        def is_known(host: str) -> bool:
            return web.post(f"{address}/mcp", json=body, headers={"host": host}).status_code != 421

        for known in ("[fd00::5]:8765", "[FD00::5]", "LOCALHOST", "[::1]:1", "painel.EXAMPLE:443"):
            assert is_known(known), known
        for foreign in ("[fd00::6]:8765", "fd00::5:1", "evil.example", "localhost.evil.example"):
            assert not is_known(foreign), foreign
