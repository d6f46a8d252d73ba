"""Tables of the views."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC

from dashboard.charts.tables import score_table, steps_rows
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from tests.dashboard.charts.test_price import forecast
from tests.dashboard.charts.test_verdicts import SCORE

FORMATS = Formats("pt", UTC, "usd")
TEXTS = Texts("pt")


def test_all_prices_of_the_next_hour_have_the_same_decimals() -> None:
    """Forecast and both ranges of every row are written with as many decimals, whatever their width."""
    rows = steps_rows(forecast(0.9999), FORMATS, TEXTS)
    prices = [text for row in rows for text in (row["Previsão"], row["Faixa de 80%"], row["Faixa de 95%"])]
    assert len(rows) == 12
    assert {len(decimals) for text in prices for decimals in re.findall(r",(\d+)", text)} == {4}


def test_columns_that_only_repeat_the_price_are_left_out() -> None:
    """A forecast that is the price, without change and with a chance of one half, leaves the ranges alone."""
    view = forecast()
    still = replace(view, steps=tuple(replace(step, mean=view.price_origin) for step in view.steps))
    assert list(steps_rows(still, FORMATS, TEXTS)[0]) == ["Em", "Às", "Faixa de 80%", "Faixa de 95%"]
    risen = replace(still, steps=(*still.steps[:-1], replace(still.steps[-1], p_up=0.56)))
    assert "Chance de alta" in steps_rows(risen, FORMATS, TEXTS)[0]


def test_unknown_scores_are_dashes() -> None:
    """A column of numbers of which none is known shows dashes, never the word None; no direction, no column."""
    early = replace(SCORE, skill_margin=None, hit_rate=None, hit_low=None, hit_high=None)
    table = score_table({"bitcoin": early, "solana": early}, {"bitcoin": "Bitcoin"}, FORMATS, TEXTS)
    html = table.to_html()
    assert "None" not in html
    assert "nan" not in html
    assert html.count("—") == 4
    assert "Direção certa" not in html
