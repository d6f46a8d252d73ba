"""The export page: choices, preview and the file behind its button."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core.reading.readers import Readers
from core.settings import load_settings
from core.times import parse_iso
from dashboard.exports.files import Format
from dashboard.exports.kinds import Kind, Selection
from dashboard.views.export import file_for
from tests.support.dashboard_page import open_page, text_on
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


def test_the_page_shows_what_the_file_will_have(running: SampleWorkspace) -> None:
    """Count, name and first rows of the file are on the page; the spreadsheet format comes first in Portuguese."""
    page = open_page(pagina="exportar", moeda="bitcoin", periodo="24h")
    assert not page.exception
    button = page.get("download_button")[0].proto
    assert not button.disabled
    assert re.search(r"precos-bitcoin-\d{4}-\d\d-\d\d-24h-demo.csv\*\* · 1.4(39|40|41) linhas", text_on(page))
    shown = page.dataframe[0].value
    assert shown["preco"].iloc[0] == "67187,33"
    assert set(shown["fonte"]) == {"demo"}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_can_be_chosen_in_every_language(running: SampleWorkspace, kind: Kind) -> None:
    """Each kind draws for all coins, in both languages; a kind without rows says so and offers no file."""
    for language, nothing in (("pt", "Ainda não há linhas"), ("en", "There are no rows")):
        page = open_page(pagina="exportar", dados=kind.value, baixar="", formato="csv", idioma=language)
        assert not page.exception
        assert (nothing in text_on(page)) == page.get("download_button")[0].proto.disabled == (kind is Kind.FEATURES)


def test_coins_that_leave_do_not_turn_into_all_coins(running: SampleWorkspace) -> None:
    """The page names the chosen coin that is gone and offers no file until another is chosen; no choice means all."""
    page = open_page(pagina="exportar", baixar="dogecoin", periodo="24h")
    running.leave("dogecoin")
    page.run()
    assert "Não acompanhamos: dogecoin." in text_on(page)
    assert not page.get("download_button")
    assert page.query_params["baixar"] == "dogecoin"
    page.multiselect[0].set_value(["bitcoin"]).run()
    assert "precos-bitcoin" in text_on(page)
    page.multiselect[0].set_value([]).run()
    assert "dogecoin" not in text_on(page)
    assert page.get("download_button")


def test_the_file_equals_its_preview(running: SampleWorkspace) -> None:
    """The first rows of the file are those that the page shows."""
    page = open_page(pagina="exportar", dados="previsoes", moeda="bitcoin", formato="csv", idioma="en")
    readers = Readers(load_settings())
    data = file_for(readers, Selection(Kind.CURRENT, (readers.resolve("btc"),), 0), Format.CSV)
    readers.close()
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert len(rows) == 12
    assert page.dataframe[0].value.to_dict("records") == rows[:8]


def test_too_many_rows_are_refused_before_a_file_is_made(
    running: SampleWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that no spreadsheet would open is not offered; the page says what to change."""
    monkeypatch.setattr("dashboard.views.export.MAX_ROWS", 1000)
    page = open_page(pagina="exportar", moeda="bitcoin", periodo="24h")
    assert page.get("download_button")[0].proto.disabled
    assert "no máximo 1.000" in text_on(page)


@pytest.mark.parametrize(("timezone", "day"), [("America/Sao_Paulo", "2026-11-29"), ("UTC", "2026-11-30")])
def test_the_name_has_the_day_of_the_visitor(
    running: SampleWorkspace, monkeypatch: pytest.MonkeyPatch, timezone: str, day: str
) -> None:
    """At half past ten in the evening in Brazil a file is of that day, although it is the next one in UTC."""
    monkeypatch.setattr("dashboard.views.export.now_ms", lambda: parse_iso("2026-11-30T01:30:00Z"))
    assert f"precos-bitcoin-{day}-24h" in text_on(open_page(timezone, pagina="exportar", moeda="btc", periodo="24h"))


def _export_without_prices() -> None:
    """A page that knows a coin, over a workspace whose prices are gone."""
    from datetime import UTC  # noqa: PLC0415 - Streamlit runs the body of this function as a script

    from core.reading.readers import Readers  # noqa: PLC0415 - as above
    from core.reading.values import Quote  # noqa: PLC0415 - as above
    from core.settings import load_settings  # noqa: PLC0415 - as above
    from dashboard.i18n.numbers import Formats  # noqa: PLC0415 - as above
    from dashboard.i18n.texts import Texts  # noqa: PLC0415 - as above
    from dashboard.shell.context import ViewContext  # noqa: PLC0415 - as above
    from dashboard.views.export import show  # noqa: PLC0415 - as above

    settings = load_settings()
    quote = Quote("bitcoin", "btc", "Bitcoin", 1, 1.0, None, None)
    show(ViewContext(settings, Readers(settings), Texts("pt"), Formats("pt", UTC, "usd"), (quote,)))


def test_prices_that_vanish_are_announced(make_workspace: Make) -> None:
    """A price store that is gone when the view is drawn leads to the usual sentence, not to an error."""
    make_workspace()
    page = AppTest.from_function(_export_without_prices).run()
    assert not page.exception
    assert page.info[0].value.startswith("Ainda não há o que mostrar aqui")
