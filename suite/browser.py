"""Opens pages in the user's browser, if this machine has a display."""

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
    """Whether an HTTP server answers at `url` with any status; no proxy is used."""
    try:
        _DIRECT.open(url, timeout=timeout_s).close()
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, ValueError):
        return False
    return True


def has_display(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether a person could see a browser window: not in CI, nor over SSH without a forwarded display."""
    if environment.get("CI"):
        return False
    if platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in environment
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def open_pages(pages: Sequence[str]) -> None:
    """Open `pages` from a background thread, because some browsers block until they are closed."""

    def work() -> None:
        for page in pages:
            webbrowser.open(page)

    threading.Thread(target=work, name="browser", daemon=True).start()
