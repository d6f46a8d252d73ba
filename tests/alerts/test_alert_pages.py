"""docs/alertas.md and docs/alerts.en.md: what a newcomer copies from them works."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from alerts.__main__ import main
from alerts.alert import Alert, AlertKind, Sight
from alerts.delivery.apprise_channel import AppriseChannel
from alerts.delivery.channels import open_channels
from alerts.delivery.http_post import read_address
from alerts.delivery.webhook import Webhook, signing_key
from alerts.rules.condition import ConditionKind
from alerts.rules.rule import CONDITIONS, Rule, keys_of
from alerts.rules.settings import AlertSettings
from alerts.rules.toml_file import parse_alerts
from core.settings import PROJECT
from core.times import now_ms
from tests.support.alert_receivers import http_receiver, mail_receiver

PAGES: Final = [(PROJECT / "docs" / name).read_text(encoding="utf-8") for name in ("alertas.md", "alerts.en.md")]
SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def blocks(page: str, language: str) -> list[str]:
    """The code of a language on a page."""
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def settings_of(page: str) -> tuple[AlertSettings, dict[str, str]]:
    """What a newcomer has copied into alerts.toml and .env."""
    lines = next(block for block in blocks(page, "bash") if block.startswith("CRYPTO_"))
    variables = dict(line.split("=", 1) for line in lines.splitlines())
    return parse_alerts(blocks(page, "toml")[0], Path("alerts.toml")), variables


@pytest.mark.parametrize("page", PAGES, ids=["pt", "en"])
def test_every_condition_and_key_is_on_the_page(page: str) -> None:
    """A reader finds every word that a rule may hold, and the rules given as examples are valid."""
    owners: list[type[Any]] = [Rule, *CONDITIONS.values()]
    words = {*ConditionKind, *(key.name for owner in owners for key in keys_of(owner).values())}
    assert [word for word in words if f"`{word}`" not in page] == []
    examples = [block for block in blocks(page, "toml") if "[[regra]]" in block]
    assert [len(parse_alerts(example, Path("alerts.toml")).rules) for example in examples] == [2, 2]


@pytest.mark.parametrize("page", PAGES, ids=["pt", "en"])
def test_the_rules_of_the_page_are_valid_and_its_channels_open(page: str) -> None:
    """Two rules on two channels of Apprise, whose addresses stand in the lines for .env."""
    settings, variables = settings_of(page)
    assert len(settings.rules) == 2
    opened = open_channels(settings.channels, variables, PROJECT)
    assert list(opened) == ["telegram", "email"]
    assert all(isinstance(channel, AppriseChannel) for channel in opened.values())


def test_apprise_knows_every_address_of_the_page() -> None:
    """Those of the ten minutes and those in the table of services, with words for what a reader fills in."""
    addresses = re.findall(r"^\|[^|]*\| (`\w+://.*) \|$", PAGES[0], re.MULTILINE)
    urls = [*settings_of(PAGES[0])[1].values(), *re.findall(r"`(\w+://[^`]+)`", " ".join(addresses))]
    assert len(urls) == 10
    code = "import apprise, sys\nprint([bool(apprise.Apprise().add(url)) for url in sys.argv[1:]])"
    filled = [filled_in(url) for url in urls]
    done = subprocess.run([sys.executable, "-c", code, *filled], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([True] * 10), dict(zip(filled, done.stdout.split(), strict=True))


def filled_in(url: str) -> str:
    """An address with plausible values for its words in capitals."""
    if url.startswith("tgram://TOKEN"):
        return "tgram://123456789:abcdefg_hijklmnop/12315544"
    if url.startswith("slack"):
        return "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/general"
    if url.startswith("whatsapp"):
        return f"whatsapp://{'a' * 32}@{'1' * 15}/12345678901"
    return url


def test_the_commands_of_the_page_check_and_try_the_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`--check` approves the file, `--test` reaches a chat and a mailbox, and none of them shows a secret."""
    here = 'tipo = "apprise"\npermitir_rede_interna = true'
    text = blocks(PAGES[0], "toml")[0].replace('tipo = "apprise"', here)
    (tmp_path / "alerts.toml").write_text(text, encoding="utf-8")
    commands = re.findall(r"^\.venv/bin/python -m alerts (--(?:check|test).*)$", PAGES[0], re.MULTILINE)
    said = []
    with http_receiver() as chat, mail_receiver() as mailbox:
        for name, value in {
            "CRYPTO_ALERTS_FILE": str(tmp_path / "alerts.toml"),
            "CRYPTO_DATA_DIR": str(tmp_path),
            "CRYPTO_ALERT_TELEGRAM": f"json://127.0.0.1:{chat.port}/pl4nted",
            "CRYPTO_ALERT_EMAIL": f"mailto://127.0.0.1:{mailbox.port}?mode=insecure&from=a@a.com&to=pl4nted@b.com",
        }.items():
            monkeypatch.setenv(name, value)
        for command in commands:
            assert main(command.split()) == 0
            said.append("".join(capfd.readouterr()))
    assert commands == ["--check", "--test telegram", "--test email"]
    assert said[1:] == ["telegram: enviado\n", "email: enviado\n"]
    assert "regras: 2, canais: 2" in said[0]
    assert "pl4nted" not in "".join(said)
    assert (len(chat.taken), len(mailbox.mails)) == (1, 1)


@pytest.mark.parametrize("page", PAGES, ids=["pt", "en"])
def test_the_webhook_of_the_page(page: str) -> None:
    """The channel is valid, the command makes a secret of the right form, and the receiver's code knows the genuine."""
    channel = next(block for block in blocks(page, "toml") if '"webhook"' in block)
    table = parse_alerts(channel, Path("alerts.toml"))
    assert table.channels["meu_sistema"].secret_env == "CRYPTO_ALERT_WEBHOOK_SECRET"
    line = next(block for block in blocks(page, "bash") if "whsec_" in block)
    _, *words = shlex.split(line)
    made = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout.strip()
    assert len(signing_key(SecretStr(made))) == 32
    names: dict[str, Any] = {}
    exec(blocks(page, "python")[0], names)  # noqa: S102 - the page is the thing tested
    alert = Alert("k", "r", "n", "c", AlertKind.TEST, (Sight(None, 0),), "demo")
    with http_receiver() as receiver:
        webhook = Webhook(read_address(SecretStr(receiver.url)), signing_key(SecretStr(SECRET)), allow_internal=True)
        assert webhook.send(alert, "", now_ms()) is None
        assert webhook.send(alert, "", now_ms() - 400_000) is None
    fresh, old = receiver.taken
    assert names["is_genuine"](fresh.headers, fresh.body, SECRET)
    assert not names["is_genuine"](fresh.headers, fresh.body + b" ", SECRET)
    assert not names["is_genuine"](old.headers, old.body, SECRET)


def test_both_languages_have_the_same_sections_code_and_tables() -> None:
    """The English page follows the Portuguese one, block by block."""
    for pattern in (r"^#+ ", r"^```(?:bash|json)\n.*?```", r"^\|(?= `)[^|]*"):
        one, other = (re.findall(pattern, page, re.MULTILINE | re.DOTALL) for page in PAGES)
        assert one == other
