"""Commands and environments of the suite's processes."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from core.settings import PARENT_VARIABLE, Settings, load_settings
from core.workspace import open_workspace
from suite import children
from suite.source import pointing_to_local_server


def test_children_get_the_settings(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A child's environment holds the settings, exempts loopback from proxies, and keeps secrets out of argv."""
    monkeypatch.setenv("NO_PROXY", "example.com")
    asked = settings(source="demo", api_token="segredo-da-api", coins="bitcoin,solana", browser=False)
    local = pointing_to_local_server(asked, 4711)
    workspace = open_workspace(asked)
    specs = [
        children.api(asked),
        children.dashboard(asked),
        children.simulator(asked, workspace, 4711),
        children.collector(local),
        children.pipeline(local),
        children.alerts(asked),
    ]
    assert [spec.name for spec in specs] == ["api", "dashboard", "simulator", "collector", "pipeline", "alerts"]
    assert not any("segredo" in word for spec in specs for word in spec.argv)
    for spec in specs:
        assert spec.environment[PARENT_VARIABLE] == str(os.getpid())
        for name in ("NO_PROXY", "no_proxy"):  # Windows takes both for one
            assert spec.environment[name] == "example.com,127.0.0.1,localhost"
    with monkeypatch.context() as child:
        for name, value in specs[3].environment.items():
            child.setenv(name, value)
        assert load_settings() == local.model_copy(update={"api_token": None})
    assert specs[0].environment["CRYPTO_SOURCE"] == "auto"


def test_each_process_of_the_api_has_its_number(settings: Callable[..., Settings]) -> None:
    """The second process is told that it is the second, and its health file has a name of its own."""
    second = children.api(settings(source="demo", api_workers=2), 2)
    assert (second.name, second.argv[-2:]) == ("api_2", ("--worker", "2"))


def test_each_child_knows_only_the_secrets_that_it_needs(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key goes to who asks the source, tokens to who checks them, and the URL that may write to who writes."""
    secrets = {
        "coingecko_key": "CG-the-key",
        "api_token": "the-token-of-the-data",
        "metrics_token": "the-token-of-metrics",
        "database_url": "postgresql://writer:hidden@db.example/crypto",
        "database_read_url": "postgresql://reader:hidden@db.example/crypto",
    }
    foreign = {"AWS_SECRET_ACCESS_KEY": "the-key-of-the-bucket", "CRYPTO_ALERT_TELEGRAM": "tgram://the-bot/1"}
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)
    chosen = {"host": "0.0.0.0", "coingecko_plan": "pro-key", "artifacts_url": "s3://bucket"}  # noqa: S104 - allowed with a token
    asked = settings(source="demo", **secrets, **chosen)
    specs = [
        children.api(asked),
        children.dashboard(asked),
        children.simulator(asked, open_workspace(asked), 4711),
        children.collector(asked),
        children.pipeline(asked),
        children.alerts(asked),
    ]
    named = {value: name for name, value in (secrets | foreign).items()}
    known = {spec.name: {named[value] for value in spec.environment.values() if value in named} for spec in specs}
    assert known == {
        "api": {"api_token", "metrics_token", "database_read_url"},
        "dashboard": {"api_token", "database_read_url"},
        "simulator": set(),
        "collector": {"coingecko_key", "database_url", "database_read_url"},
        "pipeline": {"database_read_url", "AWS_SECRET_ACCESS_KEY"},
        "alerts": {"database_read_url", "CRYPTO_ALERT_TELEGRAM"},
    }
    for spec in specs:
        with monkeypatch.context() as child:
            for name in Settings.model_fields:
                child.setenv(f"CRYPTO_{name.upper()}", spec.environment[f"CRYPTO_{name.upper()}"])
            assert load_settings().data_dir == asked.data_dir


@pytest.mark.skipif(sys.platform == "win32", reason="names of variables are in capitals there")
def test_a_secret_in_small_letters_is_a_secret(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings accept such variables, so they reach no child but by its own settings; a channel may be named so."""
    values = {"crypto_api_token": "the-token-of-the-data", "crypto_coingecko_key": "CG-the-key"}
    for name, value in (values | {"crypto_alert_hook": "https://the-hook.example"}).items():
        monkeypatch.setenv(name, value)
    asked = settings(source="demo", **{name.removeprefix("crypto_"): value for name, value in values.items()})
    pipeline, alerts = children.pipeline(asked).environment, children.alerts(asked).environment
    assert {*pipeline.values(), *alerts.values()} & {*values.values()} == set()
    assert "https://the-hook.example" not in pipeline.values()
    assert alerts["crypto_alert_hook"] == "https://the-hook.example"


def test_children_get_the_proxies_of_the_system(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proxies from the settings of Windows or macOS are named, because NO_PROXY alone would hide them."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://proxy:3128", "ftp": "http://proxy:21"})
    environment = children.collector(settings(source="demo")).environment
    assert (environment["https_proxy"], environment.get("ftp_proxy")) == ("http://proxy:3128", None)
    assert {environment[name] for name in ("NO_PROXY", "no_proxy")} == {"127.0.0.1,localhost"}


def test_the_replay_child_gets_recording_and_epoch(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """The local market server gets the recording, its start and the time at which the replay began."""
    recording = tmp_path / "gravação.csv"
    recording.write_text("timestamp,coin,price\n")
    asked = settings(source="replay", replay=recording, replay_start="2023-04-10")
    workspace = open_workspace(asked)
    argv = children.simulator(asked, workspace, 4711).argv
    pairs = dict(zip(argv[5::2], argv[6::2], strict=True))
    assert (pairs["--replay"], pairs["--replay-start"]) == (str(recording), "2023-04-10")
    assert pairs["--epoch-ms"] == str(workspace.epoch_ms)
