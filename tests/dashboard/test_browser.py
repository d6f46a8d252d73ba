"""The dashboard in a real Chromium, against the real server and real files."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from core.settings import load_settings
from dashboard.i18n.texts import catalogue
from dashboard.views import VIEWS
from tests.dashboard.conftest import Server
from tests.support.workspace import MORE_COINS, SampleWorkspace

CHART = ".js-plotly-plot .main-svg"
TIMEOUT_MS = 60_000
LOOKS = 5
"""A page is judged again so often: what still fades in has little contrast."""

AXE = Path(__file__).with_name("vendored") / "axe-core-4.14.1.min.js"
VIEW_NAMES = [catalogue("pt")[f"tabs.{name}"] for name in VIEWS]
CHOICES = "[plot.layout.xaxis.range, plot.data.map((trace) => trace.visible ?? true)]"
WATCH_FOR_EMPTY_FRAMES = """() => {
    window.watched = document.querySelector('.chart-plot');
    window.emptyFrames = 0;
    const look = () => {
        if (!window.watched.querySelector('.scatterlayer .trace')) window.emptyFrames++;
        requestAnimationFrame(look);
    };
    look();
}"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleWorkspace]:
    """The workspace of a running suite, which all tests of this file share."""
    workspace = SampleWorkspace.make(tmp_path_factory.mktemp("market"), MORE_COINS).run()
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def url(market: SampleWorkspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the dashboard over it."""
    server = Server(market.settings, tmp_path_factory.mktemp("server"))
    yield server.url
    server.close()


@pytest.fixture
def shared(market: SampleWorkspace) -> SampleWorkspace:
    """The shared workspace with prices and forecasts of now."""
    market.tick()
    market.publish_forecasts()
    return market


@pytest.fixture
def visit(browser: Browser, shared: SampleWorkspace, url: str) -> Iterator[Callable[..., Page]]:
    """Opens the dashboard as a browser in Brazil; an error in its console or a request elsewhere fails the test."""
    complaints: list[str] = []

    def open_(address: str = "", *, width: int = 1400, height: int = 1000, theme: Any = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            locale="pt-BR",
            timezone_id="America/Sao_Paulo",
        )
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.extend(foreign(request.url, url)))
        page.goto(f"{url}/{address}")
        return page

    expect.set_options(timeout=TIMEOUT_MS)
    yield open_
    for context in browser.contexts:
        context.close()
    assert complaints == []


def foreign(address: str, url: str) -> list[str]:
    """The address, if it does not belong to the server at `url`."""
    return [] if address.startswith((url, "data:", "blob:")) else [f"asked for {address}"]


def price_now(page: Page) -> str:
    """The price on the first card."""
    return page.get_by_test_id("stMetricValue").first.inner_text()


def thousands(price: float) -> str:
    """The first digits of a price of some thousands, as the page shows it."""
    return f"{price // 100 / 10:.1f}"


def until(page: Page, expression: str, argument: Any = None) -> None:
    """Wait until a JavaScript expression, or a function of the argument, is true; the page itself may run no text."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(50)


def publish(workspace: SampleWorkspace, page: Page) -> None:
    """Publish new prices and forecasts, and wait until the page shows them."""
    before = price_now(page)
    workspace.tick(ethereum=1.01)
    workspace.publish_forecasts()
    expect(page.get_by_test_id("stMetricValue").first).not_to_have_text(before)


SMUGGLED = """() => {
    window.refused = [];
    addEventListener('securitypolicyviolation', (event) => window.refused.push(event.effectiveDirective));
    const add = (name, made) => document.body.append(Object.assign(document.createElement(name), made));
    add('script', {textContent: 'window.ran = true'});
    add('div', {innerHTML: '<img src="x" onerror="window.ran = true"><object data="/x"></object>'});
    setTimeout("window.ran = true");  // evaluates text, and later than here, where the test itself may
    return fetch('https://elsewhere.example').catch(() => document.baseURI);
}"""
REFUSED = ["script-src", "script-src-attr", "script-src-elem", "object-src", "connect-src"]


def test_what_is_smuggled_into_a_page_neither_runs_nor_leaves(browser: Browser, url: str) -> None:
    """A script, a handler in an element, a text that is run, an object, and an answer sent to another site."""
    page = browser.new_page()
    page.goto(url)
    page.locator("[data-notice=simulated]").wait_for()
    page.evaluate(SMUGGLED)
    until(page, "(count) => new Set(window.refused).size === count", len(REFUSED))
    assert (sorted({*page.evaluate("window.refused")}), page.evaluate("window.ran")) == (sorted(REFUSED), None)
    page.close()


def test_the_chosen_coin_survives_refreshes(shared: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """A chosen coin and its chart are still there after two publications and two reloads."""
    page = visit("?pagina=moeda")
    expect(page.locator(CHART).first).to_be_visible()
    expect(page.get_by_test_id("stSidebar")).to_have_count(0)
    expect(page.locator("[data-notice=simulated]")).to_contain_text("DADOS SIMULADOS")
    box = page.locator(".st-key-moeda").get_by_role("combobox")
    box.click()
    box.fill("ether")
    page.get_by_role("option", name="Ethereum (ETH)").click()
    expect(page.get_by_test_id("stMetricValue").first).to_contain_text(thousands(shared.prices["ethereum"]))
    page.locator(".st-key-janela").get_by_text("1 h").click()
    for _ in range(2):
        publish(shared, page)
        expect(box).to_have_value("Ethereum (ETH)")
        expect(page.locator(CHART).first).to_be_visible()
    for _ in range(2):
        page.reload()
        expect(page.locator(CHART).first).to_be_visible()
        expect(box).to_have_value("Ethereum (ETH)")
        expect(page).to_have_url(re.compile("moeda=ethereum.*janela=1h"))


def plot(page: Page, expression: str) -> Any:
    """The value of a JavaScript expression about `plot`, the node of the first chart."""
    return page.evaluate(f"(() => {{ const plot = document.querySelector('.chart-plot'); return {expression}; }})()")


def test_new_data_leave_the_reader_alone(shared: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """Zoom, tooltip, focus and legend survive three publications in the same node, which is never empty."""
    page = visit("?pagina=moeda&moeda=ethereum")
    expect(page.locator(CHART).first).to_be_visible()
    page.evaluate(WATCH_FOR_EMPTY_FRAMES)
    box = page.locator(".chart .nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 90, steps=5)
    page.mouse.up()
    expect(page.locator(".chart[data-zoomed=true]")).to_be_visible()
    page.locator(".chart-legend button").nth(2).click()
    until(page, "document.querySelector('.chart-plot').data.some((trace) => trace.visible === 'legendonly')")
    page.locator(".chart-plot").focus()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 150)
    expect(page.locator(".chart .hoverlayer .legend")).to_be_visible()
    chosen = plot(page, CHOICES)
    for _ in range(3):
        drawn = int(page.locator(".chart").get_attribute("data-drawn") or 0)
        publish(shared, page)
        until(page, f"document.querySelector('.chart').dataset.drawn > {drawn}")
        expect(page.locator(".chart .hoverlayer .legend")).to_be_visible()
        assert plot(page, CHOICES) == chosen
    assert plot(page, "[plot === window.watched, window.emptyFrames, document.activeElement === plot]") == [
        True,
        0,
        True,
    ]
    page.mouse.dblclick(box["x"] + 0.5 * box["width"], box["y"] + 150)
    expect(page.locator(".chart[data-zoomed=false]")).to_be_visible()


def test_the_level_is_moved_on_the_chart(visit: Callable[..., Page]) -> None:
    """Dragging the level's handle, and arrow keys, change the calculator; a zoom fits the axis of prices."""
    page = visit("?pagina=moeda&moeda=bitcoin")
    handle, field = page.locator(".level-handle"), page.locator(".st-key-nivel_bitcoin_pt input")
    expect(handle).to_contain_text(field.input_value())
    above = page.locator(".st-key-calculator").get_by_test_id("stMetricValue").first
    chance, box = above.inner_text(), handle.bounding_box()
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 70, steps=4)
    page.mouse.up()
    expect(above).not_to_have_text(chance)
    expect(page).to_have_url(re.compile("nivel=bitcoin"))
    dragged = field.input_value()
    handle.press("ArrowUp")
    expect(field).not_to_have_value(dragged)
    expect(handle).to_contain_text(field.input_value())
    expect(handle).to_be_focused()
    whole = plot(page, "plot._fullLayout.yaxis.range[1] - plot._fullLayout.yaxis.range[0]")
    page.locator(".chart-plot").focus()
    for key in ("ArrowLeft", "ArrowLeft", "+", "+"):
        page.keyboard.press(key)
    expect(page.locator(".chart[data-zoomed=true]")).to_be_visible()
    seen = "document.querySelector('.chart-plot')._fullLayout.yaxis.range"
    until(page, f"(whole) => {seen}[1] - {seen}[0] < 0.9 * whole", whole)


def test_pausing_stops_the_chart_alone(shared: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """A paused chart says so and keeps its data, while cards and ages go on; resuming shows the newest price."""
    page = visit("?pagina=moeda&moeda=ethereum")
    expect(page.locator(CHART).first).to_be_visible()
    page.get_by_role("button", name="Pausar").click()
    expect(page.locator(".chart-state")).to_contain_text("Pausado há")
    before = plot(page, "JSON.stringify(plot.data)")
    publish(shared, page)
    age = page.get_by_text(re.compile("^Preço de "))
    expect(age).not_to_have_text(age.inner_text())
    assert plot(page, "JSON.stringify(plot.data)") == before
    page.get_by_role("button", name="Retomar").click()
    until(page, "(old) => JSON.stringify(document.querySelector('.chart-plot').data) !== old", before)
    expect(page.locator(".chart-state")).to_be_empty()


def test_a_chart_is_also_a_table_and_a_picture(shared: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """The table ends with the newest values; the picture's name has coin, window, currency, source and day."""
    page = visit("?pagina=moeda&moeda=ethereum")
    expect(page.locator(CHART).first).to_be_visible()
    assert plot(page, "plot.getAttribute('aria-label')").startswith("Gráfico do preço de Ethereum (ETH)")
    page.get_by_role("button", name="Dados").click()
    expect(page.locator(".chart-table caption")).to_contain_text("Ethereum (ETH) em US$")
    expect(page.locator(".chart-table tr").first).to_contain_text("Preço")
    for ending in ("PNG", "SVG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=ending).click()
        name = download.value.suggested_filename
        assert re.fullmatch(rf"ethereum-6h-usd-demo-\d{{4}}-\d\d-\d\d\.{ending.lower()}", name)


def test_the_chart_is_on_the_first_screen(visit: Callable[..., Page]) -> None:
    """The chart begins on the first screen of a phone and a tablet; a laptop shows it whole."""
    page = visit("?pagina=moeda")
    expect(page.locator(CHART).first).to_be_visible()
    for width, height, edge in ((390, 844, "top"), (1024, 768, "top"), (1440, 900, "bottom")):
        page.set_viewport_size({"width": width, "height": height})
        until(
            page,
            "([edge, height]) => document.querySelector('.chart').getBoundingClientRect()[edge] < height",
            [edge, height if edge == "bottom" else 0.8 * height],
        )


def test_an_idle_page_is_sent_little(shared: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """While nothing changes nothing is sent but the ages count; what is published takes less than 15 kB."""
    page = visit("?pagina=moeda")
    expect(page.locator(CHART).first).to_be_visible()
    page.reload()
    received: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
    page.reload()
    expect(page.locator(CHART).first).to_be_visible()
    age = page.locator("time[data-since]").first
    page.wait_for_timeout(3_000)
    received.clear()
    for _ in range(3):
        expect(age).not_to_have_text(age.inner_text())
    assert received == []
    publish(shared, page)
    page.wait_for_timeout(1_500)
    assert 0 < sum(received) < 15_000


def serious_barriers(page: Page) -> list[tuple[str, str]]:
    """What Axe finds serious on the page now: rule and element."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations)")
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical") or rule["id"] == "heading-order"]
    return [(rule["id"], rule["nodes"][0]["html"]) for rule in serious]


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_no_view_has_a_serious_barrier(visit: Callable[..., Page], theme: str) -> None:
    """Axe finds nothing serious on any view, in either theme, and headings in order."""
    page = visit("?pagina=moeda", theme=theme)
    expect(page.locator(CHART).first).to_be_visible()
    page.evaluate(AXE.read_text("utf-8"))
    for name in VIEW_NAMES:
        page.locator(".st-key-pagina").get_by_role("radio", name=name).click()
        expect(page.locator('.st-key-pagina [aria-checked="true"]')).to_contain_text(name)
        expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
        expect(page.locator('[data-stale="true"]')).to_have_count(0)
        for _ in range(LOOKS):
            page.wait_for_timeout(1_000)
            if not (barriers := serious_barriers(page)):
                break
        assert barriers == [], name


def test_a_stopped_collector_is_announced(shared: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """When the collector stops, an alert appears without a reload; when it is back, the alert goes."""
    page = visit("?pagina=moeda")
    expect(page.locator(CHART).first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    shared.stop("collector")
    try:
        expect(page.get_by_role("alert")).to_contain_text("O processo coletor está parado.")
    finally:
        shared.beat_collector()
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_a_phone_never_scrolls_sideways(visit: Callable[..., Page], theme: str) -> None:
    """Every view fits into 390 pixels, in light and dark, with its charts drawn and its tab in sight."""
    page = visit(width=390, height=844, theme=theme)
    for view in ("visao", "moeda", "precisao", "comparacao", "carteira", "alertas", "exportar", "diagnostico"):
        page.goto(f"{page.url.partition('?')[0]}?pagina={view}")
        expect(page.get_by_text("recomendação de investimento")).to_be_visible()
        if view in ("moeda", "precisao", "comparacao"):
            expect(page.locator(CHART).first).to_be_visible()
        main = page.get_by_test_id("stMain")
        widths = main.evaluate("node => [node.scrollWidth, node.clientWidth, document.documentElement.scrollWidth]")
        assert max(widths) <= 390, view
        expect(page.locator(".st-key-pagina").get_by_role("radio", checked=True)).to_be_in_viewport(ratio=0.9)


def test_the_market_sorts_keeps_stars_and_opens_coins(visit: Callable[..., Page]) -> None:
    """A star is kept in the address and in the browser; a header sorts and keeps the focus; a row opens its coin."""
    page = visit()
    rows = page.locator(".market tbody tr")
    expect(rows).to_have_count(5)
    star = page.get_by_role("button", name="Favorita: Dogecoin")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    header = page.locator(".market th.preco button")
    header.click()
    expect(page.locator(".market th.preco")).to_have_attribute("aria-sort", "descending")
    expect(rows.first).to_contain_text("BTC")
    header.click()
    expect(rows.first).to_contain_text("SHIB")
    expect(header).to_be_focused()
    expect(page).to_have_url(re.compile("favoritas=dogecoin.*ordem=preco"))
    again = page.context.new_page()
    again.goto(page.url.partition("?")[0])
    expect(again.get_by_role("button", name="Favorita: Dogecoin")).to_have_attribute("aria-pressed", "true")
    page.close()
    again.locator(".market tbody tr").nth(1).click()
    expect(again.locator(".st-key-moeda").get_by_role("combobox")).to_have_value("Ethereum (ETH)")
    expect(again).to_have_url(re.compile("pagina=moeda.*moeda=ethereum"))


def test_every_view_opens_by_its_button(visit: Callable[..., Page]) -> None:
    """Every view draws without an error message."""
    page = visit("?pagina=moeda")
    for name in (*VIEW_NAMES, catalogue("pt")["tabs.moeda"]):
        page.locator(".st-key-pagina").get_by_role("radio", name=name).click()
        expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
        expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page.locator(CHART).first).to_be_visible()


def test_the_first_visitor_sees_data_arrive(
    make_workspace: Callable[..., SampleWorkspace], serve: Callable[..., Any], browser: Browser
) -> None:
    """A page opened before there are data shows the progress, then the chart, without a reload."""
    workspace = make_workspace()
    page = browser.new_page(locale="pt-BR")
    page.goto(f"{serve(load_settings()).url}/?pagina=moeda")
    expect(page.get_by_text("Preparando os dados")).to_be_visible()
    workspace.beat("collector", backfill_done=1, backfill_total=8)
    expect(page.get_by_text("1 de 8")).to_be_visible()
    workspace.fill_prices()
    expect(page.locator(CHART).first).to_be_visible()
    workspace.publish_forecasts()
    expect(page.get_by_text("Chance de alta")).to_be_visible()


def test_an_open_page_survives_a_restart(running: SampleWorkspace, serve: Callable[..., Any], browser: Browser) -> None:
    """After a crash of the server the open page reconnects by itself, with the same coin and newer prices."""
    server = serve(load_settings())
    page = browser.new_page(locale="pt-BR")
    page.goto(f"{server.url}/?moeda=solana")
    expect(page.locator(CHART).first).to_be_visible()
    before = price_now(page)
    server.process.kill()
    server.process.wait()
    running.tick(solana=1.05)
    serve(load_settings(), server.port)
    expect(page.get_by_test_id("stMetricValue").first).not_to_have_text(before)
    expect(page.locator(".st-key-moeda").get_by_role("combobox")).to_have_value("Solana (SOL)")
    expect(page.locator(CHART).first).to_be_visible()


def test_a_download_holds_what_the_page_announced(shared: SampleWorkspace, visit: Callable[..., Page]) -> None:
    """The button makes the file that the page names, and a spreadsheet in Portuguese reads its prices."""
    page = visit("?pagina=exportar&baixar=bitcoin&periodo=24h")
    with page.expect_download() as download:
        page.get_by_role("button", name="Baixar arquivo").click()
    name = download.value.suggested_filename
    assert re.fullmatch(r"precos-bitcoin-\d{4}-\d\d-\d\d-24h-demo\.csv", name)
    expect(page.get_by_text(name)).to_be_visible()
    header, newest, *_ = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert header.startswith("\ufeffhorario_utc;moeda;id;preco;")
    symbol, coin, price = newest.split(";")[1:4]
    assert (symbol, coin) == ("btc", "bitcoin")
    assert float(price.replace(",", ".")) == pytest.approx(shared.prices["bitcoin"])


def test_a_frame_shows_the_page_without_tabs(visit: Callable[..., Page]) -> None:
    """`?embed=1` leaves out title, language and tabs; the banner and the choice of the coin stay."""
    page = visit("?embed=1&pagina=moeda&moeda=bitcoin")
    expect(page.locator(CHART).first).to_be_visible()
    expect(page.get_by_text("DADOS SIMULADOS").first).to_be_visible()
    expect(page.get_by_text("Diagnóstico")).to_have_count(0)
