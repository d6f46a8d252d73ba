"""The state of the whole suite in one judgement, the same for /status, the banner and the diagnostics page."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigurationError, DamagedFile, NotReady
from core.files import read_json
from core.health import Health, read_health
from core.readers import Readers
from core.settings import Settings, Source
from core.times import HOUR_MS, now_ms, parse_moment

__all__ = ["State", "SuiteStatus", "judge"]

_STALE_FLOOR_S: Final = 180.0
_PROCESS_NAMES: Final = {"collector": "coletor", "pipeline": "pipeline", "api": "API", "dashboard": "painel"}


class State(StrEnum):
    """What a person needs to know first."""

    OK = "ok"
    DEGRADED = "degradado"
    WAITING = "aguardando_dados"


@dataclass(frozen=True)
class SuiteStatus:
    """The suite at one moment; `problems` are Portuguese sentences, worst first."""

    state: State
    source: Source | None
    notice: str | None
    problems: tuple[str, ...]
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
    processes = {name: read_health(settings.run_dir, name) for name in ("suite", *_PROCESS_NAMES, "simulator")}
    collector = processes["collector"]
    stale_after_s = max(float(collector.progress.get("stale_after_s") or 3 * settings.interval), _STALE_FLOOR_S)
    source, notice = _source(settings, readers, processes["suite"])
    newest_price_ms, price_problem = _newest_price(readers)
    forecast_ms, forecast_problem = _newest_forecast(readers)
    problems = [
        *_dead(processes),
        *_damaged(processes),
        *price_problem,
        *_stale("os preços estão parados", newest_price_ms, stale_after_s),
        *forecast_problem,
        *_stale("as previsões estão paradas", forecast_ms, max(4 * settings.interval, 60.0)),
        *_troubles(processes["pipeline"]),
    ]
    if newest_price_ms is None or forecast_ms is None:
        state = State.WAITING
    else:
        state = State.DEGRADED if problems else State.OK
    return SuiteStatus(
        state=state,
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


def _dead(processes: dict[str, Health]) -> list[str]:
    return [
        f"o processo {label} está parado"
        for name, label in _PROCESS_NAMES.items()
        if not processes[name].alive and (name in ("collector", "pipeline") or processes["suite"].alive)
    ]


def _damaged(processes: dict[str, Health]) -> list[str]:
    """Damaged files that were set aside within the last hour: nobody is to overlook that something was lost."""
    found = [
        name
        for process in ("collector", "pipeline")
        for name, moment in processes[process].progress.get("damaged", {}).items()
        if parse_moment(moment) >= now_ms() - HOUR_MS
    ]
    return [f"arquivos danificados foram postos de lado: {', '.join(found)[:300]}"] if found else []


def _newest_price(readers: Readers) -> tuple[int | None, list[str]]:
    try:
        times = [quote.updated_ms for quote in readers.quotes() if quote.updated_ms is not None]
    except NotReady:
        return None, []
    except DamagedFile as error:
        return None, [f"a base de preços está danificada ({error}) e será refeita pelo coletor"]
    except ConfigurationError as error:
        return None, [str(error)]
    return max(times, default=None), []


def _newest_forecast(readers: Readers) -> tuple[int | None, list[str]]:
    try:
        return max(view.created_ms for view in readers.forecasts().values()), []
    except (NotReady, ConfigurationError, ValueError):
        return None, []
    except DamagedFile as error:
        return None, [f"as previsões publicadas estão danificadas ({error}) e serão refeitas pelo pipeline"]


def _stale(what: str, ts_ms: int | None, limit_s: float) -> list[str]:
    if ts_ms is None or (now_ms() - ts_ms) / 1000 <= limit_s:
        return []
    minutes = (now_ms() - ts_ms) / 60_000
    return [f"{what} há {minutes:.0f} min" if minutes >= 1 else f"{what} há {minutes * 60:.0f} s"]


def _troubles(pipeline: Health) -> list[str]:
    trouble = pipeline.progress.get("trouble") if pipeline.alive else None
    return [str(trouble)] if trouble else []
