"""Channels of alerts.toml: Apprise's shapes with real receivers, secrets, and the rule about addresses."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerts.alert import Alert, AlertKind
from alerts.delivery.channels import ClosedChannel, OpenChannel, open_channel, open_channels
from alerts.delivery.failure import Failure, reason_text
from alerts.delivery.reason import Reason
from alerts.delivery.trial import try_channel
from alerts.delivery.webhook import Webhook
from alerts.rules.settings import Channel, ChannelKind
from core.errors import BadInput
from tests.support.alert_receivers import http_receiver, mail_receiver, status, verified

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLANTED = "pl4nted-s3cret"
NOW_MS = 1_767_225_700_123
TEXT = "aviso"


@pytest.fixture
def opened() -> Iterator[Any]:
    """A function that opens a channel of Apprise; it rests with the test."""
    made: list[OpenChannel] = []

    def make(url: str, *, allow_internal: bool = True) -> OpenChannel:
        channel = Channel("um", ChannelKind.APPRISE, url_env="WHERE", allow_internal=allow_internal)
        made.append(open_channel(channel, {"WHERE": url}, Path()))
        return made[-1]

    yield make
    for channel in made:
        channel.rest()


def test_apprise_sends_json_ntfy_and_mail(opened: Any, make_alert: Any) -> None:
    """Title and text arrive at a JSON receiver, at a server of ntfy and in a mailbox, with the beginning of the key."""
    alert: Alert = make_alert(0x1234ABCD << 96)
    text = "Bitcoin passou de 100 mil\nçã €"
    told = f"{text}\nref. 1234abcd"
    with http_receiver() as receiver, mail_receiver() as mailbox:
        for url in (
            f"json://127.0.0.1:{receiver.port}/gancho",
            f"ntfy://127.0.0.1:{receiver.port}/alertas",
            f"mailto://127.0.0.1:{mailbox.port}?mode=insecure&from=de@exemplo.com&to=para@exemplo.com",
        ):
            assert opened(url).send(alert, text, NOW_MS) is None, url
        plain, ntfy = (json.loads(request.body) for request in receiver.taken)
        (mail,) = mailbox.mails
    assert (plain["title"], plain["message"]) == (alert.name, told)
    assert (ntfy["topic"], ntfy["title"], ntfy["message"]) == ("alertas", alert.name, told)
    assert mail["subject"] == alert.name
    assert "para@exemplo.com" in mail["to"]
    part = mail.get_body(("plain",))
    assert part is not None
    assert told.splitlines() == part.get_content().splitlines()[:3]


def test_apprise_sends_several_alerts_through_one_child_and_says_what_failed(opened: Any, make_alert: Any) -> None:
    """A service that refuses is a failure to be tried again; the next alert goes through."""
    with http_receiver([status(500), status(200)]) as receiver:
        channel = opened(f"json://127.0.0.1:{receiver.port}/gancho")
        assert channel.send(make_alert(1), TEXT, NOW_MS) == Failure(Reason.SERVICE)
        assert channel.send(make_alert(2), TEXT, NOW_MS) is None
        channel._child.kill()
        assert channel.send(make_alert(3), TEXT, NOW_MS) == Failure(Reason.CHILD_ENDED)
        assert channel.send(make_alert(4), TEXT, NOW_MS) is None


def test_apprise_reaches_no_internal_address_without_permission(opened: Any, make_alert: Any) -> None:
    """The rule about addresses holds for the services of Apprise too: here for mail, below for what uses HTTP."""
    with http_receiver() as receiver:
        url = f"mailto://localhost:{receiver.port}?from=a@exemplo.com&to=b@exemplo.com"
        failure = opened(url, allow_internal=False).send(make_alert(), TEXT, NOW_MS)
        assert failure == Failure(Reason.INTERNAL_ADDRESS)
        assert receiver.requests == []


def test_secrets_stand_in_variables_files_or_the_url(tmp_path: Path, make_alert: Any) -> None:
    """A webhook takes its address and its secret from any of the places that alerts.toml may name."""
    (tmp_path / "secret").write_text(f"{SECRET}\n", encoding="utf-8")
    with http_receiver() as receiver:
        for places in (
            {"url": receiver.url, "secret_env": "KEY"},
            {"url_env": "WHERE", "secret_file": "secret"},
            {"url_file": "where", "secret_file": str(tmp_path / "secret")},
        ):
            (tmp_path / "where").write_text(receiver.url, encoding="utf-8")
            channel = Channel("um", ChannelKind.WEBHOOK, allow_internal=True, **places)
            opened = open_channel(channel, {"WHERE": receiver.url, "KEY": SECRET}, tmp_path)
            assert isinstance(opened, Webhook)
            assert opened.send(make_alert(), TEXT, NOW_MS) is None
        assert all(verified(request, SECRET) for request in receiver.taken)
        assert len(receiver.taken) == 3


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, Reason.INCOMPLETE),
        ({"WHERE": "https://example.com/"}, Reason.INCOMPLETE),
        ({"WHERE": "https://example.com/", "KEY": PLANTED}, Reason.KEY_FORM),
        ({"WHERE": f"ftp://{PLANTED}", "KEY": SECRET}, Reason.ADDRESS_FORM),
    ],
)
def test_a_channel_that_cannot_send_says_why(variables: dict[str, str], reason: Reason, make_alert: Any) -> None:
    """A missing or malformed secret is a failure like any other, in both languages, and does not show the secret."""
    channel = Channel("um", ChannelKind.WEBHOOK, url_env="WHERE", secret_env="KEY")
    opened = open_channel(channel, variables, Path())
    assert isinstance(opened, ClosedChannel)
    failure = opened.send(make_alert(), TEXT, NOW_MS)
    assert failure == Failure(reason)
    assert PLANTED not in str(failure) + repr(vars(opened))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason: Reason) -> None:
    """What the outbox keeps of a failure can be said in both languages; a code of a later release stays."""
    kept = str(Failure(reason, 503 if reason is Reason.STATUS else None))
    texts = {reason_text(kept, language) for language in ("pt", "en")}
    assert len(texts) == 2
    assert not any(text.startswith("delivery.") for text in texts)
    assert reason_text("of_tomorrow", "pt") == "of_tomorrow"


def test_a_trial_sends_one_message_and_says_what_came_of_it(tmp_path: Path) -> None:
    """`--test` sends an alert of its own kind; a failure and an unknown channel are said in words."""
    with http_receiver([status(403), status(200)]) as receiver:
        table = {
            "um": Channel(
                "um", ChannelKind.WEBHOOK, url=f"{receiver.url}/{PLANTED}", secret_env="K", allow_internal=True
            )
        }
        channels = open_channels(table, {"K": SECRET}, tmp_path)
        assert try_channel(channels, "um", "demo", "pt") == (False, "um: não enviado: o destino respondeu 403")
        assert try_channel(channels, "um", "demo", "en") == (True, "um: sent")
        sent = json.loads(receiver.requests[-1].body)
    assert sent["type"] == f"alert.{AlertKind.TEST.value}"
    assert sent["data"]["source"] == "demo"
    with pytest.raises(BadInput, match="um"):
        try_channel(channels, "dois", "demo", "pt")


def test_planted_secrets_show_nowhere(
    opened: Any, make_alert: Any, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    """Whatever goes wrong, logs, output, failures and the objects' own words hold no URL and no secret."""
    caplog.set_level(logging.DEBUG)
    said, failures = "", []
    with http_receiver([status(500)]) as receiver:
        for url in (
            f"json://user:{PLANTED}@127.0.0.1:{receiver.port}/{PLANTED}",
            f"nothing://{PLANTED}",
        ):
            channel = opened(url, allow_internal=False)
            failures.append(channel.send(make_alert(), TEXT, NOW_MS))
            said += repr(vars(channel))
        places: dict[str, Any] = {"url": f"{receiver.url}/{PLANTED}", "secret_env": "KEY", "allow_internal": True}
        table = {"um": Channel("um", ChannelKind.WEBHOOK, **places)}
        webhook = open_channels(table, {"KEY": SECRET}, Path())["um"]
        said += f"{webhook.send(make_alert(), TEXT, NOW_MS)!r} {webhook!r} {table!r}"
        assert [request.path for request in receiver.requests] == [f"/{PLANTED}"]
    assert failures == [Failure(Reason.INTERNAL_ADDRESS), Failure(Reason.SERVICE_ADDRESS)]
    said += repr(failures)
    out, err = capfd.readouterr()
    for text in (said, caplog.text, out, err):
        assert PLANTED not in text
        assert SECRET not in text
