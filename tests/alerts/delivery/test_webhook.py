"""The webhook: what it sends, how it signs, and what it makes of awkward answers."""

from __future__ import annotations

import json
import math
from email.utils import formatdate
from typing import Any

import pytest
from pydantic import SecretStr

from alerts.alert import Alert, AlertKind, Sight
from alerts.delivery import http_post
from alerts.delivery.failure import Failure
from alerts.delivery.http_post import read_address
from alerts.delivery.reason import Reason
from alerts.delivery.webhook import Webhook, alert_body, signature, signing_key
from tests.support.alert_receivers import (
    HttpReceiver,
    babble,
    drip,
    flood,
    hang,
    http_receiver,
    reset,
    status,
    taken,
    verified,
)

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW_MS = 1_767_225_700_123


def webhook(receiver: HttpReceiver, *, allow_internal: bool = True) -> Webhook:
    """A webhook to a receiver on this machine."""
    address = read_address(SecretStr(f"{receiver.url}/gancho?a=1"))
    return Webhook(address, signing_key(SecretStr(SECRET)), allow_internal=allow_internal)


def test_the_signature_is_that_of_the_specification() -> None:
    """The worked example that libraries of Standard Webhooks are tested with."""
    key = signing_key(SecretStr(SECRET))
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_abc", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!", "whsec_c2hvcnQ="]
)
def test_a_malformed_secret_is_refused_without_showing_it(secret: str) -> None:
    """A secret is `whsec_` and base64 of 24 to 64 bytes."""
    with pytest.raises(ValueError, match="not") as error:
        signing_key(SecretStr(secret))
    assert secret[6:] == "" or secret[6:] not in str(error.value)


def test_a_receiver_gets_json_and_a_signature_that_it_can_check(make_alert: Any) -> None:
    """The key is the webhook's id, the body says type, time and everything that was seen."""
    alert: Alert = make_alert(7)
    with http_receiver() as receiver:
        assert webhook(receiver).send(alert, "Bitcoin passou de 100 mil", NOW_MS) is None
        (request,) = receiver.taken
    assert request.path == "/gancho?a=1"
    assert verified(request, SECRET)
    assert request.headers["webhook-id"] == alert.key
    assert request.headers["webhook-timestamp"] == str(NOW_MS // 1000)
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.body) == {
        "type": "alert.fired",
        "timestamp": "2026-01-01T00:00:00.007+00:00",
        "data": {
            "key": alert.key,
            "rule": "rule1",
            "name": alert.name,
            "condition": "preco_acima",
            "source": "coingecko",
            "text": "Bitcoin passou de 100 mil",
            "sights": [
                {
                    "coin": "bitcoin",
                    "process": None,
                    "at": "2026-01-01T00:00:00.007+00:00",
                    "figures": {"price": 100_007.5, "level": 100_000.0},
                }
            ],
        },
    }


def test_a_figure_that_is_unknown_is_null() -> None:
    """The body is JSON for every reader, also where a figure is no number."""
    sights = (Sight("bitcoin", 0, {"percentile": math.nan, "price": 1.5}),)
    body = alert_body(Alert("k", "r", "n", "c", AlertKind.FIRED, sights, "demo"), "")
    assert json.loads(body)["data"]["sights"][0]["figures"] == {"percentile": None, "price": 1.5}


AWKWARD = (
    (status(500), Failure(Reason.STATUS, 500)),
    (status(404), Failure(Reason.STATUS, 404)),
    (status(302, location="http://127.0.0.1:1/"), Failure(Reason.STATUS, 302)),
    (status(429, retry_after="120"), Failure(Reason.STATUS, 429, 120.0)),
    (status(503, retry_after=formatdate(NOW_MS // 1000 + 60)), Failure(Reason.STATUS, 503, 59.877)),
    (status(503, retry_after="soon"), Failure(Reason.STATUS, 503)),
    (status(410), Failure(Reason.GONE, is_final=True)),
    (reset, Failure(Reason.CONNECTION)),
    (babble, Failure(Reason.NOT_HTTP)),
    (hang, Failure(Reason.TIMEOUT)),
    (drip, Failure(Reason.TIMEOUT)),
    (flood, None),
)


@pytest.mark.parametrize(("mood", "expected"), AWKWARD)
def test_awkward_receivers(
    mood: Any, expected: Failure | None, make_alert: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer is judged for what it is; none takes longer than the limit or more than a few kB."""
    if mood in (hang, drip):
        monkeypatch.setattr(http_post, "CONNECT_S", 0.3)
        monkeypatch.setattr(http_post, "ANSWER_S", 0.3)
    with http_receiver([mood]) as receiver:
        failure = webhook(receiver).send(make_alert(), "", NOW_MS)
        assert len(receiver.requests) == 1
    if failure is not None and failure.retry_after_s is not None:
        assert expected is not None
        assert failure.retry_after_s == pytest.approx(expected.retry_after_s)
        failure = Failure(failure.reason, failure.status, expected.retry_after_s)
    assert failure == expected


def test_nobody_listens(make_alert: Any) -> None:
    """A receiver that is not there is a failed connection, to be tried again."""
    with http_receiver() as receiver:
        sender = webhook(receiver)
    assert sender.send(make_alert(), "", NOW_MS) == Failure(Reason.CONNECTION)


def test_internal_receivers_need_permission(make_alert: Any) -> None:
    """Without `permitir_rede_interna` nothing reaches this machine."""
    with http_receiver() as receiver:
        assert webhook(receiver, allow_internal=False).send(make_alert(), "", NOW_MS) == Failure(
            Reason.INTERNAL_ADDRESS
        )
        assert receiver.requests == []


def test_no_redirect_is_followed(make_alert: Any) -> None:
    """A receiver cannot send an alert on to another one."""
    with http_receiver() as other, http_receiver([status(307, location=f"{other.url}/x"), taken]) as receiver:
        assert webhook(receiver).send(make_alert(), "", NOW_MS) == Failure(Reason.STATUS, 307)
        assert other.requests == []


@pytest.mark.parametrize(
    "url",
    ["ftp://a/b", "http://", "a.b/c", "http://a:x/", "http://user:pw@a/", "http://a/b c", "http://[::1", "http://a/é"],
)
def test_malformed_addresses_are_refused_without_showing_them(url: str) -> None:
    """An address is http(s)://host/path in ASCII, without user and password."""
    with pytest.raises(ValueError, match="not") as error:
        read_address(SecretStr(url))
    assert url not in str(error.value)


def test_addresses() -> None:
    """Port, TLS, path and query are taken from the URL; what may be secret does not show."""
    address = read_address(SecretStr("https://example.com/t0ken?k=v"))
    assert (address.host, address.port, address.is_tls) == ("example.com", 443, True)
    assert address.target.get_secret_value() == "/t0ken?k=v"
    assert "t0ken" not in repr(address)
    assert read_address(SecretStr("http://[2606:4700::1111]:81")).port == 81
