"""Settings come from one place, are checked as a whole, and never show a secret."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError, Unavailable
from core.settings import DEFAULT_COINS, PARENT_VARIABLE, PROJECT, Plan, Source, load_settings
from tests.support.odd_files import make_link


def test_the_defaults_are_ten_coins_on_loopback() -> None:
    """Without any setting the values are those of the README."""
    settings = load_settings()
    assert (settings.source, settings.currency, settings.interval) == (Source.AUTO, "usd", 30.0)
    assert settings.coin_ids == DEFAULT_COINS
    assert settings.is_loopback
    assert settings.data_dir == PROJECT / "data"


def test_the_environment_is_read_and_an_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument wins over the environment variable of the same name."""
    monkeypatch.setenv("CRYPTO_CURRENCY", "brl")
    monkeypatch.setenv("CRYPTO_COINS", "Bitcoin, ethereum,bitcoin")
    assert load_settings().currency == "brl"
    assert load_settings().coin_ids == ("bitcoin", "ethereum")
    assert load_settings(currency="eur").currency == "eur"


def test_a_child_gets_the_same_settings_through_its_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Settings from `environment()` are equal to the original, including secrets."""
    settings = load_settings(
        source="replay",
        replay=tmp_path / "preços gravados.parquet",
        coins="bitcoin,ethereum",
        coingecko_plan=Plan.DEMO_KEY,
        coingecko_key="CG-secret",
        api_token="um-segredo-bem-guardado",
        host="0.0.0.0",  # noqa: S104 - only a value to carry over
        interval=12.5,
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(PARENT_VARIABLE, "1")
    assert load_settings() == settings


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"interval": 4}, "CRYPTO_INTERVAL"),
        ({"interval": "nan"}, "CRYPTO_INTERVAL"),
        ({"interval": "1e999"}, "CRYPTO_INTERVAL"),
        ({"api_port": 70000}, "CRYPTO_API_PORT"),
        ({"api_port": 10**30}, "CRYPTO_API_PORT"),
        ({"seed": -1}, "CRYPTO_SEED"),
        ({"source": "coinbase"}, "CRYPTO_SOURCE"),
        ({"currency": "US$"}, "CRYPTO_CURRENCY"),
        ({"coins": "bitcoin,../etc"}, "CRYPTO_COINS"),
        ({"replay_start": "ontem"}, "CRYPTO_REPLAY_START"),
        ({"source": "replay"}, "--replay"),
        ({"api_port": 9000, "dashboard_port": 9000}, "mesma porta"),
        ({"host": "0.0.0.0"}, "CRYPTO_API_TOKEN"),  # noqa: S104 - must be refused
        ({"host": "0.0.0.0", "api_token": "x" * 15}, "16 caracteres"),  # noqa: S104 - must be refused
        ({"coingecko_plan": "demo-key"}, "CRYPTO_COINGECKO_KEY"),
        ({"database_url": "mysql://db.example/crypto"}, "CRYPTO_DATABASE_URL"),
        ({"database_read_url": "postgresql://"}, "CRYPTO_DATABASE_READ_URL"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(options: dict[str, object], expected: str) -> None:
    """The message is Portuguese, one line, and says which setting to change."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(**options)
    assert expected in caught.value.in_words()
    assert "\n" not in caught.value.in_words()


def test_several_processes_of_the_api_need_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the kernel deals no connections out to processes that share a port."""
    monkeypatch.setattr("core.settings.settings.sys.platform", "darwin")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(api_workers=2)
    assert "Linux" in caught.value.in_words()


def test_secrets_come_from_files_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key and tokens in files serve like those in variables, and no child gets them in its environment."""
    file = tmp_path / "secrets"
    file.write_text("um-segredo-bem-guardado\noutro-segredo-guardado\n")
    settings = load_settings(
        coingecko_plan=Plan.PRO_KEY,
        coingecko_key_file=file,
        api_token_file=file,
        host="0.0.0.0",  # noqa: S104 - only a value to carry over
    )
    assert settings.source_key == "um-segredo-bem-guardado"
    assert "segredo-" not in repr((settings, settings.environment()))
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(PARENT_VARIABLE, "1")
    assert load_settings() == settings


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("um-segredo", {"api_token": "um-segredo"}, "só uma das duas"),
        (None, {}, "não pode ser lido"),
        ("", {}, "uma senha por linha"),
        ("um segredo", {}, "uma senha por linha"),
        ("x" * 20 + "\n" + "x" * 15, {"host": "0.0.0.0"}, "16 caracteres"),  # noqa: S104 - must be refused
    ],
)
def test_a_wrong_file_of_a_secret_is_refused(
    tmp_path: Path, content: str | None, options: dict[str, object], expected: str
) -> None:
    """One line names the variable and what is wrong, and repeats nothing of the file; a missing one may come yet."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(api_token_file=file, **options)
    assert isinstance(caught.value, Unavailable) is (content is None)
    said = caught.value.in_words()
    assert expected in said
    assert "CRYPTO_API_TOKEN" in said
    assert "\n" not in said
    assert not content or content.split()[-1] not in said


@pytest.mark.parametrize("text", [",", " , ,"])
def test_a_list_of_commas_alone_is_empty(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Commas without values give no origins, no hosts and the default coins."""
    for name in ("CORS_ORIGINS", "ALLOWED_HOSTS", "COINS"):
        monkeypatch.setenv(f"CRYPTO_{name}", text)
    settings = load_settings()
    assert (settings.cors_origins, settings.allowed_hosts, settings.coin_ids) == ((), (), DEFAULT_COINS)


@given(secret=st.text(min_size=8, max_size=40).filter(lambda text: not text.isascii() or " " in text))
def test_a_refused_secret_is_never_repeated(secret: str) -> None:
    """Neither the error message nor the repr of the settings shows a key."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(coingecko_key=secret)
    assert secret not in str(caught.value)
    assert "CG-secret" not in repr(load_settings(coingecko_key="CG-secret"))


@pytest.mark.parametrize(("text", "count"), [("top:1", 1), ("top:250", 250), ("TOP:50", 50)])
def test_the_largest_coins_are_asked_for_by_number(text: str, count: int) -> None:
    """`top:N` gives a number and no ids."""
    settings = load_settings(coins=text)
    assert (settings.top, settings.coin_ids) == (count, ())


def test_only_origins_may_frame_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sites are named by scheme and host; what would add another rule to the policy is refused by name."""
    monkeypatch.setenv("CRYPTO_EMBED_ORIGINS", "https://blog.example, http://127.0.0.1:9000")
    assert load_settings().embed_origins == ("https://blog.example", "http://127.0.0.1:9000")
    for wrong in ("blog.example", "https://a.example; script-src *", "*"):
        monkeypatch.setenv("CRYPTO_EMBED_ORIGINS", wrong)
        with pytest.raises(ConfigurationError, match="CRYPTO_EMBED_ORIGINS"):
            load_settings()


@pytest.mark.parametrize("address", ["tls://head.example:8786", "tls://[fd00::1]:8786", "tcp://127.0.0.1:8786"])
def test_a_cluster_needs_certificates_or_this_machine_alone(address: str) -> None:
    """Other machines are reached by TLS; without it, a scheduler of this machine."""
    assert load_settings(cluster=address).cluster == address


@pytest.mark.parametrize("address", ["tcp://head.example:8786", "tcp://0.0.0.0:8786", "head.example:8786", "ray://h:1"])
def test_a_cluster_that_anybody_may_use_is_refused(address: str) -> None:
    """An address of other machines without TLS, or of another kind, is named."""
    with pytest.raises(ConfigurationError, match="CRYPTO_CLUSTER"):
        load_settings(cluster=address)


def test_a_process_that_only_reads_gets_no_url_that_may_write() -> None:
    """With a role that reads, the other URL stays out of its environment; without one there is nothing to choose."""
    writes, reads = "postgresql://writer@db.example/crypto", "postgresql://reader@db.example/crypto"
    reader = load_settings(database_url=writes, database_read_url=reads).for_readers()
    assert writes not in reader.environment().values()
    assert reader.environment()["CRYPTO_DATABASE_READ_URL"] == reads
    alone = load_settings(database_url=writes)
    assert alone.for_readers() == alone


@pytest.mark.parametrize("name", ["data_dir", "models_dir", "alerts_file", "log_file", "replay", "api_token_file"])
def test_a_path_that_is_none_is_refused_in_one_line(name: str) -> None:
    """The home of a user who does not exist."""
    with pytest.raises(ConfigurationError, match=f"CRYPTO_{name.upper()}=?.*no path of this system") as caught:
        load_settings(**{name: "~no-such-user/x"})
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="since Python 3.13 such a path is resolved as far as it goes")
def test_links_in_a_circle_are_refused_in_one_line(tmp_path: Path) -> None:
    """They lead nowhere."""
    make_link(tmp_path / "circle", "circle")
    with pytest.raises(ConfigurationError, match=r"CRYPTO_DATA_DIR=.*no path of this system"):
        load_settings(data_dir=tmp_path / "circle" / "data")
