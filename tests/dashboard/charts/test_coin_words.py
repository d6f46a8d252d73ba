"""What is said of one coin, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from core.accuracy.scores import MetricsBlock
from core.answers.unusual import UnusualHour
from core.reading.track_record import RangeCount
from core.times import DAY_MS, HOUR_MS
from dashboard.charts.coin_words import (
    UsualHour,
    outlook_sentence,
    record_sentence,
    usual_hour,
    width_reasons,
    window_sentence,
)
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from tests.dashboard.charts.test_price import forecast
from tests.dashboard.charts.test_verdicts import SCORE

FORMATS = Formats("pt", UTC, "usd")
TEXTS = Texts("pt")
WORDS = (FORMATS, TEXTS)
NOTHING = RangeCount(0, 0)


def test_the_outlook_names_range_and_clock() -> None:
    """The sentence has both ends of the 80 % range and the time; at 50 % it says that the direction is open."""
    sentence = outlook_sentence("Bitcoin (BTC)", forecast(), FORMATS, TEXTS)
    assert sentence.startswith(
        "Em 8 de cada 10 vezes, Bitcoin (BTC) deve estar entre US$\u00a098,0 e US$\u00a0102,0 às 13:00."
    )
    assert "O rumo é imprevisível" in sentence
    view = forecast()
    sure = replace(view, steps=(*view.steps[:-1], replace(view.steps[-1], p_up=0.56)))
    assert "imprevisível" not in outlook_sentence("Bitcoin", sure, FORMATS, TEXTS)


@pytest.mark.parametrize(
    ("live", "backtest", "words"),
    [
        (RangeCount(231, 288), NOTHING, "Na última semana, 231 de 288 faixas como esta acertaram (80,2%)."),
        (NOTHING, RangeCount(30, 40), "No backtest, sobre os dias antes do início, 30 de 40 (75,0%)."),
        (NOTHING, NOTHING, "Ainda não se sabe o quanto confiar"),
    ],
)
def test_the_record_keeps_live_and_backtest_apart(live: RangeCount, backtest: RangeCount, words: str) -> None:
    """Each is counted in its own sentence, and where nothing was checked the page says so."""
    assert record_sentence(live, backtest, FORMATS, TEXTS).startswith(words)


def test_the_chart_says_how_many_past_ranges_held() -> None:
    """Inside and outside are counted; a window without past forecasts says why."""
    assert window_sentence(RangeCount(9, 12), NOTHING, FORMATS, TEXTS).endswith("9 dentro da faixa de 80%, 3 fora")
    assert "a primeira vence uma hora depois" in window_sentence(NOTHING, NOTHING, FORMATS, TEXTS)


def test_an_hour_of_the_day_is_compared_with_all_hours() -> None:
    """At the UTC hour 7 the coin moves twice as much as on average; too few days or another hour say nothing."""
    hourly = replace(SCORE, mae_percent=0.4, hours=9)
    block = MetricsBlock(SCORE, by_hour_of_day={7: hourly, 8: replace(hourly, hours=2)})
    now_ms = 20_000 * DAY_MS + 7 * HOUR_MS + 5
    assert usual_hour(block, now_ms) == UsualHour(2.0, 9)
    assert usual_hour(block, now_ms + HOUR_MS) is None
    assert usual_hour(block, now_ms + 2 * HOUR_MS) is None
    assert usual_hour(None, now_ms) is None


def test_reasons_are_given_only_for_what_is_known() -> None:
    """Four sentences at most; nothing known, no sentence."""
    rare = UnusualHour(-0.012, 1.0, 0.02)
    own, market, hour, last = width_reasons(93.0, [10.0, 20.0, 90.0], UsualHour(0.7, 9), rare, WORDS)
    assert "mais movimento do que em 93% das suas horas" in own
    assert "acima de 20% das horas" in market
    assert "só 0,7 vezes a média (medido em 9 dias)" in hour
    assert "incomum: o preço mudou -1,20%, e um movimento desses tinha 2% de chance" in last
    assert width_reasons(None, [], None, None, WORDS) == []
    assert "comum" in width_reasons(None, [], None, UnusualHour(0.001, 60.0, 0.8), WORDS)[0]
