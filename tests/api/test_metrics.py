"""GET /metrics: well-formed, true, bounded in number, and only for those who may read it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from api.metrics.page import MetricsPage
from api.metrics.request_measures import RequestMeasures
from core.price_store import Coin
from core.processes.health_schema import ChildStatus, PollOutcome, ProcessState, Step, api_worker
from core.processes.heartbeat import Heartbeat
from core.reading.readers import Readers
from core.settings import PROJECT, Settings, load_settings
from core.times import iso
from core.version import VERSION
from core.wording import message
from tests.support.workspace import SampleWorkspace

ClientFactory = Callable[..., TestClient]
Samples = dict[tuple[str, frozenset[str]], float]
OPS = PROJECT / "ops"
TOKEN = "so-o-prometheus"
COLLECTOR = {
    "calls_minute": 4,
    "calls_minute_limit": 5,
    "polls": {PollOutcome.ANSWERED: 41, PollOutcome.RATE_LIMITED: 2},
    "backfill_done": 3,
    "backfill_total": 8,
    "cadence_s": 30.0,
}
PIPELINE = {
    "cycle_seconds": 0.8,
    "step_seconds": {Step.TRAINING: 0.25},
    "deferred": {Step.SCORES: 2},
    "failed_steps": {Step.SAVING: "no disk"},
    "model_share": 1.0,
    "awaiting_outcome": 36,
}
REQUESTS = "crypto_http_requests_total"
LATENCIES = "crypto_http_request_duration_seconds"
LISTED = ("route=/moedas", "status=200")
CHILD = ChildStatus(1, ProcessState.RUNNING, 3, -9, iso(0))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SampleWorkspace]:
    """A filled workspace whose processes beat and tell what they do."""
    made = SampleWorkspace.make(tmp_path_factory.mktemp("run")).fill()
    made.beat("suite", children={"collector": CHILD})
    made.beat("api", "dashboard", "simulator")
    made.beat("alerts", rules=12, evaluation_s=0.004, told=5, due=1, delivered=8, dead=2)
    made.beat("collector", **COLLECTOR)
    made.beat("pipeline", **PIPELINE)
    made.heartbeats["pipeline"].count(cycles=7, forecasts=252)
    made.heartbeats["pipeline"].error(message("prices.no_coins"))
    made.heartbeats["pipeline"].state(ProcessState.CYCLING)
    yield made
    made.close()


def families(text: str) -> list[Metric]:
    """The families of a page."""
    return list(text_string_to_metric_families(text))


def samples(text: str) -> Samples:
    """The value of each series of a page by its name and its labels, each as `name=value`."""
    found = [sample for family in families(text) for sample in family.samples]
    return {
        (sample.name, frozenset(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for sample in found
    }


def page(settings: Settings, measures: RequestMeasures | None = None, kept_s: float = 0.0) -> MetricsPage:
    """The page over a data folder, made again for each scrape."""
    return MetricsPage(settings, Readers(settings), measures or RequestMeasures(), kept_s)


def value(found: Samples, name: str, *labels: str) -> float:
    """The value of one series."""
    return found[f"crypto_{name}", frozenset(labels)]


def test_the_page_tells_what_health_files_say(run: SampleWorkspace) -> None:
    """Processes, restarts, polls, budget, cycles and steps come from the processes' own records."""
    found = samples(page(run.settings).text().decode())
    assert value(found, "info", "source=demo", f"version={VERSION}") == 1
    assert value(found, "process_up", "process=pipeline") == 1
    assert value(found, "process_restarts_total", "process=collector") == 3
    assert value(found, "process_errors_total", "process=pipeline") == 1
    assert value(found, "process_resident_memory_bytes", "process=api") > 1e6
    assert value(found, "polls_total", "outcome=answered") == 41
    assert value(found, "polls_total", "outcome=rate_limited") == 2
    assert value(found, "source_calls_left", "window=minute") == 1
    assert ("crypto_source_calls_left", frozenset({"window=month"})) not in found
    assert value(found, "backfill_waiting_coins") == 5
    assert (value(found, "cycles_total"), value(found, "forecasts_published_total")) == (7, 252)
    assert value(found, "cycle_duration_seconds") == 0.8
    assert value(found, "cycle_step_duration_seconds", "step=training") == 0.25
    assert value(found, "cycle_step_failed", "step=saving") == 1
    assert value(found, "cycle_steps_deferred_total", "step=scores") == 2
    assert (value(found, "alerts_total"), value(found, "alert_rules")) == (5, 12)
    assert value(found, "alert_deliveries", "state=dead") == 2
    assert value(found, "problem", "code=step_failed") == value(found, "problems") == 1


@pytest.mark.parametrize(("children", "told"), [({}, False), ({"simulator": CHILD}, True)])
def test_a_process_of_an_earlier_start_does_not_count_as_down(
    sample: SampleWorkspace, children: dict[str, ChildStatus], told: bool
) -> None:
    """The file that the simulator left is told of while the running suite has it as a child, and then as down."""
    sample.beat("suite", children=children)
    sample.beat("simulator")
    assert value(samples(page(sample.settings).text().decode()), "process_up", "process=simulator") == 1
    sample.stop("simulator")
    found = samples(page(sample.settings).text().decode())
    up = {labels: number for (name, labels), number in found.items() if name == "crypto_process_up"}
    assert up.get(frozenset({"process=simulator"})) == (0 if told else None)
    assert (up[frozenset({"process=suite"})], up[frozenset({"process=collector"})]) == (1, 0)


def test_the_page_tells_what_is_stored(run: SampleWorkspace) -> None:
    """Ages, sizes and the scores of the last day come from what is published."""
    found = samples(page(run.settings).text().decode())
    assert 0 <= value(found, "price_age_seconds", "source=demo") < 600
    assert (value(found, "price_stale_after_seconds"), value(found, "forecast_stale_after_seconds")) == (180, 120)
    assert value(found, "coins") == value(found, "coins_with_forecast") == 3
    assert value(found, "coin_price_age_seconds", "statistic=worst") < 600
    assert value(found, "day_scored_forecasts", "horizon_minutes=60") == 3 * 23 * 12
    assert value(found, "day_coverage", "horizon_minutes=60", "interval_percent=80") == pytest.approx(10 / 12)
    assert value(found, "day_skill", "horizon_minutes=60") == pytest.approx(0.03)
    assert value(found, "stored_bytes", "table=crypto.db") >= run.workspace.database.stat().st_size
    assert value(found, "disk_free_bytes") < value(found, "disk_size_bytes")


def test_names_and_help_follow_the_conventions(run: SampleWorkspace, client: TestClient) -> None:
    """Counters end in _total, times are in seconds, sizes in bytes, and every family is explained in English."""
    client.get("/prever/btc")
    served = families(client.get("/metrics").text)
    for family in (*served, *families(page(run.settings).text().decode())):
        assert re.fullmatch(r"crypto_[a-z0-9_]+", family.name)
        assert re.fullmatch(r"[A-Z0-9].*\.", family.documentation), family.name
        assert not re.search(r"_(ms|minutes|kb|mb|percent|count|sum)$", family.name)
        if family.type == "counter":
            assert all(sample.name.endswith("_total") for sample in family.samples)
    assert {family.type for family in served} == {"counter", "gauge", "histogram"}


def test_before_the_first_start_it_answers_too(tmp_path: Path) -> None:
    """An empty folder has processes that are down, no source, and nothing else to tell."""
    found = samples(page(load_settings(data_dir=tmp_path / "none")).text().decode())
    assert value(found, "ready") == 0
    assert value(found, "process_up", "process=collector") == 0
    assert ("crypto_process_up", frozenset({"process=suite"})) not in found
    assert not any(name.startswith(("crypto_day", "crypto_stored", "crypto_coins")) for name, _ in found)


def test_damaged_files_leave_out_only_their_own_series(sample: SampleWorkspace) -> None:
    """A database that cannot be read costs the series of prices; the state still names the problem."""
    sample.fill()
    sample.workspace.database.write_bytes(b"no database" * 500)
    found = samples(page(sample.settings).text().decode())
    assert value(found, "problem", "code=prices_damaged") == 1
    assert value(found, "day_skill", "horizon_minutes=60") == pytest.approx(0.03)
    assert ("crypto_coins", frozenset()) not in found


def test_two_thousand_coins_have_as_many_series_as_three(sample: SampleWorkspace, tmp_path: Path) -> None:
    """The number of series does not grow with the coins."""

    def series(coins: int) -> set[tuple[str, frozenset[str]]]:
        named = [Coin(f"coin-{number}", f"c{number}", f"Coin {number}", number, 1) for number in range(coins)]
        made = SampleWorkspace.make(tmp_path / str(coins), named)
        made.fill_prices(hours=0.01)
        made.publish_scores(hours=1)
        return set(samples(page(made.settings).text().decode()))

    assert series(2000) == series(3)


def test_requests_are_counted_by_route_and_status(client: TestClient, filled: SampleWorkspace) -> None:
    """Whatever path is asked for, there are as many routes as the API has, and one for all others."""
    counts = page(filled.settings, client.app.state.measures)  # type: ignore[attr-defined]  # ASGI for its types
    before = samples(counts.text().decode())
    for number in range(40):
        client.get(f"/nada-{number}/{number}")
        client.get(f"/prever/moeda-{number}")
    assert client.get("/v1/prever/btc").status_code == client.head("/prever/btc").status_code == 200
    client.get("/moedas", headers={"Host": "evil.example"})
    found = samples(counts.text().decode())
    now = {labels: count for (name, labels), count in found.items() if name == REQUESTS}
    gained = {labels: count - before.get((REQUESTS, labels), 0) for labels, count in now.items()}
    assert gained[frozenset({"worker=api", "route=unknown", "status=404"})] == 40
    assert gained[frozenset({"worker=api", "route=/prever/{moeda}", "status=404"})] == 40
    assert gained[frozenset({"worker=api", "route=/prever/{moeda}", "status=200"})] == 2
    assert gained[frozenset({"worker=api", "route=/moedas", "status=400"})] == 1
    buckets = [(labels, count) for (name, labels), count in found.items() if name == f"{LATENCIES}_bucket"]
    assert max(count for labels, count in buckets if labels >= {"route=unknown"}) == 40
    assert value(found, "http_response_size_bytes_total", "worker=api", "route=/prever/{moeda}") > 1000


def test_each_process_tells_the_requests_of_all(run: SampleWorkspace) -> None:
    """What another process of the API wrote in its health file stands on the page beside the own counts."""
    own, other = RequestMeasures(), RequestMeasures()
    own.record("/moedas", 200, 0.001, 10)
    for _ in range(3):
        other.record("/moedas", 200, 0.001, 10)
    settings = run.settings.model_copy(update={"api_workers": 2})
    with Heartbeat(run.settings.run_dir, api_worker(2)) as heartbeat:
        heartbeat.state(ProcessState.SERVING, other.progress())
        found = samples(page(settings, own).text().decode())
    by_worker = {name: value(found, "http_requests_total", f"worker={name}", *LISTED) for name in ("api", "api_2")}
    assert by_worker == {"api": 1, "api_2": 3}
    assert value(found, "http_request_duration_seconds_bucket", "worker=api_2", "route=/moedas", "le=0.001") == 3


def test_a_page_is_kept_for_some_seconds(run: SampleWorkspace) -> None:
    """Scrapes in quick succession get the same page; a page that is too old is made again."""
    measures = RequestMeasures()
    kept, fresh = page(run.settings, measures, math.inf), page(run.settings, measures)
    first = kept.text(), fresh.text()
    measures.record("/moedas", 200, 0.001, 10)
    assert kept.text() == first[0]
    assert b'route="/moedas"' in fresh.text()


@pytest.mark.parametrize(
    ("token", "caller", "headers", "status"),
    [
        (None, "127.0.0.1", {}, 200),
        (None, "127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}, 403),
        (None, "127.0.0.1", {"Forwarded": "for=203.0.113.7"}, 403),
        (None, "192.168.1.7", {}, 403),
        (TOKEN, "127.0.0.1", {}, 401),
        (TOKEN, "127.0.0.1", {"Authorization": "Bearer um-segredo-bem-guardado"}, 401),
        (TOKEN, "127.0.0.1", {"Authorization": f"Bearer {TOKEN}"}, 200),
        (TOKEN, "192.168.1.7", {"Authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
def test_who_may_read_the_page(
    filled: SampleWorkspace, make_client: ClientFactory, *, token: str | None, caller: str, headers: Any, status: int
) -> None:
    """With a token of its own, who carries it (not the token of the data); without one, this machine and no proxy."""
    secrets = {"api_token": SecretStr("um-segredo-bem-guardado"), "metrics_token": SecretStr(token) if token else None}
    client = make_client(filled.settings.model_copy(update=secrets), caller=caller)
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("CRYPTO_METRICS_TOKEN" in answer.text) == (status != 200)


def test_scrapes_do_not_count_but_guesses_of_the_token_do(filled: SampleWorkspace, make_client: ClientFactory) -> None:
    """The right token is never refused for its rate; wrong ones soon are."""
    settings = filled.settings.model_copy(update={"metrics_token": SecretStr(TOKEN), "api_rate_limit": 3})
    client = make_client(settings)
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert [client.get("/metrics", headers=right).status_code for _ in range(6)] == [200] * 6
    assert [client.get("/metrics").status_code for _ in range(4)] == [401] * 3 + [429]
    assert client.get("/metrics", headers=right).status_code == 200


def test_ops_files_name_only_series_that_exist(run: SampleWorkspace) -> None:
    """Every series of the alert rules, their tests and the dashboard is one that a page of the suite can have."""
    measures = RequestMeasures()
    measures.record("/moedas", 200, 0.001, 10)
    known = {name for name, _ in samples(page(run.settings, measures).text().decode())}
    files = [*OPS.rglob("*.yml"), *OPS.rglob("*.json"), PROJECT / "tests" / "ops" / "alert_rules.yml"]
    named = {name for file in files for name in re.findall(r"\bcrypto_[a-z0-9_]+", plain(file))}
    assert len(named) > 25
    assert named - known == set()


@pytest.mark.parametrize("guide", ["operacao.md", "operations.en.md"])
def test_the_guide_explains_every_series(run: SampleWorkspace, guide: str) -> None:
    """Each family of the page stands in the table of both guides, and the table has no other."""
    measures = RequestMeasures()
    measures.record("/moedas", 200, 0.001, 10)
    made = families(page(run.settings, measures).text().decode())
    named = {f"{family.name}_total" if family.type == "counter" else family.name for family in made}
    table = re.findall(r"^\| `crypto_.*?\|", (PROJECT / "docs" / guide).read_text(encoding="utf-8"), re.M)
    assert set(re.findall(r"`(crypto_\w+)`", " ".join(table))) == named


def plain(file: Path) -> str:
    """The text of a file without its comments."""
    return "\n".join(line.partition(" #")[0] for line in file.read_text(encoding="utf-8").splitlines())
