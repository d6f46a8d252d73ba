"""Body of /status, from the state of the whole suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import Any

from api.conversions import iso_or_none, kinds
from api.schemas import ModelStatus, ProcessStatus, Status
from core.errors import ConfigurationError, DamagedFile, NotReady
from core.processes.heartbeat import Health
from core.reading.forecast_columns import forecast_columns
from core.reading.readers import Readers
from core.reading.status import SuiteStatus, assess_suite
from core.settings import Settings
from core.times import iso, now_ms
from core.wording import Message, message, say

__all__ = ["suite_state"]


def suite_state(settings: Settings, readers: Readers, version: str, language: str = "pt") -> Status:
    """The body of /status, also while there are no data yet; its sentences in `language`."""
    verdict = assess_suite(settings, readers)
    processes = verdict.processes
    dashboard = processes.dashboard
    return Status(
        status=verdict.state.value,
        horario_atual=iso(now_ms()),
        versao=version,
        fonte=verdict.source.value if verdict.source else None,
        moeda_cotacao=_currency(readers),
        dados_reais=verdict.is_live,
        aviso=_notice(verdict, language),
        problemas=[say(problem, language) for problem in verdict.problems],
        codigos_dos_problemas=[problem.code.removeprefix("problem.") for problem in verdict.problems],
        termina_em=iso_or_none(verdict.replay_ends_ms),
        coletor=_process(
            processes.collector, iso_or_none(verdict.newest_price_ms), verdict.price_age_s, language=language
        ),
        pipeline=_process(
            processes.pipeline, iso_or_none(verdict.forecast_ms), verdict.forecast_age_s, language=language
        ),
        modelo=_model(readers, verdict, language),
        dashboard=_process(dashboard, dashboard.heartbeat_at, dashboard.age_s, language=language),
    )


def _currency(readers: Readers) -> str | None:
    try:
        return readers.workspace().currency
    except (NotReady, ConfigurationError):
        return None


def _notice(verdict: SuiteStatus, language: str) -> str | None:
    if verdict.notice is not None:
        return say(verdict.notice, language)
    is_real = verdict.source is None or verdict.is_live
    return None if is_real else say(message(f"attribution.{verdict.source}"), language)


def _process(health: Health[Any], updated_at: str | None, age_s: float | None, *, language: str) -> ProcessStatus:
    error = health.last_error
    return ProcessStatus(
        vivo=health.alive,
        estado=None if health.state is None else say(message(f"state.{health.state}"), language),
        mensagem=say(_message(health), language),
        iniciado_em=health.started_at,
        ultimo_sinal_em=health.heartbeat_at,
        idade_sinal_segundos=health.age_s,
        atualizado_em=updated_at,
        idade_segundos=None if age_s is None else round(age_s, 1),
        progresso=_published(health, language),
        contadores=dict(health.counters),
        ultimo_erro=None if error is None else say(error.message, language),
        ultimo_erro_em=None if error is None else error.at,
    )


def _message(health: Health[Any]) -> Message | str:
    if not health.alive and health.running and health.age_s is not None:
        return message("process.silent", seconds=round(health.age_s))
    if not health.alive:
        return message("process.stopped" if health.pid else "process.not_started")
    return getattr(health.progress, "message", None) or message(f"state.{health.state}")


def _published(health: Health[Any], language: str) -> dict[str, Any]:
    """The record of a process for programs, its messages in words; empty before the process has started."""
    if health.pid is None:
        return {}
    record = {field.name: _plain(getattr(health.progress, field.name), language) for field in fields(health.progress)}
    return record | {"damaged": dict(health.damaged)}


def _plain(value: Any, language: str) -> Any:
    if isinstance(value, Message):
        return say(value, language)
    if isinstance(value, Mapping):
        return {str(name): _plain(item, language) for name, item in value.items()}
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _model(readers: Readers, verdict: SuiteStatus, language: str) -> ModelStatus:
    failed = [problem for problem in verdict.problems if problem.code == "problem.step_failed"]
    trouble = "; ".join(say(problem, language) for problem in failed) or None
    try:
        forecasts = forecast_columns(readers)
        newest = int(forecasts.created_ms.argmax())
    except (NotReady, DamagedFile, ConfigurationError, ValueError):
        return ModelStatus(
            tipo=None,
            versao=None,
            treinado_em=None,
            idade_segundos=None,
            moedas={},
            mensagem=say(message("model.none"), language),
            ultimo_erro=trouble,
        )
    counts, trained_ms, count = kinds(forecasts.kind), forecasts.trained_ms, len(forecasts.coins)
    return ModelStatus(
        tipo=forecasts.kind[newest] if len(counts) == 1 else "misto",
        versao=forecasts.model_version[newest],
        treinado_em=iso_or_none(trained_ms),
        idade_segundos=None if trained_ms is None else round((now_ms() - trained_ms) / 1000, 1),
        moedas=counts,
        mensagem=say(message("model.one" if count == 1 else "model.several", count=count), language),
        ultimo_erro=trouble,
    )
