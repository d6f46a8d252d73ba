"""The state of the whole suite in one judgement, the same for /status, the banner and the diagnostics page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigurationError, DamagedFile, NotReady
from core.files import read_json, refuses_writing
from core.processes.heartbeat import Health, read_health
from core.reading.readers import Readers
from core.settings import Settings, Source
from core.times import HOUR_MS, now_ms, parse_moment

__all__ = ["SENTENCES", "Problem", "State", "SuiteStatus", "judge"]

_STALE_FLOOR_S: Final = 180.0
_LONGEST: Final = 300
_PROCESSES: Final = ("collector", "pipeline", "api", "dashboard")

SENTENCES: Final[Mapping[str, str]] = {
    "disk_refuses": "não é possível gravar em {folder}: o disco está cheio ou só para leitura",
    "prices_unsaved": "o coletor não grava: {reason}",
    "collector_stopped": "o processo coletor está parado",
    "pipeline_stopped": "o processo pipeline está parado",
    "api_stopped": "o processo API está parado",
    "dashboard_stopped": "o processo painel está parado",
    "files_damaged": "arquivos danificados foram postos de lado: {files}",
    "prices_damaged": "a base de preços está danificada ({reason}) e será refeita pelo coletor",
    "prices_refused": "{reason}",
    "prices_stale": "os preços estão parados há {age}",
    "forecasts_damaged": "as previsões publicadas estão danificadas ({reason}) e serão refeitas pelo pipeline",
    "forecasts_stale": "as previsões estão paradas há {age}",
    "step_failed": "falhou ao {step}: {reason}",
}
"""What can be wrong: a code for programs, the worst first, and the sentence in Portuguese with its values."""


class State(StrEnum):
    """What a person needs to know first."""

    OK = "ok"
    DEGRADED = "degradado"
    WAITING = "aguardando_dados"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong: a code of SENTENCES and the values of its sentence."""

    code: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence in Portuguese."""
        return SENTENCES[self.code].format(**self.values)


@dataclass(frozen=True)
class SuiteStatus:
    """The suite at one moment; the worst of `problems` comes first."""

    state: State
    source: Source | None
    notice: str | None
    problems: tuple[Problem, ...]
    processes: dict[str, Health]
    newest_price_ms: int | None
    forecast_ms: int | None
    stale_after_s: float
    replay_ends_ms: int | None

    @property
    def is_live(self) -> bool:
        """Whether the prices shown are CoinGecko's own."""
        return self.source is Source.COINGECKO

    @property
    def price_age_s(self) -> float | None:
        """Seconds since the event time of the newest price."""
        return None if self.newest_price_ms is None else max(0.0, (now_ms() - self.newest_price_ms) / 1000)

    @property
    def forecast_age_s(self) -> float | None:
        """Seconds since the newest forecast was made."""
        return None if self.forecast_ms is None else max(0.0, (now_ms() - self.forecast_ms) / 1000)


def judge(settings: Settings, readers: Readers) -> SuiteStatus:
    """Look at health files, ages and pids now; never raises for what a running suite can meet."""
    processes = {name: read_health(settings.run_dir, name) for name in ("suite", *_PROCESSES, "simulator")}
    collector = processes["collector"]
    stale_after_s = max(float(collector.progress.get("stale_after_s") or 3 * settings.interval), _STALE_FLOOR_S)
    source, notice = _source(settings, readers, processes["suite"])
    newest_price_ms, price_problem = _newest_price(readers)
    forecast_ms, forecast_problem = _newest_forecast(readers)
    disk_problem = _disk(settings.run_dir, collector)
    problems = [
        *disk_problem,
        *_dead(processes, silenced=bool(disk_problem)),
        *_damaged(processes),
        *price_problem,
        *_stale("prices_stale", newest_price_ms, stale_after_s),
        *forecast_problem,
        *_stale("forecasts_stale", forecast_ms, max(4 * settings.interval, 60.0)),
        *_failed_steps(processes["pipeline"]),
    ]
    has_data = newest_price_ms is not None and forecast_ms is not None
    with_data = State.DEGRADED if problems else State.OK
    return SuiteStatus(
        state=with_data if has_data else State.WAITING,
        source=source,
        notice=notice,
        problems=tuple(problems),
        processes=processes,
        newest_price_ms=newest_price_ms,
        forecast_ms=forecast_ms,
        stale_after_s=stale_after_s,
        replay_ends_ms=processes["simulator"].progress.get("replay_ends_ms") if source is Source.REPLAY else None,
    )


def _source(settings: Settings, readers: Readers, suite: Health) -> tuple[Source | None, str | None]:
    try:
        source = readers.workspace().source
    except (NotReady, ConfigurationError):
        return None, None
    notice = suite.progress.get("notice") if suite.alive else None
    return source, notice or _read(settings.run_dir / "source.json").get("notice")


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except (FileNotFoundError, DamagedFile):
        return {}


def _disk(folder: Path, collector: Health) -> list[Problem]:
    """A disk that refuses, as this process sees it; else what keeps the collector from storing."""
    if folder.exists() and refuses_writing(folder):
        return [Problem("disk_refuses", {"folder": str(folder.parent)})]
    if collector.alive and collector.state == "sem_disco":
        return [Problem("prices_unsaved", {"reason": str(collector.progress.get("mensagem", "?"))[:_LONGEST]})]
    return []


def _dead(processes: dict[str, Health], *, silenced: bool) -> list[Problem]:
    """Processes that are not alive; where the disk keeps all of them from beating, those whose pid has gone."""
    return [
        Problem(f"{name}_stopped")
        for name in _PROCESSES
        if not (processes[name].alive or (silenced and processes[name].running))
        and (name in ("collector", "pipeline") or processes["suite"].alive)
    ]


def _damaged(processes: dict[str, Health]) -> list[Problem]:
    """Damaged files that were set aside within the last hour: nobody is to overlook that something was lost."""
    found = [
        name
        for process in ("collector", "pipeline")
        for name, moment in processes[process].progress.get("damaged", {}).items()
        if parse_moment(moment) >= now_ms() - HOUR_MS
    ]
    return [Problem("files_damaged", {"files": ", ".join(found)[:_LONGEST]})] if found else []


def _newest_price(readers: Readers) -> tuple[int | None, list[Problem]]:
    try:
        times = [quote.updated_ms for quote in readers.quotes() if quote.updated_ms is not None]
    except NotReady:
        return None, []
    except DamagedFile as error:
        return None, [Problem("prices_damaged", {"reason": str(error)})]
    except ConfigurationError as error:
        return None, [Problem("prices_refused", {"reason": str(error)})]
    return max(times, default=None), []


def _newest_forecast(readers: Readers) -> tuple[int | None, list[Problem]]:
    try:
        return max(view.created_ms for view in readers.forecasts().values()), []
    except (NotReady, ConfigurationError, ValueError):
        return None, []
    except DamagedFile as error:
        return None, [Problem("forecasts_damaged", {"reason": str(error)})]


def _stale(code: str, ts_ms: int | None, limit_s: float) -> list[Problem]:
    age_s = 0.0 if ts_ms is None else (now_ms() - ts_ms) / 1000
    if age_s <= limit_s:
        return []
    return [Problem(code, {"age": f"{age_s / 60:.0f} min" if age_s >= 60 else f"{age_s:.0f} s"})]


def _failed_steps(pipeline: Health) -> list[Problem]:
    """The steps that failed in the last cycle of a living pipeline; the last good model, or the baseline, goes on."""
    failed: Mapping[str, str] = (pipeline.progress.get("trouble") or {}) if pipeline.alive else {}
    return [Problem("step_failed", {"step": step, "reason": reason[:_LONGEST]}) for step, reason in failed.items()]
