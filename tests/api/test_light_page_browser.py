"""The light page in a real Chromium, against the API's own server and real files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from core.price_store import Coin, open_writer
from core.settings import PROJECT
from tests.support.ports import reserve_port
from tests.support.served_api import served_api
from tests.support.workspace import MORE_COINS, SampleWorkspace

AXE = PROJECT / "tests" / "dashboard" / "vendored" / "axe-core-4.14.1.min.js"
CHART = ".chart .main-svg"
TOKEN = "0123456789abcdef"
SHIFT = """(() => {
  const seen = new PerformanceObserver(() => {});
  seen.observe({ type: "layout-shift", buffered: true });
  return seen.takeRecords().reduce((sum, { value }) => sum + value, 0);
})()"""
GOOD_SHIFT = 0.1
OTHER_LANGUAGE = {"pt": r"SIMULATED|Price|hours|cases", "en": r"SIMULADOS|Preço|horas|vezes|preço"}

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleWorkspace]:
    """A workspace of a running suite on which the tests publish."""
    made = SampleWorkspace.make(tmp_path_factory.mktemp("light"), MORE_COINS)
    made.now -= 600_000
    made.run()
    made.tick()
    made.publish_forecasts()
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(world: SampleWorkspace) -> Iterator[str]:
    """Address of the API over it."""
    with served_api(world.settings) as address:
        yield address


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page; an error in its console or a request elsewhere fails the test, but for those of `expected`."""
    complaints: list[str] = []

    def open_(address: str, *, width: int = 390, height: int = 844, expected: str = "$^", **options: Any) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            timezone_id="America/Sao_Paulo",
            **{"locale": "pt-BR", **options},
        )
        page = context.new_page()

        def complain(text: str) -> None:
            if not re.search(expected, text):
                complaints.append(text)

        page.on("console", lambda message: complain(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complain(str(error)))
        own = address.partition("?")[0]
        page.on("request", lambda asked: None if asked.url.startswith((own, "blob:", "data:")) else complain(asked.url))
        page.goto(address)
        return page

    yield open_
    for context in browser.contexts:
        context.close()
    assert complaints == []


def publish(world: SampleWorkspace, page: Page, **moves: float) -> None:
    """Publish new prices and forecasts, and wait until the page shows them."""
    before = page.locator("#price").inner_text()
    world.tick(**{"bitcoin": 1.001, **moves})
    world.publish_forecasts()
    expect(page.locator("#price")).not_to_have_text(before)


@pytest.mark.parametrize(("language", "theme", "width"), [("pt", "light", 390), ("en", "dark", 1440)])
def test_the_page_is_whole(url: str, visit: Callable[..., Page], language: str, theme: str, width: int) -> None:
    """Both languages and themes, on phone and desk: chart, list, source, nothing jumps or scrolls aside, no barrier."""
    page = visit(f"{url}/", width=width, color_scheme=theme, locale={"pt": "pt-BR", "en": "en-US"}[language])
    expect(page.locator(CHART).first).to_be_visible()
    expect(page.locator("#outlook")).to_contain_text({"pt": "deve estar entre", "en": "should be between"}[language])
    expect(page.locator("#trust")).to_contain_text("80%")
    expect(page.locator(".market tbody tr")).to_have_count(len(MORE_COINS))
    expect(page.locator(".market .mark")).to_have_count(len(MORE_COINS))
    notice = page.locator('[data-notice="simulated"]')
    expect(notice).to_contain_text({"pt": "DADOS SIMULADOS", "en": "SIMULATED DATA"}[language])
    assert page.locator(".chart").bounding_box()["y"] < 0.8 * 844  # type: ignore[index]  # it is visible
    text = page.locator("body").inner_text()
    assert not re.search(rf"{OTHER_LANGUAGE[language]}|undefined|null|NaN", text), text
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(SHIFT) < GOOD_SHIFT
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)")
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in serious] == []


def test_publications_leave_the_reader_alone(world: SampleWorkspace, url: str, visit: Callable[..., Page]) -> None:
    """Three publications are shown without a reload; zoom, node and the search survive them."""
    page = visit(f"{url}/?moeda=btc", width=1440, height=900)
    expect(page.locator(CHART).first).to_be_visible()
    page.locator("#search").fill("bit")
    expect(page.locator(".market tbody tr")).to_have_count(1)
    box = page.locator(".chart .nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 90, steps=5)
    page.mouse.up()
    expect(page.locator(".chart[data-zoomed=true]")).to_be_visible()
    plot = page.locator(".chart-plot").element_handle()
    zoomed = plot.evaluate("(plot) => plot.layout.xaxis.range")
    for _ in range(3):
        drawn = int(page.locator(".chart").get_attribute("data-drawn") or 0)
        publish(world, page)
        expect(page.locator(".market td.preco")).to_have_text(page.locator("#price").inner_text())
        expect(page.locator(".chart")).not_to_have_attribute("data-drawn", str(drawn))
        assert plot.evaluate("(plot) => plot.layout.xaxis.range") == zoomed
        assert plot.evaluate("(plot) => plot.isConnected")
    last = plot.evaluate("(plot) => plot.data.find((trace) => trace.legendrank === 1).y.at(-1)")
    assert last == pytest.approx(world.prices["bitcoin"])


def test_a_row_opens_its_coin(url: str, visit: Callable[..., Page]) -> None:
    """A click shows another coin and names it in the address; going back shows the first; a symbol names a coin too."""
    page = visit(f"{url}/?moeda=btc&janela=24h")
    expect(page.locator("#coin-name")).to_have_text("Bitcoin (BTC)")
    page.locator(".market tbody tr", has_text="SHIB").click()
    expect(page.locator("#coin-name")).to_have_text("Shiba Inu (SHIB)")
    expect(page).to_have_url(re.compile("moeda=shiba-inu"))
    expect(page.locator('#windows [aria-pressed="true"]')).to_have_text("24\u00a0h")
    page.go_back()
    expect(page.locator("#coin-name")).to_have_text("Bitcoin (BTC)")
    page.get_by_role("link", name="EN", exact=True).click()
    expect(page.locator("#outlook")).to_contain_text("should be between")
    expect(page).to_have_url(re.compile("moeda=btc.*idioma=en"))


def test_an_unknown_coin_or_window_is_said_and_the_nearest_offered(url: str, visit: Callable[..., Page]) -> None:
    """No other coin is shown in its place; a click on the nearest one shows that."""
    page = visit(f"{url}/?moeda=bitconi&janela=3h", expected="404")
    expect(page.locator('[data-notice="window"]')).to_have_text("A janela “3h” não existe; vale 6\u00a0h.")
    notice = page.locator('[data-notice="unknown"]')
    expect(notice).to_contain_text("Não acompanhamos “bitconi”.")
    expect(page.locator("#coin")).to_be_hidden()
    notice.get_by_role("link", name="bitcoin").click()
    expect(page.locator("#coin-name")).to_have_text("Bitcoin (BTC)")


def test_a_coin_without_a_price_says_so_and_shows_no_other(tmp_path: Path, visit: Callable[..., Page]) -> None:
    """Its row has dashes, and its page its own name and that its forecast is to come, not what was shown before."""
    world = SampleWorkspace.make(tmp_path)
    world.fill()
    with open_writer(world.workspace.database) as writer:
        writer.update_coins([Coin("new", "new", "New Coin", 30, 1)])
        writer.track([*world.prices, "new"])
    with served_api(world.settings) as address:
        page = visit(f"{address}/?moeda=btc")
        row = page.locator(".market tbody tr", has_text="NEW")
        expect(row.locator("td.idade")).to_have_text("—")
        row.click()
        expect(page.locator("#coin-name")).to_have_text("New Coin (NEW)")
        expect(page.locator("#outlook")).to_have_text("A primeira previsão desta moeda está a caminho.")
        for part in ("#price", "#age", "#chart"):
            expect(page.locator(part)).to_be_hidden()
        page.context.close()


def test_a_coin_that_has_left_is_said_to_be_unknown(tmp_path: Path, visit: Callable[..., Page]) -> None:
    """A row that is still listed may lead to a coin that is followed no more: the page says so and does not wait."""
    world = SampleWorkspace.make(tmp_path)
    world.fill()
    with served_api(world.settings) as address:
        page = visit(f"{address}/?moeda=btc", expected="404")
        expect(page.locator("#coin-name")).to_have_text("Bitcoin (BTC)")
        with open_writer(world.workspace.database) as writer:
            writer.track(["bitcoin", "ethereum"])
        page.locator(".market tbody tr", has_text="DOGE").click()
        expect(page.locator('[data-notice="unknown"]')).to_contain_text("Não acompanhamos “dogecoin”.")
        expect(page.locator('[data-notice="news"]')).to_have_count(0)
        expect(page.locator("#coin")).to_be_hidden()
        page.context.close()


def test_a_window_chosen_by_keyboard_keeps_the_focus(url: str, visit: Callable[..., Page]) -> None:
    """The button stays where it is, so that the next key goes on from there."""
    page = visit(f"{url}/?moeda=btc")
    button = page.locator("#windows").get_by_role("button", name="24\u00a0h")
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(button).to_be_focused()


def test_a_silent_stream_ends_the_claims(world: SampleWorkspace, browser: Browser) -> None:
    """When the API is gone the page says for how long, later that its forecast may not hold, then that it does not."""
    port = reserve_port()
    page = browser.new_page(locale="pt-BR")
    page.clock.install()
    with served_api(world.settings, port) as address:
        page.goto(address)
        expect(page.locator("#contact")).to_have_text("atualizando")
        expect(page.locator("#outlook")).to_contain_text("deve estar entre")
    expect(page.locator("#contact")).to_contain_text("sem contato há")
    before = page.locator("#contact").inner_text()
    page.clock.fast_forward("01:40")
    expect(page.locator("#contact")).not_to_have_text(before)
    expect(page.locator("#outlook")).to_contain_text("Sem contato com a API há 1")
    expect(page.locator(".market .mark")).to_have_count(0)
    page.clock.fast_forward("20:00")
    expect(page.locator("#outlook")).to_contain_text("Sem previsão válida agora")
    expect(page.locator('#coin[data-withdrawn="true"]')).to_be_visible()
    page.close()


def test_a_token_is_asked_for_and_never_in_an_address(world: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """A wrong token is refused; with the right one everything comes, the stream too; it lasts as long as the tab."""
    settings = world.settings.model_copy(update={"api_token": SecretStr(TOKEN)})
    with served_api(settings) as address:
        page = visit(f"{address}/", expected="401")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_label("Token de acesso").fill("errado")
        page.get_by_role("button", name="Entrar").click()
        expect(page.get_by_text("Token errado.")).to_be_visible()
        page.get_by_label("Token de acesso").fill(TOKEN)
        page.get_by_role("button", name="Entrar").click()
        expect(page.locator(CHART).first).to_be_visible()
        expect(page.locator("#contact")).to_have_text("atualizando")
        page.reload()
        expect(page.locator("#contact")).to_have_text("atualizando")
        assert [url for url in (*asked, page.url) if TOKEN in url] == []
        assert page.evaluate("Object.values(localStorage).join()").find(TOKEN) == -1
        page.context.close()


def test_a_reader_without_a_place_in_the_stream_asks(world: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """Where the API allows no further listener, the page asks for the forecast instead."""
    with served_api(world.settings.model_copy(update={"event_listeners": 0})) as address:
        page = visit(address, expected="503")
        expect(page.locator("#outlook")).to_contain_text("deve estar entre")
        page.context.close()


def test_the_first_reader_sees_data_arrive(tmp_path: Path, visit: Callable[..., Page]) -> None:
    """A page opened before there are data says so, and shows them when they come, without a reload."""
    empty = SampleWorkspace.make(tmp_path)
    with served_api(empty.settings) as address:
        page = visit(address, expected="503")
        expect(page.locator('[data-notice="news"]')).to_contain_text("Preparando os dados")
        empty.fill_prices()
        expect(page.locator("#outlook")).to_have_text("A primeira previsão desta moeda está a caminho.")
        empty.publish_forecasts()
        expect(page.locator("#outlook")).to_contain_text("deve estar entre")
        page.context.close()


def test_a_frame_of_a_named_site_shows_the_page(
    world: SampleWorkspace, serve: Callable[..., str], visit: Callable[..., Page]
) -> None:
    """Another site that the settings name frames the page, also where the browser lets frames store nothing."""
    framed: list[str] = []

    async def html(_: Request) -> HTMLResponse:
        return HTMLResponse(f'<iframe width="600" height="420" src="{framed[0]}/?modo=tela&moeda=ethereum"></iframe>')

    site = serve(application=Starlette(routes=[Route("/", html)])).replace("127.0.0.1", "localhost")
    with served_api(world.settings.model_copy(update={"embed_origins": (site,)})) as address:
        framed.append(address)
        page = visit(f"{site}/", expected="404|127.0.0.1")
        expect(page.frame_locator("iframe").locator("#outlook")).to_contain_text("deve estar entre")
        page.context.close()


def test_a_wall_shows_one_coin_alone(url: str, visit: Callable[..., Page]) -> None:
    """`?modo=tela` leaves out list, language and choices, fits its window, and keeps the source of the prices."""
    page = visit(f"{url}/?modo=tela&moeda=ethereum", width=800, height=450)
    expect(page.locator("#coin-name")).to_have_text("Ethereum (ETH)")
    expect(page.locator(CHART).first).to_be_visible()
    expect(page.locator('[data-notice="simulated"]')).to_be_visible()
    for part in ("#market", "nav", "#windows", ".chart-bar"):
        expect(page.locator(part)).to_be_hidden()
    expect(page.locator("html")).to_have_js_property("scrollHeight", 450)
    last, unit = (
        page.locator(".chart-legend button").last.bounding_box(),
        page.locator(".annotation").first.bounding_box(),
    )
    assert last
    assert unit
    assert last["y"] + last["height"] <= unit["y"] + 1
