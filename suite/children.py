"""Command line and environment of each process of the suite; each is told only the secrets that it needs."""

from __future__ import annotations

import os
import urllib.request
from dataclasses import replace
from typing import Final

from core.processes.child import HIDDEN_VARIABLE, child_command
from core.processes.health_schema import api_worker
from core.settings import PARENT_VARIABLE, SECRETS, Plan, Settings, Source
from core.store_address import BUCKET_VARIABLES
from core.workspace import Workspace
from suite.service_manager import SERVICE_VARIABLES
from suite.supervisor import ChildSpec

__all__ = ["RESOURCE_LIMITS", "alerts", "api", "collector", "dashboard", "pipeline", "simulator"]

RESOURCE_LIMITS: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "ARROW_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "131072",
    "MALLOC_TRIM_THRESHOLD_": "131072",
}
"""One thread per numerical library, so that one of two cores stays free; and a C library that returns freed memory,
which halves the memory of the pipeline with 250 coins. The last four have no effect outside Linux.
"""
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_LOCAL_HOSTS: Final = "127.0.0.1,localhost"
_NOT_INHERITED: Final = ("PYTHONSAFEPATH", "PYTHONHOME", "FORCE_COLOR", *SERVICE_VARIABLES)
_STORE: Final = ("database_url", "database_read_url")
_CHANNELS: Final = "CRYPTO_"
"""Variables that alerts.toml names; settings begin with it too, and every child is given those apart."""


def api(settings: Settings, worker: int = 1) -> ChildSpec:
    """A process of the HTTP API; it reads the source from data/run/source.json, so it can start before the decision."""
    known = _knowing(_reader_settings(settings), "api_token", "metrics_token", *_STORE)
    return _spec(api_worker(worker).name, ("api.server", "--worker", str(worker)), known)


def dashboard(settings: Settings) -> ChildSpec:
    """The Streamlit dashboard; it reads the source from data/run/source.json too."""
    command = ("streamlit", "run", "dashboard/app.py")
    options = {
        "server.address": settings.host,
        "server.port": settings.dashboard_port,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "logger.level": "warning",
        "logger.hideWelcomeMessage": "true",
    }
    flags = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    flags += [text for host in _dashboard_hosts(settings) for text in ("--server.allowedHosts", host)]
    return _spec("dashboard", (*command, *flags), _knowing(_reader_settings(settings), "api_token", *_STORE))


def simulator(settings: Settings, workspace: Workspace, port: int) -> ChildSpec:
    """The local market server at `port`: a simulated market or the replay of a recording."""
    command = ["etl.simulator", "--port", str(port), "--epoch-ms", str(workspace.epoch_ms)]
    command += ["--seed", str(settings.seed), "--currency", settings.currency]
    command += ["--run-dir", str(settings.run_dir), "--log-level", settings.log_level]
    command += ["--log-format", settings.log_format]
    if settings.coins:
        command += ["--coins", ",".join(settings.coins)]
    if settings.source is Source.REPLAY:
        command += ["--replay", str(settings.replay)]
        if settings.replay_start:
            command += ["--replay-start", settings.replay_start]
    return _spec("simulator", command, _knowing(settings))


def collector(settings: Settings) -> ChildSpec:
    """The collector, the only process that requests prices and writes the price store."""
    return _spec("collector", ("etl.extract",), _knowing(settings, "coingecko_key", *_STORE))


def pipeline(settings: Settings) -> ChildSpec:
    """The pipeline: features, training, forecasts and scores, without pandas."""
    known = _knowing(settings.for_readers(), *_STORE)
    spec = _spec("pipeline", ("model.pipeline",), known, *([BUCKET_VARIABLES] if settings.bucket else []))
    return replace(spec, environment={**spec.environment, HIDDEN_VARIABLE: "pandas"})


def alerts(settings: Settings) -> ChildSpec:
    """The alert process, which nothing else needs; without pandas, which pyarrow would load."""
    spec = _spec("alerts", ("alerts",), _knowing(_reader_settings(settings), *_STORE), _CHANNELS)
    return replace(spec, environment={**spec.environment, HIDDEN_VARIABLE: "pandas"}, is_vital=False)


def _dashboard_hosts(settings: Settings) -> tuple[str, ...]:
    """Host names that browsers may use; all of them on an open address without a list: a token protects it."""
    if settings.is_loopback or settings.allowed_hosts:
        return (*_LOOPBACK, *settings.allowed_hosts)
    return ("*",)


def _reader_settings(settings: Settings) -> Settings:
    """Readers beside the pipeline read its folder, not the bucket."""
    return settings.for_readers().model_copy(update={"source": Source.AUTO, "artifacts_url": None})


def _knowing(settings: Settings, *secrets: str) -> Settings:
    """The same settings for a process that needs these secrets alone.

    Without the token it listens on no open address, and without the key it asks the source as anybody may.

    Args:
        settings: of the suite.
        secrets: names of settings, such as `api_token`; each may be given itself or by its file.
    """
    dropped = [name for name in SECRETS if name not in secrets]
    update: dict[str, object] = {f"{name}{suffix}": None for name in dropped for suffix in ("", "_file")}
    if "api_token" in dropped:
        update["host"] = Settings.model_fields["host"].default
    if "coingecko_key" in dropped and settings.coingecko_plan in (Plan.DEMO_KEY, Plan.PRO_KEY):
        update["coingecko_plan"] = Plan.KEYLESS
    return settings.model_copy(update=update)


def _spec(name: str, arguments: tuple[str, ...] | list[str], settings: Settings, *secret_prefixes: str) -> ChildSpec:
    argv, variables = child_command(*arguments)
    return ChildSpec(name, argv, {**_environment(settings, secret_prefixes), **RESOURCE_LIMITS, **variables})


def _environment(settings: Settings, secret_prefixes: tuple[str, ...]) -> dict[str, str]:
    """The environment of a child: that of this process, all settings, UTF-8 and the parent's pid.

    Of the variables that hold secrets of channels and buckets it has those with `secret_prefixes` alone, and settings
    in small letters it has none. The local market server is exempt from proxies. Proxies from the settings of Windows
    or macOS are named, because the exemption alone would hide them from the child.
    """
    withheld = tuple({_CHANNELS, BUCKET_VARIABLES} - {*secret_prefixes})
    given = settings.environment()
    unwanted = {*_NOT_INHERITED, *given}
    kept = (name for name in os.environ if name.upper() not in unwanted and not name.upper().startswith(withheld))
    environment = {name: os.environ[name] for name in kept} | given
    environment |= {PARENT_VARIABLE: str(os.getpid()), "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
    proxies = urllib.request.getproxies()
    environment |= {f"{scheme}_proxy": proxies[scheme] for scheme in ("http", "https") if scheme in proxies}
    hosts = {environment.get("NO_PROXY"): None, environment.get("no_proxy"): None, _LOCAL_HOSTS: None}
    return environment | dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(filter(None, hosts)))
