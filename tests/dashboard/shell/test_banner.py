"""The banner in each state of the suite."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

from core.processes.health_schema import SimulatorProgress
from core.processes.heartbeat import Health
from core.reading.status import Processes, State, SuiteStatus
from core.settings import Source
from core.wording import Message, message
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import Texts
from dashboard.shell.banner import as_html, notices, watermark
from suite.source import FALLBACK_NOTICE

TEXTS = Texts("pt")
FORMATS = Formats("pt", UTC, "usd")


def status(source: Source | None, **changes: Any) -> SuiteStatus:
    """The status of a suite without problems, except for `changes`."""
    simulator = Health("simulator", SimulatorProgress(replay_ends_ms=changes.pop("replay_ends_ms", None)))
    processes = replace(Processes.read(Path("nowhere")), simulator=simulator)
    given = {"notice": None, "problems": (), "newest_price_ms": None, "forecast_ms": None, **changes}
    return SuiteStatus(State.OK, source, processes=processes, stale_after_s=90, forecast_stale_after_s=120, **given)


def test_live_data_need_no_banner() -> None:
    """Live data without problems make no bar."""
    assert notices(status(Source.COINGECKO), TEXTS, FORMATS) == []
    assert notices(status(None), TEXTS, FORMATS) == []
    assert as_html([]) == ""


def test_simulated_data_are_announced() -> None:
    """The title names the simulated market in capitals; the line is the suite's notice, if it has one."""
    (bar,) = notices(status(Source.DEMO, notice=Message("text", {"text": "CoinGecko não respondeu"})), TEXTS, FORMATS)
    assert (bar.kind, bar.title, bar.lines) == ("simulated", "DADOS SIMULADOS", ("CoinGecko não respondeu",))
    assert watermark(Source.DEMO, TEXTS) == "DADOS SIMULADOS"
    assert watermark(Source.COINGECKO, TEXTS) is None


def test_replay_says_when_it_ends() -> None:
    """The bar of a replay has its end in the visitor's time zone."""
    notice = message("notice.replay")
    (bar,) = notices(status(Source.REPLAY, notice=notice, replay_ends_ms=1_763_812_807_000), TEXTS, FORMATS)
    assert bar.title == "REPLAY de dados gravados"
    assert len(bar.lines) == 2  # what a replay is, once, and its end
    assert bar.lines[-1] == "A gravação termina em 22/11/2025 12:00:07."


def test_problems_are_sentences_in_an_alert() -> None:
    """Every problem is a line in a bar that screen readers announce."""
    problems = (message("problem.collector_stopped"), message("problem.prices_stale", age="4 min"))
    html = as_html(notices(status(Source.COINGECKO, problems=problems), TEXTS, FORMATS))
    assert 'role="alert"' in html
    assert "O processo coletor está parado." in html
    assert "Os preços estão parados há 4 min." in html


def test_the_english_page_has_no_portuguese_in_its_banner() -> None:
    """Problems, failed steps and the suite's notice are in the language of the page."""
    failed = message("problem.step_failed", step=message("step.training"), reason="full")
    problems = (message("problem.prices_stale", age="4 min"), failed)
    bars = notices(status(Source.DEMO, notice=FALLBACK_NOTICE, problems=problems), Texts("en"), FORMATS)
    assert [line for bar in bars for line in bar.lines] == [
        "CoinGecko could not be reached: the prices shown are SIMULATED, not those of the real market. "
        "Check the internet connection and restart.",
        "No new price for 4 min.",
        "Failed to train: full.",
    ]


def test_notices_are_escaped() -> None:
    """Tags in a notice are shown as text."""
    html = as_html(
        notices(status(Source.COINGECKO, notice=Message("text", {"text": "<script>alert(1)</script>"})), TEXTS, FORMATS)
    )
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
