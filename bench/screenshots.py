"""Takes the pictures in READMEs and docs: `python -m bench screenshots`, while a suite runs.

Start the suite with `--demo`, because simulated prices may be shown to everybody. Chromium is the system's own.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

from core.settings import PROJECT

__all__ = ["main"]

_CHROMIUM: Final = "/usr/bin/chromium"
_PATIENCE_MS: Final = 60_000
_SETTLED_MS: Final = 2_500
_CHART: Final = ".js-plotly-plot .main-svg"
_TABLE: Final = "table tbody tr"


@dataclass(frozen=True)
class _Picture:
    name: str
    address: str
    waits_for: str
    width: int = 1280
    height: int = 900
    theme: str = "light"


def _pictures(api: str, dashboard: str) -> Sequence[_Picture]:
    return (
        _Picture("painel-mercado", f"{dashboard}/", _TABLE, height=1060),
        _Picture("painel", f"{dashboard}/?pagina=moeda&janela=6h", _CHART, height=1060),
        _Picture("painel-comparacao", f"{dashboard}/?pagina=comparacao", _CHART, height=1150),
        _Picture(
            "painel-celular", f"{dashboard}/?pagina=moeda&janela=6h", _CHART, width=390, height=1500, theme="dark"
        ),
        _Picture("pagina-leve", f"{api}/?idioma=pt", _CHART, width=1440),
        _Picture("pagina-leve-celular", f"{api}/?idioma=pt", _CHART, width=390, height=1240, theme="dark"),
        _Picture("swagger", f"{api}/docs", ".opblock", height=1000),
    )


def _take(browser: Browser, picture: _Picture, folder: Path) -> Path:
    context = browser.new_context(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.theme == "dark" else "light",
        locale="pt-BR",
        timezone_id="America/Sao_Paulo",
    )
    page: Page = context.new_page()
    page.goto(picture.address, timeout=_PATIENCE_MS)
    page.locator(picture.waits_for).first.wait_for(timeout=_PATIENCE_MS)
    page.wait_for_timeout(_SETTLED_MS)
    path = folder / f"{picture.name}.png"
    page.screenshot(path=path)
    context.close()
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Take every picture."""
    parser = argparse.ArgumentParser(prog="python -m bench screenshots", description=__doc__)
    parser.add_argument("--api", default="http://127.0.0.1:8000")
    parser.add_argument("--dashboard", default="http://127.0.0.1:8501")
    parser.add_argument("--folder", type=Path, default=PROJECT / "docs" / "img")
    parser.add_argument("--chromium", default=_CHROMIUM)
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        for picture in _pictures(given.api, given.dashboard):
            path = _take(browser, picture, given.folder)
            print(f"{path}  {path.stat().st_size / 1000:.0f} kB")
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
