"""The documentation pages in a real Chromium without access to other addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, served: str) -> Iterator[Page]:
    """A page that reaches only the API; the test fails if its scripts report an error."""

    def only_here(route: Route) -> None:
        if route.request.url.startswith((served, "blob:", "data:")):
            route.continue_()
        else:
            route.abort()

    context = browser.new_context(viewport={"width": 1200, "height": 1400})
    context.route("**/*", only_here)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def test_swagger_asks_the_api(page: Page, served: str) -> None:
    """The page names the source and shows every operation; `Execute` shows the forecast; a token outlives a reload."""
    described = requests.get(f"{served}/openapi.json", timeout=10).json()["paths"].values()
    page.goto(f"{served}/docs")
    expect(page.locator(".fonte")).to_contain_text("DADOS SIMULADOS")
    expect(page.locator(".opblock")).to_have_count(sum(len(operations) for operations in described))
    page.locator("#operations-previsoes-prever .opblock-summary-control").click()
    page.locator("#operations-previsoes-prever input[placeholder=moeda]").fill("BTC")
    page.locator("#operations-previsoes-prever button.execute").click()
    answer = page.locator(".live-responses-table").first
    expect(answer.locator("tr.response .response-col_status")).to_contain_text("200")
    expect(answer).to_contain_text("previsao_proxima_hora")
    assert page.evaluate("ui.getConfigs().persistAuthorization")


def test_redoc_shows_every_operation(page: Page, served: str) -> None:
    """Its script and its search worker run under the page's policy."""
    page.goto(f"{served}/redoc")
    for summary in ("Previsão da próxima hora", "Histórico de preços", "Estado do sistema"):
        expect(page.get_by_role("heading", name=summary)).to_be_visible()
