"""Tabs of a real Chromium on the dashboard, for benchmarks that let visitors come and go."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["BrowserTabs", "open_tabs"]

_CHROMIUM: Final = Path("/usr/bin/chromium")
_PATIENCE_MS: Final = 600_000
_PAGE: Final = "?pagina=moeda&moeda=bitcoin"
_DRAWN: Final = ".chart .main-svg"


class BrowserTabs:
    """Open tabs on the page of one coin, the oldest first; none without a browser.

    Args:
        browser: None where none is installed.
        url: the dashboard's address.
    """

    def __init__(self, browser: Browser | None, url: str) -> None:
        self._browser = browser
        self._url = url
        self._pages: deque[Page] = deque()
        self.visits = 0

    def open(self) -> None:
        """Open one more tab, as a visitor with an empty cache, and wait until its chart is drawn."""
        if self._browser is None:
            return
        page = self._browser.new_page()
        page.goto(f"{self._url}/{_PAGE}", timeout=_PATIENCE_MS)
        page.locator(_DRAWN).first.wait_for(timeout=_PATIENCE_MS)
        self._pages.append(page)
        self.visits += 1

    def renew(self) -> None:
        """Close the oldest tab and open another."""
        if self._pages:
            self._pages.popleft().close()
            self.open()


@contextmanager
def open_tabs(url: str, count: int) -> Iterator[tuple[BrowserTabs, str]]:
    """Keep `count` tabs open on the dashboard at `url`; gives them, and what is open or why nothing is."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a development requirement
    except ImportError:
        yield BrowserTabs(None, url), "no browser: playwright is not installed"
        return
    if not _CHROMIUM.exists():
        yield BrowserTabs(None, url), f"no browser: {_CHROMIUM} is not there"
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        try:
            tabs = BrowserTabs(browser, url)
            for _ in range(count):
                tabs.open()
            yield tabs, f"browser tabs: {count}"
        finally:
            browser.close()
