"""Open the channels of alerts.toml; secrets are read here, and leave only in what is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from pydantic import SecretStr

from alerts.alert import Alert
from alerts.delivery.apprise_channel import AppriseChannel
from alerts.delivery.failure import Failure
from alerts.delivery.http_post import read_address
from alerts.delivery.reason import Reason
from alerts.delivery.webhook import Webhook, signing_key
from alerts.rules.settings import Channel, ChannelKind
from core.errors import DamagedFile
from core.files import read_bytes

__all__ = ["ClosedChannel", "OpenChannel", "open_channel", "open_channels"]

_MAX_SECRET_BYTES: Final = 4096


class OpenChannel(Protocol):
    """Something that sends; for one thread at a time."""

    def send(self, alert: Alert, text: str, now_ms: int) -> Failure | None:
        """Send an alert once; None once it is taken."""

    def rest(self) -> None:
        """Give back what only sending needs."""


class ClosedChannel:
    """A channel that cannot send: it is not in the file any more, or a secret is missing or malformed.

    Attributes:
        failure: why. Unless it is final, deliveries are tried again for a day: a person may mend the file meanwhile.
    """

    def __init__(self, failure: Failure) -> None:
        self.failure = failure

    def send(self, alert: Alert, text: str, now_ms: int) -> Failure:
        """Fail."""
        del alert, text, now_ms
        return self.failure

    def rest(self) -> None:
        """Nothing is open."""


def open_channels(
    channels: Mapping[str, Channel], variables: Mapping[str, str], folder: Path
) -> dict[str, OpenChannel]:
    """Open all channels.

    Args:
        channels: as alerts.toml describes them, by name.
        variables: where the variables are that hold secrets: the environment over `.env`.
        folder: base of the paths of files that hold secrets.
    """
    return {name: open_channel(channel, variables, folder) for name, channel in channels.items()}


def open_channel(channel: Channel, variables: Mapping[str, str], folder: Path) -> OpenChannel:
    """Open a channel; a `ClosedChannel` if it cannot send."""
    try:
        url = _secret(channel.url, channel.url_env, channel.url_file, variables, folder)
        if channel.kind is ChannelKind.APPRISE:
            return AppriseChannel(url, allow_internal=channel.allow_internal)
        secret = _secret(None, channel.secret_env, channel.secret_file, variables, folder)
    except LookupError:
        return ClosedChannel(Failure(Reason.INCOMPLETE))
    try:
        key = signing_key(secret)
    except ValueError:
        return ClosedChannel(Failure(Reason.KEY_FORM))
    try:
        return Webhook(read_address(url), key, allow_internal=channel.allow_internal)
    except ValueError:
        return ClosedChannel(Failure(Reason.ADDRESS_FORM))


def _secret(
    literal: str | None, variable: str | None, file: str | None, variables: Mapping[str, str], folder: Path
) -> SecretStr:
    """The text that stands in one of three places.

    Raises:
        LookupError: it stands in none, or there is nothing.
    """
    found = literal or (variables.get(variable, "") if variable else "") or (_content(folder / file) if file else "")
    if not found.strip():
        raise LookupError
    return SecretStr(found.strip())


def _content(path: Path) -> str:
    try:
        return read_bytes(path, _MAX_SECRET_BYTES).decode("utf-8")
    except (OSError, DamagedFile, UnicodeDecodeError):
        return ""
