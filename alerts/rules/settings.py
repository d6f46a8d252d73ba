"""What alerts.toml sets besides rules: language, time zone, channels, quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from alerts.rules.rule import Rule
from alerts.rules.values import choice, flag, key, text
from core.errors import BadInput
from core.times import to_datetime
from core.wording import LANGUAGES, message

__all__ = ["AlertSettings", "Channel", "ChannelKind", "QuietHours"]

_DAY_MIN: Final = 24 * 60


def _zone(value: object) -> ZoneInfo:
    try:
        return ZoneInfo(text(value))
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise BadInput(message("alert.value.zone")) from error


def _minute(value: object) -> int:
    """Minutes since midnight of `23:00`."""
    try:
        moment = time.fromisoformat(text(value))
    except ValueError as error:
        raise BadInput(message("alert.value.clock")) from error
    return moment.hour * 60 + moment.minute


def _address(value: object) -> str:
    address = text(value)
    if not address.startswith(("http://", "https://")):
        raise BadInput(message("alert.value.address"))
    return address.rstrip("/")


class ChannelKind(StrEnum):
    """How a channel sends."""

    APPRISE = "apprise"
    WEBHOOK = "webhook"


@dataclass(frozen=True)
class Channel:
    """A channel as alerts.toml describes it; a secret stands in a variable, in a file, or in `url` itself.

    Attributes:
        url, url_env, url_file: the address, or the variable or file that holds it; exactly one is given.
        secret_env, secret_file: where the key of a webhook's signature is.
        allow_internal: whether addresses of the internal network are allowed.
    """

    name: str
    kind: ChannelKind = field(metadata=key("tipo", choice(*ChannelKind)))
    url: str | None = field(default=None, repr=False, metadata=key("url", text))
    url_env: str | None = field(default=None, metadata=key("url_env", text))
    url_file: str | None = field(default=None, metadata=key("url_arquivo", text))
    secret_env: str | None = field(default=None, metadata=key("segredo_env", text))
    secret_file: str | None = field(default=None, metadata=key("segredo_arquivo", text))
    allow_internal: bool = field(default=False, metadata=key("permitir_rede_interna", flag))


@dataclass(frozen=True)
class QuietHours:
    """A part of each day, in the zone of the settings, in minutes since midnight; it may pass midnight."""

    start_min: int = field(metadata=key("das", _minute))
    end_min: int = field(metadata=key("ate", _minute))

    def end_of(self, at_ms: int, zone: ZoneInfo) -> int | None:
        """When the quiet hours around a time end, in UTC milliseconds; None if it lies in none."""
        local = to_datetime(at_ms).astimezone(zone)
        minute = local.hour * 60 + local.minute
        if (minute - self.start_min) % _DAY_MIN >= (self.end_min - self.start_min) % _DAY_MIN:
            return None
        hour, past = divmod(self.end_min, 60)
        end = local.replace(hour=hour, minute=past, second=0, microsecond=0, fold=0)
        ends = (end, end.replace(fold=1), end + timedelta(days=1))  # a clock that is set back shows a time twice
        ends_ms = (round(moment.timestamp() * 1000) for moment in ends)
        return next(end_ms for end_ms in ends_ms if end_ms > at_ms)


@dataclass(frozen=True)
class AlertSettings:
    """Everything in alerts.toml; without the file the defaults and no rules."""

    language: str = field(default="pt", metadata=key("idioma", choice(*LANGUAGES)))
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"), metadata=key("fuso", _zone, str))
    dashboard_url: str | None = field(default=None, metadata=key("painel", _address))
    channels: Mapping[str, Channel] = field(default_factory=dict)
    quiet: QuietHours | None = None
    rules: tuple[Rule, ...] = ()

    def held_until(self, rule: Rule, at_ms: int) -> int | None:
        """Until when an alert of this time is held back by quiet hours; None if it is not."""
        return None if self.quiet is None or rule.urgent else self.quiet.end_of(at_ms, self.zone)
