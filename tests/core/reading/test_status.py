"""The assessment of the suite reports dead processes, stale data and damaged files."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.processes.health_schema import COLLECTOR, CollectorProgress, ProcessState
from core.processes.heartbeat import Heartbeat
from core.reading.readers import Readers
from core.reading.status import Processes, State, SuiteStatus, assess_suite
from core.settings import Source, load_settings
from core.times import HOUR_MS, iso, now_ms
from core.wording import message, say
from core.workspace import open_workspace, publish_source
from tests.support.ports import reserve_port
from tests.support.workspace import SampleWorkspace

Beat = Callable[..., None]
Assess = Callable[[], SuiteStatus]


@pytest.fixture
def sample(tmp_path: Path) -> SampleWorkspace:
    """An empty workspace of the simulated market."""
    return SampleWorkspace.make(tmp_path)


@pytest.fixture
def assess(sample: SampleWorkspace) -> Iterator[Assess]:
    """Assess the suite in that folder now."""
    readers = Readers(sample.settings)
    yield lambda: assess_suite(sample.settings, readers)
    readers.close()


@pytest.fixture
def beat(sample: SampleWorkspace) -> Beat:
    """Writes a health file like a live process, with changes."""

    def write(name: str, **changes: Any) -> None:
        value = {
            "name": name,
            "pid": os.getpid(),
            "started_at": iso(now_ms()),
            "heartbeat_at": iso(now_ms()),
            "heartbeat_monotonic": time.monotonic(),
            "state": "serving",
            "progress": {},
            "counters": {},
            "last_error": None,
        }
        path = sample.settings.run_dir / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value | changes))

    return write


def texts(status: SuiteStatus) -> tuple[str, ...]:
    """The problems as people read them."""
    return tuple(say(problem) for problem in status.problems)


def _all_alive(beat: Beat) -> None:
    for name in ("suite", "collector", "pipeline", "api", "dashboard"):
        beat(name)


def test_before_anything_runs_it_waits(tmp_path: Path) -> None:
    """An empty data folder is waiting for data, its source is unknown, and nothing is raised."""
    settings = load_settings(data_dir=tmp_path)
    status = assess_suite(settings, Readers(settings))
    assert (status.state, status.source, status.notice) == (State.WAITING, None, None)
    assert (status.price_age_s, status.forecast_age_s) == (None, None)


def test_all_alive_and_fresh_is_ok(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """With every process beating and fresh data there is no problem, and a simulation is not live."""
    sample.fill()
    _all_alive(beat)
    status = assess()
    assert (status.state, texts(status)) == (State.OK, ())
    assert not status.is_live
    assert status.newest_price_ms == sample.now
    assert status.price_age_s is not None
    assert status.price_age_s < 60


def test_prices_without_forecasts_are_still_waiting(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """Until the first forecast the suite waits for data."""
    sample.fill_prices(1)
    _all_alive(beat)
    assert assess().state is State.WAITING


@pytest.mark.parametrize(
    ("name", "label"), [("collector", "coletor"), ("pipeline", "pipeline"), ("api", "API"), ("dashboard", "painel")]
)
def test_a_dead_process_degrades_and_is_named(
    sample: SampleWorkspace, assess: Assess, beat: Beat, name: str, label: str
) -> None:
    """A process whose heartbeat is old, whose pid is gone or that ended is named as stopped."""
    sample.fill()
    for change in ({"heartbeat_monotonic": time.monotonic() - 60}, {"pid": 2**22 + 1}, {"state": "stopped"}):
        _all_alive(beat)
        beat(name, **change)
        status = assess()
        assert status.state is State.DEGRADED
        assert texts(status) == (f"o processo {label} está parado",)


def test_a_further_process_of_the_api_counts_as_the_api(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """Once the supervisor has started a second one, its end is the API's problem, said once."""
    sample.fill()
    _all_alive(beat)
    child = {"pid": 1, "state": "running", "restarts": 0, "last_exit": None, "started_at": iso(0)}
    beat("suite", progress={"children": {"api": child, "api_2": child}})
    beat("api_2")
    assert texts(assess()) == ()
    beat("api", state="stopped")
    beat("api_2", state="stopped")
    assert texts(assess()) == ("o processo API está parado",)


def test_a_missing_dashboard_is_no_problem_without_a_supervisor(
    sample: SampleWorkspace, assess: Assess, beat: Beat
) -> None:
    """A person may run collector, pipeline and API alone."""
    sample.fill()
    for name in ("collector", "pipeline"):
        beat(name)
    assert texts(assess()) == ()


def test_alerts_are_missed_only_where_they_were_started(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """A supervisor that has an alert process must have a living one; without rules of alerts there is none."""
    sample.fill()
    _all_alive(beat)
    assert texts(assess()) == ()
    child = {"pid": 1, "state": "running", "restarts": 0, "last_exit": None, "started_at": iso(now_ms())}
    beat("suite", progress={"children": {"alerts": child}})
    assert texts(assess()) == ("o processo dos alertas está parado",)
    beat("alerts")
    assert texts(assess()) == ()


def test_a_suspended_supervisor_is_told_by_its_children(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """The parent of this process is named when it is silent; another process that left its file behind is not."""
    sample.fill()
    _all_alive(beat)
    silent = {"heartbeat_monotonic": time.monotonic() - 60}
    beat("suite", pid=os.getppid())
    assert texts(assess()) == ()
    beat("suite", pid=os.getppid(), **silent)
    assert texts(assess()) == ("run_all.py não dá sinal de vida: o que parar não volta sozinho",)
    beat("suite", **silent)
    assert texts(assess()) == ()


def test_stale_prices_and_forecasts_degrade(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """After two hours without a price the suite is degraded, even if all processes are alive."""
    sample.now -= 5 * HOUR_MS // 2
    sample.fill()
    _all_alive(beat)
    status = assess()
    assert status.state is State.DEGRADED
    assert texts(status) == ("os preços estão parados há 2\u00a0h", "as previsões estão paradas há 2\u00a0h")


def test_the_collector_decides_what_is_stale(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """With a slow polling interval a price of an hour and a half ago is not stale."""
    sample.now -= 3 * HOUR_MS // 2
    sample.fill()
    _all_alive(beat)
    beat("collector", progress={"stale_after_s": 7200})
    status = assess()
    assert status.stale_after_s == 7200
    assert texts(status) == ("as previsões estão paradas há 1\u00a0h",)


def test_a_failed_step_of_the_pipeline_is_reported(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """A step that failed in the last cycle is a problem while the pipeline is alive."""
    sample.fill()
    _all_alive(beat)
    beat("pipeline", progress={"failed_steps": {"training": "disco cheio", "forecasts": "sem memória"}})
    assert texts(assess()) == ("falhou ao treinar: disco cheio", "falhou ao prever: sem memória")


def test_the_notice_outlives_the_supervisor(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """A running supervisor's notice is shown, otherwise the one stored with the source."""
    publish_source(sample.settings, sample.workspace, message("notice.fallback"))
    assert assess().notice == message("notice.fallback")
    beat("suite", progress={"notice": {"code": "notice.coingecko_back"}})
    assert assess().notice == message("notice.coingecko_back")


def test_the_end_of_a_replay_is_known_during_the_replay(sample: SampleWorkspace, tmp_path: Path, beat: Beat) -> None:
    """It comes from the local market server's record, and not from that of an earlier replay."""
    recording = tmp_path / "gravação.csv"
    recording.write_text("timestamp,coin,price\n")
    beat("simulator", progress={"replay_ends_ms": 1_800_000_000_000})
    replayed = SampleWorkspace.make(sample.settings.data_dir, source=Source.REPLAY, replay=recording)
    assert assess_suite(replayed.settings, Readers(replayed.settings)).replay_ends_ms == 1_800_000_000_000
    assert assess_suite(sample.settings, Readers(sample.settings)).replay_ends_ms is None


def test_live_prices_are_live(tmp_path: Path) -> None:
    """Only CoinGecko's own prices count as live."""
    sample = SampleWorkspace.make(tmp_path, source=Source.COINGECKO)
    assert assess_suite(sample.settings, Readers(sample.settings)).is_live


def test_a_damaged_database_is_a_problem_not_an_error(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """The message names the file and the process that will rebuild it."""
    sample.fill()
    _all_alive(beat)
    sample.workspace.database.write_bytes(b"\x00" * 8192)
    assert any("base de preços está danificada" in problem for problem in texts(assess()))


def test_damaged_forecasts_are_a_problem_not_an_error(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """A damaged manifest is among the problems."""
    sample.fill()
    _all_alive(beat)
    (sample.workspace.processed / "manifest.json").write_bytes(b"{")
    assert any("previsões publicadas estão danificadas" in problem for problem in texts(assess()))


def test_a_database_of_a_newer_release_is_a_problem_not_an_error(
    sample: SampleWorkspace, assess: Assess, beat: Beat
) -> None:
    """The reader refuses the schema; its message is among the problems."""
    sample.fill()
    _all_alive(beat)
    connection = sqlite3.connect(sample.workspace.database)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    assert any("atualize o programa" in problem for problem in texts(assess()))


def test_a_lost_recording_is_a_problem_not_an_error(tmp_path: Path) -> None:
    """An API that was started with a missing recording still responds."""
    settings = load_settings(data_dir=tmp_path, source=Source.REPLAY, replay=tmp_path / "nada.csv")
    status = assess_suite(settings, Readers(settings))
    assert status.state is State.WAITING
    assert any("nada.csv" in problem for problem in texts(status))


def test_a_broken_health_file_counts_as_dead(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """A process with a truncated health file is named as stopped."""
    sample.fill()
    _all_alive(beat)
    (sample.settings.run_dir / "collector.json").write_bytes(b'{"pid": ')
    assert "o processo coletor está parado" in texts(assess())


def test_a_collector_that_cannot_store_degrades(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """Prices that wait in memory are a problem although every process is alive."""
    sample.fill()
    _all_alive(beat)
    beat(
        "collector",
        state="storage_refused",
        progress={"message": {"code": "text", "values": {"text": "30 ficam na memória"}}},
    )
    status = assess()
    assert status.state is State.DEGRADED
    assert texts(status) == ("o coletor não grava: 30 ficam na memória",)


def test_a_key_that_is_accepted_no_more_is_named(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """While CoinGecko refuses the key, the suite is degraded and says which setting; other waits are no problem."""
    sample.fill()
    _all_alive(beat)
    beat("collector", progress={"wait_reason": {"code": "source.rate_limited", "values": {}}})
    assert texts(assess()) == ()
    refused = {"code": "source.settings_refused", "values": {"reason": "falta a chave"}}
    beat("collector", progress={"wait_reason": refused})
    assert texts(assess()) == ("o coletor não recebe preços: falta a chave",)
    assert assess().state is State.DEGRADED


def test_a_process_with_a_real_heartbeat_is_alive(sample: SampleWorkspace, assess: Assess) -> None:
    """What `Heartbeat` writes is read as alive."""
    with Heartbeat(sample.settings.run_dir, COLLECTOR) as heartbeat:
        said = message("collector.searching")
        heartbeat.state(ProcessState.COLLECTING, CollectorProgress(message=said))
        health = assess().processes.collector
        assert (health.alive, health.state, health.progress.message) == (True, ProcessState.COLLECTING, said)
    assert not assess().processes.collector.alive


def test_files_set_aside_are_named_for_an_hour(sample: SampleWorkspace, assess: Assess, beat: Beat) -> None:
    """Damaged files are among the problems for an hour."""
    now = now_ms()
    beat("pipeline", damaged={"log/part.parquet": iso(now), "old.parquet": iso(now - 2 * HOUR_MS)})
    text = " ".join(texts(assess()))
    assert "log/part.parquet" in text
    assert "old.parquet" not in text


def test_a_price_database_out_of_reach_is_a_problem(tmp_path: Path) -> None:
    """A server that does not answer is named in the status, in the words that the dashboard shows too."""
    url = f"postgresql://someone@127.0.0.1:{reserve_port()}/prices"
    settings = load_settings(source="demo", data_dir=tmp_path, models_dir=tmp_path / "models", database_url=url)
    open_workspace(settings)
    with closing(Readers(settings)) as readers:
        problems = [say(problem) for problem in assess_suite(settings, readers).problems]
    assert "banco de preços fora do ar" in problems


def test_who_follows_a_bucket_misses_no_process_of_another_machine(tmp_path: Path) -> None:
    """Without a suite here, collector and pipeline must run here only if forecasts do not come from a bucket."""
    assert [health.name for health in Processes.read(tmp_path).needed()] == ["collector", "pipeline"]
    assert list(Processes.read(tmp_path, follows=True).needed()) == []
