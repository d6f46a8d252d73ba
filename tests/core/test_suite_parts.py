"""The parts of the suite by themselves: command line, ports, lock, environment, cycle line, console, display."""

from __future__ import annotations

import io
import os
import re
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import AlreadyRunning, ConfigurationError
from core.files import write_json
from core.process import PARENT_VARIABLE
from core.settings import PROJECT, Settings, Source, load_settings
from core.suite import children
from core.suite.banner import addresses, banner
from core.suite.browser import has_display
from core.suite.cli import parse_arguments
from core.suite.console import Console
from core.suite.cycle_line import CycleReporter, cycle_line, format_price
from core.suite.heartbeat_watch import HeartbeatWatch
from core.suite.ports import free_port, problem
from core.suite.preflight import refuse_busy_ports, take_folder
from core.suite.source import at_local_server
from core.workspace import open_workspace

PROGRESS = {
    "cycle": 12,
    "cycle_seconds": 0.84,
    "coins": 10,
    "forecast_at": "2026-11-22T14:03:30+00:00",
    "headline": {"coin": "bitcoin", "price": 67187.33, "mean": 67190.0, "low80": 66900.0, "high80": 67480.0},
}


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine takes part."""
    for name in Settings.model_fields:
        monkeypatch.setenv(f"CRYPTO_{name.upper()}", "")
    monkeypatch.setitem(Settings.model_config, "env_file", None)


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Makes settings in an empty data folder."""
    return lambda **given: load_settings(data_dir=tmp_path / "data", models_dir=tmp_path / "models", **given)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_no_option_leaves_everything_to_settings() -> None:
    """Without options the settings are the defaults."""
    assert parse_arguments([]) == load_settings()


def test_options_reach_the_settings(tmp_path: Path) -> None:
    """Each documented option sets its value."""
    words = (
        f"--coins top:20 --currency BRL --interval 60 --seed 7 --host localhost --api-port 8101 --dashboard-port 8102 \
        --data-dir {tmp_path}/d --models-dir {tmp_path}/m --no-browser --source demo".replace("BRL", "brl").split()
    )
    settings = parse_arguments(words)
    assert (settings.top, settings.currency, settings.interval, settings.seed) == (20, "brl", 60.0, 7)
    assert (settings.host, settings.api_port, settings.dashboard_port) == ("localhost", 8101, 8102)
    assert (settings.data_dir, settings.models_dir) == (tmp_path / "d", tmp_path / "m")
    assert (settings.browser, settings.source) == (False, Source.DEMO)


def test_options_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option wins over the variable of the same name; a variable without option counts."""
    monkeypatch.setenv("CRYPTO_API_PORT", "9001")
    monkeypatch.setenv("CRYPTO_DASHBOARD_PORT", "9002")
    settings = parse_arguments(["--api-port", "9003"])
    assert (settings.api_port, settings.dashboard_port) == (9003, 9002)


def test_replay_names_its_source(tmp_path: Path) -> None:
    """A recording given is played, from the moment given; demo is a source by itself."""
    recording = tmp_path / "gravação de abril.parquet"
    settings = parse_arguments(["--replay", str(recording), "--replay-start", "2023-04-10"])
    assert (settings.source, settings.replay, settings.replay_start) == (Source.REPLAY, recording, "2023-04-10")
    assert parse_arguments(["--demo"]).source is Source.DEMO


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--demo", "--replay", "x.csv"], "contradizem"),
        (["--demo", "--source", "coingecko"], "contradizem"),
        (["--source", "replay"], "--replay"),
        (["--source", "marte"], "CRYPTO_SOURCE"),
        (["--replay-start", "2023-04-10"], "--replay-start"),
        (["--interval", "4"], "CRYPTO_INTERVAL"),
        (["--api-port", "x"], "CRYPTO_API_PORT"),
        (["--api-port", "8501"], "8501"),
        (["--host", "192.0.2.1"], "CRYPTO_API_TOKEN"),
        (["--coins", "bit coin"], "bit coin"),
    ],
)
def test_bad_options_are_explained(words: list[str], said: str) -> None:
    """Values out of range and contradictions are refused with words that name them."""
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        parse_arguments(words)


def test_a_settings_file_in_another_encoding_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A .env saved in Latin-1 gives one clear line."""
    (tmp_path / ".env").write_bytes("CRYPTO_CONTACT=joão".encode("latin-1"))
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        parse_arguments([])


def test_unknown_options_are_refused_in_portuguese(capsys: pytest.CaptureFixture[str]) -> None:
    """An option that does not exist ends with code 2 and says so."""
    with pytest.raises(SystemExit, match="2"):
        parse_arguments(["--demoo"])
    with pytest.raises(SystemExit, match="2"):
        parse_arguments(["--seed"])
    said = capsys.readouterr().err
    assert "opção desconhecida: --demoo" in said
    assert "--seed precisa de um valor" in said


def test_help_is_portuguese_and_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists the documented options and no English of argparse's own."""
    with pytest.raises(SystemExit, match="0"):
        parse_arguments(["--help"])
    text = capsys.readouterr().out
    names = (
        "source demo replay replay-start coins currency interval seed host api-port dashboard-port data-dir models-dir"
    )
    assert all(f"--{name} " in text for name in [*names.split(), "no-browser"])
    assert not re.search(r"usage|options|show this|optional", text)


def test_env_example_names_every_setting() -> None:
    """.env.example has each variable once, commented, with the value that is the default anyway."""
    lines = (PROJECT / ".env.example").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line.startswith("CRYPTO_"))
    assert list(given) == list(dict.fromkeys(line.split("=")[0] for line in lines if line.startswith("CRYPTO_")))
    assert set(given) == {f"CRYPTO_{name.upper()}" for name in Settings.model_fields}
    overrides = {name.removeprefix("CRYPTO_").lower(): value for name, value in given.items() if value}
    assert load_settings(**overrides) == load_settings()


def test_a_free_port_has_no_problem_and_a_busy_one_has(settings: Callable[..., Settings]) -> None:
    """A busy port is refused with its number, its owner and the option; a free one is not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        busy = int(server.getsockname()[1])
        said = problem("127.0.0.1", busy)
        assert said is not None
        assert f"{busy} já está em uso" in said
        assert f"pid {os.getpid()}" in said
        with pytest.raises(ConfigurationError, match=rf"painel.*{busy}.*--dashboard-port \d+"):
            refuse_busy_ports(settings(dashboard_port=busy, api_port=free_port({busy})))
        with pytest.raises(ConfigurationError, match=rf"API.*{busy}.*--api-port \d+"):
            refuse_busy_ports(settings(api_port=busy))
    assert problem("127.0.0.1", busy) is None


def test_a_port_taken_on_all_interfaces_is_busy() -> None:
    """A server on every address occupies the loopback port too."""
    with socket.create_server(("", 0)) as server:
        assert problem("127.0.0.1", int(server.getsockname()[1])) is not None


def test_a_host_of_another_machine_is_refused() -> None:
    """An address or a name that is not this machine's cannot be listened at."""
    assert problem("192.0.2.1", 8000) is not None
    assert problem("nada.invalid", 8000) is not None


def test_a_folder_has_one_suite(settings: Callable[..., Settings]) -> None:
    """The second suite on a data folder is refused with the folder's name; the lock ends with the first."""
    asked = settings()
    with take_folder(asked), pytest.raises(AlreadyRunning, match=re.escape(str(asked.data_dir))):
        take_folder(asked)
    take_folder(asked).release()


def test_a_folder_that_is_a_file_is_refused(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """A data folder that cannot be written is a matter of configuration."""
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigurationError, match="não é possível gravar"):
        take_folder(settings())


def test_children_get_the_settings(
    settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A child's environment rebuilds the settings, spares the local server any proxy, and keeps secrets from argv."""
    monkeypatch.setenv("NO_PROXY", "example.com")
    asked = settings(source="demo", api_token="segredo-da-api", coins="bitcoin,solana", browser=False)
    local = at_local_server(asked, 4711)
    workspace = open_workspace(asked)
    specs = [
        children.api(asked),
        children.dashboard(asked),
        children.simulator(asked, workspace, 4711),
        children.collector(local),
        children.pipeline(local),
    ]
    assert [spec.name for spec in specs] == ["api", "dashboard", "simulator", "collector", "pipeline"]
    assert not any("segredo" in word for spec in specs for word in spec.argv)
    for spec in specs:
        assert spec.environment[PARENT_VARIABLE] == str(os.getpid())
        assert spec.environment["NO_PROXY"] == "example.com,127.0.0.1,localhost"
    with monkeypatch.context() as child:
        for name, value in specs[3].environment.items():
            child.setenv(name, value)
        assert load_settings() == local
    assert specs[0].environment["CRYPTO_SOURCE"] == "auto"


def test_the_replay_child_gets_recording_and_epoch(settings: Callable[..., Settings], tmp_path: Path) -> None:
    """The local server is told what to play, from where, and when it began."""
    recording = tmp_path / "gravação.csv"
    recording.write_text("timestamp,coin,price\n")
    asked = settings(source="replay", replay=recording, replay_start="2023-04-10")
    workspace = open_workspace(asked)
    argv = children.simulator(asked, workspace, 4711).argv
    pairs = dict(zip(argv[5::2], argv[6::2], strict=True))
    assert (pairs["--replay"], pairs["--replay-start"]) == (str(recording), "2023-04-10")
    assert pairs["--epoch-ms"] == str(workspace.epoch_ms)


def test_cycle_line_reads_like_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time, cycle, coins, the headline coin with its interval, and how long it took."""
    line = cycle_line(PROGRESS)
    expected = "ciclo 12 · 10 moedas · bitcoin 67.187,33 → 67.190,00 [66.900,00–67.480,00] 80 % · 0,8 s"
    assert re.fullmatch(r"\d\d:\d\d:30 " + re.escape(expected), line)


def test_cycle_line_without_headline() -> None:
    """A cycle that forecast nothing still has its line, in the singular where there is one coin."""
    progress = {name: value for name, value in PROGRESS.items() if name != "headline"} | {"coins": 1}
    assert cycle_line(progress).endswith("ciclo 12 · 1 moeda · 0,8 s")


@pytest.mark.parametrize(
    ("price", "text"),
    [(67187.334, "67.187,33"), (0.5123456, "0,5123"), (0.0000123456, "0,00001235"), (2.5, "2,5000"), (0.0, "0,00")],
)
def test_prices_keep_their_significant_digits(price: float, text: str) -> None:
    """Dear coins show cents, cheap ones four significant digits, all with Brazilian separators."""
    assert format_price(price) == text


def test_each_cycle_is_reported_once() -> None:
    """A cycle gives one line; a new cycle, or the first of a restarted pipeline, another."""
    reporter = CycleReporter()
    assert reporter.line(1, {}) is None
    assert reporter.line(1, PROGRESS) is not None
    assert reporter.line(1, PROGRESS) is None
    assert reporter.line(1, {**PROGRESS, "cycle": 13}) is not None
    assert reporter.line(2, {**PROGRESS, "cycle": 13}) is not None


def test_console_paints_only_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours appear on a terminal, and neither in a file nor with NO_COLOR."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    plain, coloured = io.StringIO(), Terminal()
    Console(plain).log("api", "olá")
    Console(coloured).log("api", "olá")
    assert plain.getvalue() == "api       | olá\n"
    assert "\x1b[" in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    silenced = Terminal()
    Console(silenced).log("api", "olá")
    assert silenced.getvalue() == plain.getvalue()


def test_console_survives_a_reader_that_left() -> None:
    """A closed pipe silences the console and stops nobody."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w", encoding="utf-8")
    console = Console(stream)
    console.say("ninguém lê")
    console.warn("ninguém lê")
    with pytest.raises(BrokenPipeError):
        stream.close()


@pytest.mark.parametrize(
    ("environment", "platform", "expected"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({}, "linux", False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", False),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "a b"}, "darwin", False),
        ({}, "win32", True),
    ],
)
def test_a_browser_needs_a_display(environment: dict[str, str], platform: str, expected: bool) -> None:
    """Pages open only where a person can see them."""
    assert has_display(environment, platform) is expected


def test_banner_says_what_runs_where(settings: Callable[..., Settings]) -> None:
    """The table names addresses, source, coins and folders; an IPv6 address is bracketed."""
    asked = settings(source="demo", seed=3, currency="brl")
    text = banner(asked, open_workspace(asked))
    for expected in (
        "http://127.0.0.1:8000/docs",
        "http://127.0.0.1:8501",
        "SIMULADA",
        "BRL",
        str(asked.data_dir / "demo"),
    ):
        assert expected in text
    assert addresses(settings(host="::1"))["api"] == "http://[::1]:8000"


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The time set."""
        return self.now


@pytest.fixture
def watched(tmp_path: Path) -> tuple[HeartbeatWatch, Clock]:
    """A watch of a process that has beaten once, at second 0."""
    clock = Clock()
    watch = HeartbeatWatch(tmp_path / "alvo.json", 60, 90, clock)
    write_json(tmp_path / "alvo.json", {"pid": 7, "heartbeat_monotonic": 1.0})
    watch.begin(7)
    clock.now = 1.0
    assert watch.look() is None
    return watch, clock


def looks(watch: HeartbeatWatch, clock: Clock, until: int) -> dict[float, bool]:
    """What the watch said second by second: when, and whether it was overdue."""
    said = {}
    while clock.now < until:
        clock.now += 1
        if watch.look() is not None:
            said[clock.now] = watch.overdue
    return said


def test_silence_is_said_once_and_then_overdue(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """A minute without a beat is announced once, a minute and a half means overdue."""
    assert looks(*watched, until=92) == {61: False, 91: True, 92: True}


def test_a_pause_of_the_watcher_is_not_held_against_others(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """A laptop that slept for an hour wakes without declaring anybody dead; later silence counts from then."""
    watch, clock = watched
    clock.now = 3600.0
    assert watch.look() is None
    assert looks(watch, clock, until=3690) == {3660: False, 3690: True}


def test_a_full_disk_is_not_held_against_others(watched: tuple[HeartbeatWatch, Clock]) -> None:
    """Where nothing can be written a heartbeat that stands still proves nothing."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        said = looks(*watched, until=300)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert said == {}
