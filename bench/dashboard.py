"""What dashboard and light page cost in a real Chromium, beside a bare Streamlit page with one chart.

`python -m bench dashboard` takes about ten minutes, most of them for tabs; `--tabs 1` is quick.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bench.figures import Figure, exit_code, table
from bench.process_cost import memory_mb
from bench.serving import Served, serve_api, serve_page
from core.settings import PROJECT, load_settings
from tests.support.workspace import MORE_COINS, SampleWorkspace

__all__ = ["main"]

_CHROMIUM: Final = "/usr/bin/chromium"
_PATIENCE_MS: Final = 120_000
_COIN: Final = "?pagina=moeda&moeda=bitcoin"
_CHART: Final = ".chart .main-svg"
_CARD: Final = '[data-testid="stMetricValue"]'
_BARE_CHART: Final = '[data-testid="stPlotlyChart"] .main-svg'
_BARE: Final = """
import streamlit as st
values = [float(i % 7) for i in range(360)]
if "card" in st.query_params:
    st.metric("card", 1)
    st.stop()
st.plotly_chart({"data": [{"type": "scatter", "x": list(range(360)), "y": values}]})
"""
_BARE_NAME: Final = "bare page with one chart"
_BARE_CARD: Final = "?card=1"
_BARE_CARD_NAME: Final = "bare page with one card"
_FIRST_CARD_S: Final = 1.5
_CHANGE_S: Final = 0.3
_SETTLED_MS: Final = 3_000
_PUBLISH_EVERY_S: Final = 10.0
_SESSIONS_END_S: Final = 130.0
"""Streamlit keeps a session for two minutes after its page has closed."""


class _Visit:
    """One tab with an empty cache; counts the bytes that it is sent."""

    def __init__(self, browser: Browser) -> None:
        self.context: BrowserContext = browser.new_context(locale="pt-BR", viewport={"width": 1440, "height": 900})
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(_PATIENCE_MS)
        self.loaded = 0
        self.pushed = 0
        network = self.context.new_cdp_session(self.page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", self._count)
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._count_frame))

    def open(self, address: str, waits_for: str) -> float:
        """Seconds until the first node of `waits_for` is there."""
        began = time.perf_counter()
        self.page.goto(address, wait_until="commit")
        self.page.locator(waits_for).first.wait_for()
        return time.perf_counter() - began

    def _count(self, event: dict[str, Any]) -> None:
        self.loaded += int(event["encodedDataLength"])

    def _count_frame(self, data: str | bytes) -> None:
        self.pushed += len(data)


def _paint(browser: Browser, address: str, waits_for: str, runs: int) -> tuple[float, float]:
    """Median of the seconds until `waits_for` is there with an empty cache; megabytes of the first load."""
    seconds, megabytes = [], 0.0
    for _ in range(runs):
        visit = _Visit(browser)
        seconds.append(visit.open(address, waits_for))
        visit.page.wait_for_timeout(_SETTLED_MS)
        megabytes = (visit.loaded + visit.pushed) / 1e6
        visit.context.close()
    return statistics.median(seconds), megabytes


def _publication(visit: _Visit, workspace: SampleWorkspace) -> float:
    """Seconds from a publication until the chart has drawn it."""
    drawn = int(visit.page.locator(".chart").get_attribute("data-drawn") or 0)
    workspace.tick()
    workspace.publish_forecasts()
    began = time.perf_counter()
    visit.page.locator(f'.chart:not([data-drawn="{drawn}"])').wait_for()
    return time.perf_counter() - began


def _change_of_coin(visit: _Visit) -> float:
    """Seconds from the choice of another coin until the chart shows it."""
    box = visit.page.locator(".st-key-moeda").get_by_role("combobox")
    box.click()
    box.fill("solana")
    began = time.perf_counter()
    box.press("Enter")
    visit.page.locator('.chart[data-view^="solana"]').wait_for()
    return time.perf_counter() - began


def _idle(visit: _Visit, seconds: float) -> float:
    """Kilobytes a minute that a page is sent while nothing is published."""
    before = visit.pushed
    visit.page.wait_for_timeout(1000 * seconds)
    return (visit.pushed - before) / 1e3 * 60 / seconds


def _live_kilobytes(visit: _Visit, workspace: SampleWorkspace) -> float:
    """Kilobytes that a page is sent for one publication."""
    before = visit.pushed
    _publication(visit, workspace)
    visit.page.wait_for_timeout(_SETTLED_MS)
    return (visit.pushed - before) / 1e3


@dataclass(frozen=True)
class _Server:
    """A running server: its address, its process, the page that is opened, and what shows that it is drawn."""

    address: str
    process: psutil.Process
    page: str
    drawn: str


def _running(served: Served, page: str, drawn: str) -> _Server:
    return _Server(f"http://127.0.0.1:{served.port}", psutil.Process(served.pid), page, drawn)


def _house(
    browser: Browser, server: _Server, publish: Callable[[], None] | None, *, tabs: int, seconds: float
) -> tuple[float, float]:
    """Processor seconds a minute and memory in MB with `tabs` open pages; `publish` runs every ten seconds."""
    context = browser.new_context(locale="pt-BR")
    for _ in range(tabs):
        page = context.new_page()
        page.goto(f"{server.address}/{server.page}", timeout=_PATIENCE_MS)
        page.locator(server.drawn).first.wait_for(timeout=_PATIENCE_MS)
    before, end = _cpu_s(server.process), time.monotonic() + seconds
    while time.monotonic() < end:
        if publish is not None:
            publish()
        time.sleep(min(_PUBLISH_EVERY_S, max(0.0, end - time.monotonic())))
    spent, memory = (_cpu_s(server.process) - before) * 60 / seconds, memory_mb(server.process)
    context.close()
    return spent, memory


def _houses(
    browser: Browser, ours: _Server, bare: _Server, workspace: SampleWorkspace, *, tabs: Sequence[int], seconds: float
) -> Iterator[Figure]:
    """What open pages cost, and what is left of it when their sessions have ended, beside a bare page."""

    def publish() -> None:
        workspace.tick()
        workspace.publish_forecasts()

    for count in tabs:
        bare_cpu, bare_memory = _house(browser, bare, None, tabs=count, seconds=seconds)
        cpu, memory = _house(browser, ours, publish, tabs=count, seconds=seconds)
        yield Figure(f"server's processor time a minute, {count} tabs", cpu, "CPU-s", None, _BARE_NAME, bare_cpu)
        yield Figure(f"server's memory, {count} tabs", memory, "MB", None, _BARE_NAME, bare_memory)
    time.sleep(_SESSIONS_END_S)
    left, bare_left = memory_mb(ours.process), memory_mb(bare.process)
    yield Figure("server's memory after they closed", left, "MB", None, _BARE_NAME, bare_left)


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _figures(browser: Browser, folder: Path, tabs: Sequence[int], seconds: float, runs: int) -> Iterator[Figure]:
    os.environ |= {"CRYPTO_SOURCE": "demo", "CRYPTO_DATA_DIR": str(folder / "data")}
    os.environ["CRYPTO_MODELS_DIR"] = str(folder / "models")
    workspace = SampleWorkspace(load_settings(), MORE_COINS).run()
    environment = {**os.environ, **load_settings().environment(), "CRYPTO_SOURCE": "auto"}
    bare_script = folder / "bare.py"
    bare_script.write_text(_BARE, encoding="utf-8")
    with ExitStack() as stack:
        stack.callback(workspace.close)
        bare = _running(stack.enter_context(serve_page(bare_script, environment)), "", _BARE_CHART)
        bare_paint = _paint(browser, bare.address, bare.drawn, runs)
        bare_card_s, _ = _paint(browser, f"{bare.address}/{_BARE_CARD}", _CARD, runs)
        script = PROJECT / "dashboard" / "app.py"
        ours = _running(stack.enter_context(serve_page(script, environment)), _COIN, _CHART)
        yield from _visits(browser, ours.address, workspace, runs, bare=bare_paint, bare_card_s=bare_card_s)
        yield from _light_page(browser, environment, workspace, runs, bare_paint[0])
        yield from _houses(browser, ours, bare, workspace, tabs=tabs, seconds=seconds)


def _visits(
    browser: Browser,
    address: str,
    workspace: SampleWorkspace,
    runs: int,
    *,
    bare: tuple[float, float],
    bare_card_s: float,
) -> Iterator[Figure]:
    """What one visitor waits for and is sent."""
    _paint(browser, f"{address}/{_COIN}", _CHART, 1)
    cards, _ = _paint(browser, f"{address}/{_COIN}", _CARD, runs)
    chart, megabytes = _paint(browser, f"{address}/{_COIN}", _CHART, runs)
    yield Figure("first card, empty cache", cards, "s", _FIRST_CARD_S)
    yield Figure("first card, empty cache", cards, "s", None, _BARE_CARD_NAME, bare_card_s)
    yield Figure("chart, empty cache", chart, "s", None, _BARE_NAME, bare[0])
    yield Figure("first load", megabytes, "MB", None, _BARE_NAME, bare[1])
    visit = _Visit(browser)
    visit.open(f"{address}/{_COIN}", _CHART)
    visit.page.wait_for_timeout(_SETTLED_MS)
    yield Figure("idle, sent a minute", _idle(visit, 10), "kB", 30)
    yield Figure("sent for one publication", _live_kilobytes(visit, workspace), "kB")
    yield Figure("publication to pixel", _median(lambda: _publication(visit, workspace), runs), "s", 2)
    yield Figure("change of coin", _change_of_coin(visit), "s", _CHANGE_S)
    visit.context.close()


def _light_page(
    browser: Browser, environment: dict[str, str], workspace: SampleWorkspace, runs: int, bare_s: float
) -> Iterator[Figure]:
    """What a reader of the API's own page waits for and is sent."""
    with serve_api(environment) as api:
        address = f"http://127.0.0.1:{api.port}/?moeda=bitcoin"
        _paint(browser, address, _CHART, 1)
        chart, megabytes = _paint(browser, address, _CHART, runs)
        yield Figure("light page: chart, empty cache", chart, "s", 0.5, _BARE_NAME, bare_s)
        yield Figure("light page: first load", 1000 * megabytes, "kB", 600)
        visit = _Visit(browser)
        visit.open(address, _CHART)
        visit.page.wait_for_timeout(_SETTLED_MS)
        yield Figure("light page: publication to pixel", _median(lambda: _publication(visit, workspace), runs), "s", 2)
        visit.context.close()


def _median(measure: Callable[[], float], runs: int) -> float:
    return statistics.median(measure() for _ in range(runs))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 1 if a target was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench dashboard", description=__doc__)
    parser.add_argument("--tabs", default="1,15,50", help="numbers of open tabs (default: 1,15,50)")
    parser.add_argument("--seconds", type=float, default=30, help="how long to watch each number of tabs (default: 30)")
    parser.add_argument("--runs", type=int, default=3, help="runs per median (default: 3)")
    parser.add_argument("--json", action="store_true", help="print JSON too")
    given = parser.parse_args(arguments)
    tabs = [int(count) for count in given.tabs.split(",")]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        figures = list(_figures(browser, Path(folder), tabs, given.seconds, given.runs))
        browser.close()
    print(table(figures))
    if given.json:
        print(json.dumps([figure.to_json() for figure in figures]))
    return exit_code(figures)
