"""The browser's notices of alerts: which of them it shows, by the server's clock and without a storage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from core.times import HOUR_MS, MINUTE_MS, now_ms
from dashboard.shell.assets import asset_route, asset_url
from tests.support.served_api import running

STUB: Final = """
window.told = [];
window.Notification = class {
  static permission = "granted";
  static requestPermission = async () => "granted";
  constructor(title) { window.told.push(title); }
};
"""
NO_STORAGE: Final = """
Object.defineProperty(window, "localStorage", { get() { throw new DOMException("no", "SecurityError"); } });
"""
DRAW: Final = """async ([notices, clock, serverMs]) => {
  const [{ drawSwitch, receive }, { setClock }] = [await import(notices), await import(clock)];
  setClock(serverMs);
  drawSwitch(document.body, { on: "on", off: "off", denied: "denied", impossible: "impossible" });
  window.receive = receive;
}"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of an empty page beside the dashboard's scripts."""

    async def page(_: Request) -> HTMLResponse:
        return HTMLResponse("<!doctype html>")

    site = Starlette(routes=[asset_route(), Route("/", page)])
    with running(uvicorn.Server(uvicorn.Config(site, port=0, log_level="warning", ws="none"))) as found:
        yield found


@pytest.fixture
def told(browser: Browser, address: str) -> Iterator[Callable[..., list[str]]]:
    """Opens a page whose browser allows notices, and gives the titles of those that it shows of some alerts."""

    def tell(news: dict[str, int], *scripts: str, ahead_ms: int = 0) -> list[str]:
        page: Page = browser.new_page()
        for script in (STUB, *scripts):
            page.add_init_script(script)
        server_ms = now_ms()
        page.clock.set_system_time((server_ms + ahead_ms) / 1000)
        page.goto(address)
        alerts = [{"key": title, "title": title, "text": "", "at": server_ms + at} for title, at in news.items()]
        page.evaluate(DRAW, [*(f"{address}/{asset_url(name)}" for name in ("notices.js", "clock.js")), server_ms])
        page.get_by_role("button").click()
        expect(page.get_by_role("button")).to_have_text("on")
        titles: list[str] = page.evaluate("(news) => { receive({ news }); return told; }", alerts)
        return titles

    yield tell
    for context in browser.contexts:
        context.close()


@pytest.mark.parametrize("ahead_ms", [0, 10 * MINUTE_MS, -HOUR_MS])
def test_alerts_since_the_page_was_opened_are_shown(told: Callable[..., list[str]], ahead_ms: int) -> None:
    """What was told after the page was opened appears, nothing from before, also where the browser's clock is wrong."""
    assert told({"after": 30_000, "before": -MINUTE_MS}, ahead_ms=ahead_ms) == ["after"]


def test_notices_can_be_wished_for_where_nothing_can_be_stored(told: Callable[..., list[str]]) -> None:
    """In a frame whose browser keeps nothing, the wish lasts as long as the page."""
    assert told({"after": 30_000}, NO_STORAGE) == ["after"]
