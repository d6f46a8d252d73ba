"""Everything that can be set: names, defaults, what is accepted, and what follows from it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.access_tokens import SECRET, read_secrets
from core.logs import LogFormat
from core.price_rules import COIN_ID
from core.settings.choices import DEFAULT_COINS, Plan, Source
from core.settings.places import BASE, HOME
from core.times import parse_iso

__all__ = ["MAX_SHARDS", "SECRETS", "Settings"]

MAX_SHARDS: Final = 64
_MIN_NETWORK_TOKEN: Final = 16
"""Characters of a token that machines elsewhere may guess."""

SECRETS: Final = ("coingecko_key", "api_token", "metrics_token", "database_url", "database_read_url")
"""Settings that are never shown; each can also be given as a file, `…_file`."""

_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
_ORIGIN = re.compile(r"https?://(?:\*\.)?[A-Za-z0-9.-]+(?::\d{1,5})?")
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*))?/?")
_CLUSTER = re.compile(r"(tcp|tls)://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]{1,253}):\d{1,5}")
_DATABASE = re.compile(r"postgres(?:ql)?://[!-~]{1,2000}")
_TOP = re.compile(r"top:([1-9]\d{0,3})")


@contextmanager
def _as_paths() -> Iterator[None]:
    """Turn what pathlib raises for a home of nobody, or for links in a circle, into a problem of the setting."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise PydanticCustomError("settings.path", "no path of this system", {"reason": str(error)[:120]}) from error


class Settings(BaseSettings):
    """Everything that can be set, read from `CRYPTO_…` variables; frozen."""

    model_config = SettingsConfigDict(
        env_prefix="CRYPTO_", env_file=BASE / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    source: Source = Source.AUTO
    replay: Path | None = None
    replay_start: str | None = None
    coins: Annotated[tuple[str, ...] | None, NoDecode] = None
    currency: str = Field("usd", pattern=r"^[a-z]{2,10}$")
    interval: float = Field(30.0, ge=5, le=3600)
    shards: int = Field(1, ge=1, le=MAX_SHARDS)
    cluster: str | None = None
    seed: int = Field(0, ge=0, lt=2**32)
    host: str = Field("127.0.0.1", min_length=1, max_length=253)
    api_port: int = Field(8000, ge=1, le=65535)
    dashboard_port: int = Field(8501, ge=1, le=65535)
    api_workers: int = Field(1, ge=1, le=16)
    database_url: SecretStr | None = None
    database_url_file: Path | None = None
    database_read_url: SecretStr | None = None
    database_read_url_file: Path | None = None
    artifacts_url: str | None = None
    data_dir: Path = HOME / "data"
    models_dir: Path = HOME / "models"
    alerts_file: Path = BASE / "alerts.toml"
    browser: bool = True
    coingecko_url: str | None = None
    coingecko_plan: Plan = Plan.KEYLESS
    coingecko_key: SecretStr | None = None
    coingecko_key_file: Path | None = None
    calls_per_minute: float | None = Field(None, gt=0, le=1000)
    contact: str | None = Field(None, max_length=200)
    api_token: SecretStr | None = None
    api_token_file: Path | None = None
    metrics_token: SecretStr | None = None
    metrics_token_file: Path | None = None
    api_rate_limit: int | None = Field(None, ge=1)
    event_listeners: int = Field(1000, ge=0, le=10_000)
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    embed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    retention_days: int = Field(90, ge=15, le=3650)
    train_days: int = Field(14, ge=1, le=60)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: LogFormat = "text"
    log_file: Path | None = None
    access_log: bool = False

    @field_validator("coins", "cors_origins", "allowed_hosts", "embed_origins", mode="before")
    @classmethod
    def _split_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("coins")
    @classmethod
    def _check_coins(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if not value:
            return None
        ids = tuple(dict.fromkeys(part.lower() for part in value))
        if len(ids) == 1 and _TOP.fullmatch(ids[0]):
            return ids
        for coin in ids:
            if not COIN_ID.fullmatch(coin):
                raise PydanticCustomError("settings.coin_id", "no id of CoinGecko", {"coin": coin[:60]})
        return ids

    @field_validator("embed_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse what would say something else in a policy of frames."""
        for origin in value:
            if not _ORIGIN.fullmatch(origin):
                raise PydanticCustomError("settings.origin", "no origin", {"origin": origin[:60]})
        return value

    @field_validator("artifacts_url")
    @classmethod
    def _check_bucket(cls, value: str | None) -> str | None:
        if value is not None and not _BUCKET.fullmatch(value):
            raise PydanticCustomError("settings.bucket", "no address of a bucket")
        return value

    @field_validator("cluster")
    @classmethod
    def _check_cluster(cls, value: str | None) -> str | None:
        """Refuse a cluster of other machines without certificates: who reaches it runs what they like there."""
        if value is not None:
            match = _CLUSTER.fullmatch(value)
            if match is None or (match[1] == "tcp" and match[2].strip("[]") not in _LOOPBACK):
                raise PydanticCustomError("settings.cluster", "no address of a cluster")
        return value

    @field_validator("replay_start")
    @classmethod
    def _check_moment(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                parse_iso(value)
            except ValueError as error:
                raise PydanticCustomError("settings.moment", "no ISO 8601 time", {"text": value[:60]}) from error
        return value

    @field_validator("coingecko_key", "api_token", "metrics_token")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse what cannot stand in an HTTP header."""
        if value is not None and not SECRET.fullmatch(value.get_secret_value()):
            raise PydanticCustomError("settings.secret", "4 to 512 ASCII characters without spaces")
        return value

    @field_validator("data_dir", "models_dir", "alerts_file", "log_file", "replay")
    @classmethod
    def _from_project(cls, value: Path | None, info: Any) -> Path | None:
        """Resolve paths from the checkout, if this is one, and a recording from the current folder."""
        if value is None:
            return None
        with _as_paths():
            value = value.expanduser()
            return value.resolve() if info.field_name == "replay" else (BASE / value).resolve()

    @field_validator(*(f"{name}_file" for name in SECRETS))
    @classmethod
    def _keep_links(cls, value: Path | None) -> Path | None:
        """Take paths from the checkout, if this is one; a link stays one, because it may be changed to another file."""
        with _as_paths():
            return None if value is None else (BASE / value.expanduser()).absolute()

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        if self.source is Source.REPLAY and self.replay is None:
            raise PydanticCustomError("settings.replay_file", "a replay needs a file")
        if self.api_port == self.dashboard_port:
            raise PydanticCustomError("settings.same_port", "one port for two servers", {"port": self.api_port})
        if self.api_workers > 1 and sys.platform != "linux":
            raise PydanticCustomError("settings.workers", "several processes share a port on Linux alone")
        for name in SECRETS:
            self._secrets(name)
        for name in ("database_url", "database_read_url"):
            if not all(map(_DATABASE.fullmatch, self._secrets(name))):
                variable = f"CRYPTO_{name.upper()}"
                raise PydanticCustomError("settings.database_url", "no URL of PostgreSQL", {"variable": variable})
        if not self.is_loopback:
            self._check_network_token()
        if self.coingecko_plan in (Plan.DEMO_KEY, Plan.PRO_KEY) and self.source_key is None:
            raise PydanticCustomError("settings.plan_key", "a key is needed", {"plan": self.coingecko_plan.value})
        return self

    def _check_network_token(self) -> None:
        """Refuse an address that other machines reach without a token that they cannot guess."""
        tokens = self._secrets("api_token")
        if not tokens:
            raise PydanticCustomError("settings.open_host", "a token is needed", {"host": self.host})
        if min(map(len, tokens)) < _MIN_NETWORK_TOKEN:
            values = {"host": self.host, "least": _MIN_NETWORK_TOKEN}
            raise PydanticCustomError("settings.short_token", "the token is too short", values)

    def _secrets(self, name: str) -> tuple[str, ...]:
        """What a secret is, given itself or by its file; nothing if it is not given."""
        value, path = getattr(self, name), getattr(self, f"{name}_file")
        variable = {"variable": f"CRYPTO_{name.upper()}"}
        if path is None:
            return () if value is None else (value.get_secret_value(),)
        if value is not None:
            raise PydanticCustomError("settings.secret_twice", "given twice", variable)
        try:
            return read_secrets(path)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise PydanticCustomError(
                "settings.secret_unreadable", "{reason}", variable | {"reason": reason}
            ) from error
        except ValueError as error:
            raise PydanticCustomError("settings.secret_file", "no secrets, one a line", variable) from error

    @property
    def source_key(self) -> str | None:
        """The key of the CoinGecko plan; of several in a file the first."""
        return next(iter(self._secrets("coingecko_key")), None)

    @property
    def store_url(self) -> SecretStr | None:
        """The URL of a PostgreSQL server that keeps the prices, for the role that writes."""
        return next(map(SecretStr, self._secrets("database_url")), None)

    @property
    def store_read_url(self) -> SecretStr | None:
        """The same for a role that only reads, if there is one."""
        return next(map(SecretStr, self._secrets("database_read_url")), None)

    @property
    def bucket(self) -> tuple[str, str] | None:
        """Name of the bucket that what is published is copied to, and the folder in it."""
        match = _BUCKET.fullmatch(self.artifacts_url or "")
        return None if match is None else (match[1], match[2] or "")

    @property
    def is_loopback(self) -> bool:
        """Whether API and dashboard can be reached only from this machine."""
        return self.host in _LOOPBACK

    @property
    def top(self) -> int | None:
        """N of `top:N`, or None if coins are named by id."""
        match = _TOP.fullmatch(self.coins[0]) if self.coins else None
        return int(match[1]) if match else None

    @property
    def coin_ids(self) -> tuple[str, ...]:
        """The ids asked for, by default ten; empty with `top:N`."""
        return () if self.top else (self.coins or DEFAULT_COINS)

    @property
    def run_dir(self) -> Path:
        """Folder of the health files and the suite's lock."""
        return self.data_dir / "run"

    def for_readers(self) -> Settings:
        """The same settings for a process that only reads prices: without the writing role, if there is another."""
        if self.store_read_url is None:
            return self
        return self.model_copy(update={"database_url": None, "database_url_file": None})

    def environment(self) -> dict[str, str]:
        """The same settings as `CRYPTO_…` variables, for a child process."""
        variables: dict[str, str] = {}
        for name, value in self:
            key = f"CRYPTO_{name.upper()}"
            match value:
                case None | ():
                    variables[key] = ""
                case SecretStr():
                    variables[key] = value.get_secret_value()
                case tuple():
                    variables[key] = ",".join(value)
                case _:
                    variables[key] = str(value)
        return variables
