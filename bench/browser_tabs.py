"""Tabs of a real Chromium on the dashboard, for benchmarks that let visitors come and go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.open_pages import COIN_PAGE, OpenPages, open_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["open_tabs"]

_CHROMIUM: Final = Path("/usr/bin/chromium")
_PATIENCE_MS: Final = 600_000
_DRAWN: Final = ".chart .main-svg"


@contextmanager
def open_tabs(url: str, count: int) -> Iterator[tuple[OpenPages[object], str]]:
    """Keep `count` tabs open on the dashboard at `url`; gives them, and what is open or why nothing is."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a development requirement
    except ImportError:
        yield OpenPages(nullcontext), "no browser: playwright is not installed"
        return
    if not _CHROMIUM.exists():
        yield OpenPages(nullcontext), f"no browser: {_CHROMIUM} is not there"
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        try:
            with open_pages(partial(_tab, browser, url), count) as tabs:
                yield tabs, f"browser tabs: {count}"
        finally:
            browser.close()


@contextmanager
def _tab(browser: Browser, url: str) -> Iterator[Page]:
    """A tab on the page of one coin, as of a visitor with an empty cache, from when its chart is drawn."""
    page = browser.new_page()
    page.goto(f"{url}/?{COIN_PAGE}", timeout=_PATIENCE_MS)
    page.locator(_DRAWN).first.wait_for(timeout=_PATIENCE_MS)
    yield page
    page.close()
