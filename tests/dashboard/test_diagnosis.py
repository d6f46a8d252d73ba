"""The diagnosis: each problem with since when and what to do, each fact with its unit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import pytest

from core.processes.health_schema import CollectorProgress, PipelineProgress, ProcessState, Step, SuiteProgress
from core.processes.heartbeat import Health, LastError
from core.reading.status import Processes, State, SuiteStatus
from core.settings import Source
from core.times import MINUTE_MS, iso
from core.wording import Message, message, sentences
from dashboard.diagnosis import facts, findings, summary
from dashboard.i18n.numbers import Formats
from dashboard.i18n.texts import LANGUAGES, Texts, catalogue

NOW_MS = 1_763_812_800_000  # 2025-11-22 12:00
TEXTS = Texts("pt")
FORMATS = Formats("pt", UTC, "usd")
SUITE = Health("suite", SuiteProgress(), alive=True)


def status(*problems: Message, **processes: Health[Any]) -> SuiteStatus:
    """The status of a suite with these problems, whose prices are five minutes old."""
    return SuiteStatus(
        State.DEGRADED if problems else State.OK,
        Source.COINGECKO,
        None,
        problems,
        replace(Processes.read(Path("nowhere")), **cast("Any", {"suite": SUITE, **processes})),
        newest_price_ms=NOW_MS - 5 * MINUTE_MS,
        forecast_ms=NOW_MS,
        stale_after_s=90,
        forecast_stale_after_s=120,
    )


def lines(found: SuiteStatus) -> list[str]:
    """The findings as the page writes them."""
    return [summary(finding, NOW_MS, FORMATS, TEXTS) for finding in findings(found, NOW_MS, TEXTS)]


def test_a_suite_in_order_has_no_findings() -> None:
    """Without problems there is nothing to say."""
    assert lines(status()) == []


def test_a_stopped_process_says_since_when_and_that_it_restarts() -> None:
    """The last heartbeat dates the stop; the supervisor restarts it, or, without one, the person starts the system."""
    dead = Health("collector", CollectorProgress(), age_s=60.0, pid=1)
    (line,) = lines(status(message("problem.collector_stopped"), collector=dead))
    assert line == (
        "O processo coletor está parado. Desde 22/11/2025 11:59:00 (há 1\u00a0min). "
        "Ele reinicia sozinho em segundos; nada precisa ser feito."
    )
    alone = status(message("problem.collector_stopped"), collector=dead, suite=replace(SUITE, alive=False))
    assert lines(alone)[0].endswith("inicie-o com python run_all.py.")


def test_prices_that_stand_still_name_the_reason_of_a_wait() -> None:
    """The age of the newest price dates the problem; a collector that waits tells why."""
    stale = message("problem.prices_stale", age="5 min")
    assert "Desde 22/11/2025 11:55:00 (há 5\u00a0min)" in lines(status(stale))[0]
    waiting = Health("collector", CollectorProgress(wait_reason=message("source.rate_limited")), alive=True)
    assert "CoinGecko" in lines(status(stale, collector=waiting))[0]


def test_a_failed_step_is_dated_by_the_last_error() -> None:
    """The time of the last error and what goes on meanwhile are told."""
    error = LastError("OSError", "full", iso(NOW_MS - 2 * MINUTE_MS))
    pipeline = Health("pipeline", PipelineProgress(), alive=True, last_error=error)
    problem = message("problem.step_failed", step=message("step.training"), reason="full")
    (line,) = lines(status(problem, pipeline=pipeline))
    assert "(há 2\u00a0min)" in line
    assert "continua prevendo" in line


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_has_an_advice(language: str) -> None:
    """Whatever the suite may report, the page says what to do about it."""
    kinds = {code.removeprefix("problem.") for code in sentences("en") if code.startswith("problem.")}
    assert {kind for kind in kinds if not kind.endswith("_stopped")} <= {
        key.removeprefix("advice.") for key in catalogue(language)
    }


def test_facts_carry_units() -> None:
    """Seconds, bytes, shares and answers read as such; what serves programs alone is left out."""
    pipeline = Health(
        "pipeline",
        PipelineProgress(
            cycle_seconds=0.8, step_seconds={Step.TRAINING: 0.314}, model_share=0.25, bytes_written=1_340_692,
            centre_moves=False,
        ),
        state=ProcessState.CYCLING,
    )  # fmt: skip
    error = LastError("SourceUnavailable", "HTTP 429", iso(NOW_MS))
    collector = Health("collector", CollectorProgress(cadence_s=30.0, calls_minute_limit=30), last_error=error)
    assert dict(facts(pipeline, FORMATS, TEXTS)) == {
        "Duração do ciclo": "0,80\u00a0s",
        "Duração de cada passo": "treinar 0,31\u00a0s",
        "Feitas pelo modelo": "25%",
        "Gravado nesta execução": "1,3\u00a0MB",
        "Previsão central difere do preço": "não",
    }
    assert dict(facts(collector, FORMATS, TEXTS))["Coleta a cada"] == "30\u00a0s"
    assert dict(facts(collector, FORMATS, TEXTS))["Último erro"] == "22/11/2025 12:00:00: HTTP 429"
    assert "30" not in dict(facts(collector, FORMATS, TEXTS)).values()


def test_coins_that_are_late_are_told_from_prices_that_stand_still() -> None:
    """The pipeline names coins whose forecasts are late, the collector those whose price the source does not renew."""
    pipeline = Health("pipeline", PipelineProgress(late=("bitcoin",)))
    collector = Health("collector", CollectorProgress(late=("bitcoin",)))
    assert ("Previsões atrasadas", "bitcoin") in facts(pipeline, FORMATS, TEXTS)
    assert ("Preço parado", "bitcoin") in facts(collector, FORMATS, TEXTS)
