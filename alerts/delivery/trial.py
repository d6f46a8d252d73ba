"""Try a channel: `python -m alerts --test CHANNEL` sends one message, and says what came of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from alerts.alert import Alert, AlertKind, Sight
from alerts.delivery.channels import OpenChannel
from alerts.delivery.failure import reason_text
from core.errors import BadInput
from core.times import now_ms
from core.wording import message, say

__all__ = ["try_channel"]

_KEY_BYTES = 16


def try_channel(channels: Mapping[str, OpenChannel], name: str, source: str, language: str) -> tuple[bool, str]:
    """Send a test message once.

    Args:
        channels: the open channels by name.
        name: the one to try.
        source: whence prices come now.
        language: of the message.

    Returns:
        Whether it was taken, and a sentence for the person who asked.

    Raises:
        BadInput: there is no such channel.
    """
    if name not in channels:
        known = ", ".join(channels) or message("delivery.trial.none")
        raise BadInput(message("delivery.trial.unknown", channel=name, known=known))
    channel, now = channels[name], now_ms()
    title, text = (say(message(f"delivery.trial.{part}", channel=name), language) for part in ("name", "text"))
    key = secrets.token_hex(_KEY_BYTES)
    alert = Alert(key, "", title, "", AlertKind.TEST, (Sight(None, now),), source, (name,))
    try:
        failure = channel.send(alert, text, now)
    finally:
        channel.rest()
    if failure is None:
        return True, say(message("delivery.trial.sent", channel=name), language)
    reason = reason_text(str(failure), language)
    return False, say(message("delivery.trial.failed", channel=name, reason=reason), language)
