"""Settings, built once from the command line, the environment and `.env`, then passed to whatever needs them."""

from __future__ import annotations

import os
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, NoDecode, SettingsConfigDict

from core.access_tokens import SECRET, read_secrets
from core.errors import ConfigurationError
from core.logs import LogFormat
from core.price_rules import COIN_ID
from core.times import parse_iso
from core.wording import Message, Value, message, sentences

__all__ = [
    "DEFAULT_COINS",
    "MAX_SHARDS",
    "PARENT_VARIABLE",
    "PROJECT",
    "Plan",
    "Settings",
    "Source",
    "all_variables",
    "load_settings",
]

PARENT_VARIABLE: Final = "CRYPTO_PARENT_PID"
"""Holds the pid of the process that started this one and passed it all settings."""

PROJECT: Final = Path(__file__).resolve().parent.parent
_IN_CHECKOUT: Final = (PROJECT / "pyproject.toml").is_file()
_BASE: Final = PROJECT if _IN_CHECKOUT else Path()
"""Folder of `.env` and base of relative paths: the checkout, or the current folder of an installed package."""
_HOME: Final = PROJECT if _IN_CHECKOUT else platformdirs.user_data_path("crypto-forecasting", appauthor=False)
"""Default folder of data and models."""
DEFAULT_COINS: Final = (
    "bitcoin",
    "ethereum",
    "solana",
    "ripple",
    "cardano",
    "dogecoin",
    "litecoin",
    "binancecoin",
    "chainlink",
    "polkadot",
)
MAX_SHARDS: Final = 64
_MIN_NETWORK_TOKEN: Final = 16
"""Characters of a token that machines elsewhere may guess."""

_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
_ORIGIN = re.compile(r"https?://(?:\*\.)?[A-Za-z0-9.-]+(?::\d{1,5})?")
_SECRETS: Final = ("coingecko_key", "api_token", "metrics_token", "database_url", "database_read_url")
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*))?/?")
_DATABASE = re.compile(r"postgres(?:ql)?://[!-~]{1,2000}")
_TOP = re.compile(r"top:([1-9]\d{0,3})")


class Source(StrEnum):
    """Where prices come from; the suite decides what `AUTO` means when it starts."""

    AUTO = "auto"
    COINGECKO = "coingecko"
    DEMO = "demo"
    REPLAY = "replay"


class Plan(StrEnum):
    """CoinGecko plans; the free "Demo" plan is `DEMO_KEY`, to keep it apart from the simulated market."""

    KEYLESS = "keyless"
    DEMO_KEY = "demo-key"
    PRO_KEY = "pro-key"
    LOCAL = "local"


class Settings(BaseSettings):
    """Everything that can be set, read from `CRYPTO_…` variables; frozen."""

    model_config = SettingsConfigDict(
        env_prefix="CRYPTO_", env_file=_BASE / ".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    source: Source = Source.AUTO
    replay: Path | None = None
    replay_start: str | None = None
    coins: Annotated[tuple[str, ...] | None, NoDecode] = None
    currency: str = Field("usd", pattern=r"^[a-z]{2,10}$")
    interval: float = Field(30.0, ge=5, le=3600)
    shards: int = Field(1, ge=1, le=MAX_SHARDS)
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
    data_dir: Path = _HOME / "data"
    models_dir: Path = _HOME / "models"
    alerts_file: Path = _BASE / "alerts.toml"
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
        value = value.expanduser()
        return value.resolve() if info.field_name == "replay" else (_BASE / value).resolve()

    @field_validator(*(f"{name}_file" for name in _SECRETS))
    @classmethod
    def _keep_links(cls, value: Path | None) -> Path | None:
        """Take paths from the checkout, if this is one; a link stays one, because it may be changed to another file."""
        return None if value is None else (_BASE / value.expanduser()).absolute()

    @model_validator(mode="after")
    def _check_together(self) -> Settings:
        if self.source is Source.REPLAY and self.replay is None:
            raise PydanticCustomError("settings.replay_file", "a replay needs a file")
        if self.api_port == self.dashboard_port:
            raise PydanticCustomError("settings.same_port", "one port for two servers", {"port": self.api_port})
        if self.api_workers > 1 and sys.platform != "linux":
            raise PydanticCustomError("settings.workers", "several processes share a port on Linux alone")
        for name in _SECRETS:
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


def load_settings(**overrides: object) -> Settings:
    """Build settings from `overrides` (None means not given), the environment and `.env`, in this precedence.

    A child of the suite gets all settings from its parent and does not read `.env`.

    Raises:
        ConfigurationError: a setting is wrong; the message has one line per problem and names the variable.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    if os.environ.get(PARENT_VARIABLE):
        given["_env_file"] = None
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        raise ConfigurationError(_lines([_explain(detail) for detail in error.errors()])) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(message("settings.env_encoding", reason=error.reason)) from error


def all_variables() -> dict[str, str]:
    """The variables of the environment, and the lines of `.env` that it does not override; they hold secrets.

    Raises:
        ConfigurationError: the file is not in UTF-8.
    """
    try:
        lines = DotEnvSettingsSource(Settings, case_sensitive=True).env_vars
    except UnicodeDecodeError as error:
        raise ConfigurationError(message("settings.env_encoding", reason=error.reason)) from error
    return {name: value for name, value in lines.items() if value is not None} | dict(os.environ)


def _lines(problems: list[Message]) -> Message:
    """Join messages into one, a line each."""
    first, *rest = problems
    return message("settings.lines", first=first, rest=_lines(rest)) if rest else first


def _explain(detail: ErrorDetails) -> Message:
    """Say what is wrong with one setting, without showing a secret."""
    reason = _reason(detail)
    if not detail["loc"]:
        return message("settings.invalid", reason=reason)
    name = str(detail["loc"][0])
    shown = "" if name in _SECRETS else f"={str(detail['input'])[:80]}"
    return message("settings.invalid_variable", variable=f"CRYPTO_{name.upper()}", shown=shown, reason=reason)


def _shown(value: object) -> Value:
    """A limit without decimal zeros, alternatives in a row: pydantic's " or " suits no other language."""
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" or ", ", ")


def _reason(detail: ErrorDetails) -> Message:
    code = detail["type"] if detail["type"].startswith("settings.") else f"settings.reason.{detail['type']}"
    if code not in sentences("en"):
        return message("settings.reason.other")
    values = {name: _shown(value) for name, value in detail.get("ctx", {}).items()}
    return Message(code, values)
