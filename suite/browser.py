"""Opens pages for the person at this machine once they answer, and only where there is a display."""

from __future__ import annotations

import os
import sys
import threading
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["answers", "has_display", "open_pages"]

_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(url: str, timeout_s: float = 1.0) -> bool:
    """Whether an HTTP server of this machine answers at `url`, with whatever status; proxies are not asked."""
    try:
        _DIRECT.open(url, timeout=timeout_s).close()
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, ValueError):
        return False
    return True


def has_display(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether a browser window could appear before a person: never in CI, nor over SSH without a forwarded display."""
    if environment.get("CI"):
        return False
    if platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in environment
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_pages(pages: Sequence[str]) -> None:
    """Open `pages` in the person's browser, in the background: some browsers return only when they are closed."""

    def work() -> None:
        for page in pages:
            webbrowser.open(page)

    threading.Thread(target=work, name="browser", daemon=True).start()
