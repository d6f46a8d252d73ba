"""The project's own webhook: JSON over HTTP, signed after Standard Webhooks 1.0.0 (standardwebhooks.com).

The receiver reads the alert's key in `webhook-id`, recognises a repetition by it, and checks `webhook-signature`:
`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, whose key is the base64 after `whsec_`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
from email.utils import parsedate_to_datetime
from typing import Final

from pydantic import SecretStr

from alerts.alert import Alert, Sight
from alerts.delivery.failure import Failure
from alerts.delivery.http_post import HttpAddress, Reply, post
from alerts.delivery.reason import Reason
from core.times import iso
from core.version import VERSION

__all__ = ["Webhook", "alert_body", "signature", "signing_key"]

_PREFIX: Final = "whsec_"
_KEY_BYTES: Final = range(24, 65)
_GONE: Final = 410


class Webhook:
    """A receiver of signed JSON; thread-safe.

    Args:
        address: where the receiver listens.
        key: the key of the signature, as bytes of `signing_key`; without one the requests are not signed.
        allow_internal: whether the receiver may be on this machine or its network.
    """

    def __init__(self, address: HttpAddress, key: bytes | None, *, allow_internal: bool) -> None:
        self._address = address
        self._key = key
        self._allow_internal = allow_internal

    def send(self, alert: Alert, text: str, now_ms: int) -> Failure | None:
        """Send an alert once; None once the receiver answers with 2xx."""
        body = alert_body(alert, text)
        headers = {
            "content-type": "application/json",
            "user-agent": f"crypto-forecasting/{VERSION}",
            "webhook-id": alert.key,
            "webhook-timestamp": str(now_ms // 1000),
        }
        if self._key is not None:
            headers["webhook-signature"] = signature(self._key, alert.key, now_ms // 1000, body)
        reply = post(self._address, body, headers, allow_internal=self._allow_internal)
        return reply if isinstance(reply, Failure) else _judged(reply, now_ms)

    def rest(self) -> None:
        """Nothing stays open between two alerts."""


def alert_body(alert: Alert, text: str) -> bytes:
    """The JSON body of an alert: `type`, `timestamp` of what was seen, `data` with the alert and its words."""
    newest_ms = max((seen.at_ms for seen in alert.sights), default=0)
    data = {
        "key": alert.key,
        "rule": alert.rule,
        "name": alert.name,
        "condition": alert.condition,
        "source": alert.source,
        "text": text,
        "sights": [_seen(sight) for sight in alert.sights],
    }
    content = {"type": f"alert.{alert.kind.value}", "timestamp": iso(newest_ms), "data": data}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def _seen(sight: Sight) -> dict[str, object]:
    """A sight with its figures; null for those that JSON does not have."""
    figures = {name: value if math.isfinite(value) else None for name, value in sight.figures.items()}
    return {"coin": sight.coin, "process": sight.process, "at": iso(sight.at_ms), "figures": figures}


def signature(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    signed = b".".join((message_id.encode(), str(timestamp_s).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def signing_key(secret: SecretStr) -> bytes:
    """The key in `whsec_…`, whose rest is base64 of 24 to 64 bytes.

    Raises:
        ValueError: the secret has another form; the error does not show it.
    """
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    if not text.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise ValueError("not whsec_ and 24 to 64 bytes")
    return key


def _judged(reply: Reply, now_ms: int) -> Failure | None:
    if 200 <= reply.status < 300:
        return None
    if reply.status == _GONE:
        return Failure(Reason.GONE, is_final=True)
    return Failure(Reason.STATUS, reply.status, _retry_after_s(reply.retry_after, now_ms))


def _retry_after_s(text: str | None, now_ms: int) -> float | None:
    """Seconds of a header `Retry-After`, which is a number of seconds or a date; None for anything else."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_ms / 1000)
    except ValueError:
        return None
