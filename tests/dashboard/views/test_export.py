"""The files behind the download buttons."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from core.reading.readers import Readers
from core.settings import load_settings
from core.times import DAY_MS, HOUR_MS, iso, now_ms
from dashboard.views.export import forecasts_file, latest_file, prices_file
from tests.support.workspace import SampleWorkspace

Make = Callable[..., SampleWorkspace]


def rows_of(text: str) -> list[dict[str, str]]:
    """The rows of a CSV text by column."""
    return list(csv.DictReader(io.StringIO(text)))


def test_files_hold_what_is_stored(make_workspace: Make) -> None:
    """Prices, log and newest forecasts come with their source, newest first, within the period."""
    workspace = make_workspace()
    workspace.fill_prices()
    workspace.publish_log(7)
    workspace.publish_forecasts()
    readers = Readers(load_settings())
    coin = readers.resolve("SHIB")
    prices = rows_of(prices_file(readers, coin, DAY_MS))
    assert float(prices[0]["preco"]) == workspace.prices["shiba-inu"]
    assert {row["fonte"] for row in prices} == {"demo"}
    assert prices[0]["horario"] > prices[-1]["horario"] >= iso(now_ms() - DAY_MS - 10_000)
    log = rows_of(forecasts_file(readers, coin, 6 * HOUR_MS))
    assert 60 <= len(log) <= 73
    assert any(row["preco_real"] for row in log)
    latest = rows_of(latest_file(readers))
    assert len(latest) == 12 * len(workspace.prices)
    assert {row["id"] for row in latest} == set(workspace.prices)
    for row in latest:
        assert float(row["q025"]) <= float(row["q50"]) <= float(row["q975"])
    readers.close()


def test_the_period_without_end_holds_every_price(make_workspace: Make) -> None:
    """All six hours of minutely prices are in the file."""
    make_workspace().fill_prices(hours=6)
    readers = Readers(load_settings())
    assert len(rows_of(prices_file(readers, readers.resolve("btc"), 2**62))) == 360
    readers.close()


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
