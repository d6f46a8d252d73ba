"""The light page as the API sends it: its document, its files and its texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from api.light_page.routes import catalogue
from tests.support.workspace import SampleWorkspace

ClientFactory = Callable[..., TestClient]
ASSETS = Path(__file__).parents[2] / "api" / "light_page" / "assets"
LINK = re.compile(r'(?:src|href)="([^"?#:]+)"')
FIRST_LOAD_BYTES = 600_000
CLAIMS_LIVE = re.compile(r"\b(ao vivo|em tempo real|live|real[- ]time)\b", re.IGNORECASE)


@pytest.mark.parametrize(
    ("address", "accepted", "language"),
    [("/", "pt-BR", "pt-BR"), ("/", "en-GB,pt;q=0.5", "en-US"), ("/", "de", "pt-BR"), ("/?idioma=en", "pt", "en-US")],
)
def test_the_page_speaks_the_readers_language(client: TestClient, address: str, accepted: str, language: str) -> None:
    """`idioma` decides, and without it the browser; the documentation is one visible link away."""
    answer = client.get(address, headers={"Accept-Language": accepted})
    assert f'<html lang="{language}">' in answer.text
    assert 'href="docs"' in answer.text
    assert "Accept-Language" in answer.headers["vary"]


def test_the_page_loads_everything_from_the_api_and_little(client: TestClient) -> None:
    """Every file it names, and every module those import, is here and may be kept; all together have under 600 kB."""
    page = client.get("/")
    found = {link for link in LINK.findall(page.text) if link not in ("./", "docs")}
    folder = next(link for link in found if link.endswith("page.js")).rpartition("/")[0]
    modules = [(ASSETS / name).read_text("utf-8") for name in ("page.js", "api_client.js", "price_chart.js")]
    found |= {f"{folder}/{name}" for text in modules for name in re.findall(r'from "\./(\w+\.js)"', text)}
    found.add(f"{folder}/plotly-basic-4.1.1.min.js")
    sent = 0
    for link in found:
        answer = client.get(f"/{link}", headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200, link
        assert answer.headers.get("x-content-type-options") == "nosniff"
        sent += int(answer.headers["content-length"])
        if link.startswith(folder):
            assert "immutable" in answer.headers["cache-control"]
            assert client.get(f"/{link}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert sent < FIRST_LOAD_BYTES
    assert client.get(f"/{folder}/nothing.js").status_code == 404


@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity"])
def test_every_coding_is_the_same_script(client: TestClient, coding: str) -> None:
    """A browser gets the script in the coding it takes, under one entity tag."""
    (link,) = re.findall(r'src="([^"]+/page\.js)"', client.get("/").text)
    answer = client.get(f"/{link}", headers={"Accept-Encoding": coding})
    assert answer.headers.get("content-encoding", "identity") == coding
    if coding != "zstd":  # the test's client knows no zstd
        assert answer.text == (ASSETS / "page.js").read_text("utf-8")
    assert answer.headers["etag"] == client.head(f"/{link}").headers["etag"]


def test_only_its_own_scripts_run_and_only_named_sites_frame_it(
    filled: SampleWorkspace, make_client: ClientFactory
) -> None:
    """The policy allows no inline script; other sites may frame the page where the settings name them."""
    settings = filled.settings.model_copy(update={"embed_origins": ("https://example.com",)})
    answer = make_client(settings).get("/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert policy.endswith("frame-ancestors 'self' https://example.com")
    assert "x-frame-options" not in answer.headers
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert all('src="' in script or 'type="application/json"' in script for script in scripts)
    assert not re.search(r"\son\w+=|<style", answer.text)


def test_the_page_is_open_where_data_want_a_token(filled: SampleWorkspace, make_client: ClientFactory) -> None:
    """Page and scripts come without the token, which the page then asks for; the schema does not list them."""
    client = make_client(filled.settings.model_copy(update={"api_token": SecretStr("0123456789abcdef")}))
    page = client.get("/")
    assert page.status_code == 200
    assert all(client.get(f"/{link}").status_code == 200 for link in LINK.findall(page.text) if "/" in link[1:])
    assert client.get("/moedas").status_code == 401
    assert not [path for path in client.get("/openapi.json").json()["paths"] if path == "/" or "estatico" in path]


def _keys(language: str) -> set[str]:
    return {f"{section}.{name}" for section, texts in catalogue(language).items() for name in texts}


def test_both_languages_have_every_text_that_the_scripts_say() -> None:
    """The catalogues have the same keys, with the same values to fill in, and all keys named in scripts."""
    assert _keys("pt") == _keys("en")
    for section, texts in catalogue("pt").items():
        for name, text in texts.items():
            assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", catalogue("en")[section][name])), name
    said = {key for path in ASSETS.glob("*.js") for key in re.findall(r'"([a-z]+\.\w+)"', path.read_text("utf-8"))}
    assert said - {"chart.js", "clock.js"} <= _keys("pt")


@pytest.mark.parametrize("language", ["pt", "en"])
def test_no_text_says_that_prices_are_live(client: TestClient, language: str) -> None:
    """The same page shows simulated and replayed prices, so neither the document nor a text of it says "live"."""
    assert not CLAIMS_LIVE.search(client.get(f"/?idioma={language}").text)


def test_texts_cannot_end_the_script_they_stand_in(client: TestClient) -> None:
    """The JSON in the page is whole and has no `<`."""
    (text,) = re.findall(r'<script type="application/json" id="texts">(.*?)</script>', client.get("/").text, re.DOTALL)
    assert "<" not in text
    assert json.loads(text)["locale"] == "pt-BR"
