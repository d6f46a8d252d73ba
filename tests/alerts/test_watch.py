"""A watch over a workspace: nothing is lost over outages, nothing told twice, and every scope is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alerts.alert import AlertKind
from alerts.forecast_reading import open_reading
from alerts.rule_book import RuleBook
from alerts.rule_trial import try_rule
from alerts.rules.table import read_rule
from alerts.rules.toml_file import parse_alerts
from alerts.store import AlertStore
from alerts.watch import Watch
from core.errors import StorageProblem
from core.price_store import Price, open_writer
from core.reading.published import PublishedData
from core.reading.readers import Readers
from core.times import DAY_MS, HOUR_MS, MINUTE_MS, now_ms, to_datetime
from tests.support.workspace import SampleWorkspace

ABOVE = """
[[regra]]
nome = "acima"
condicao = "preco_acima"
moedas = ["btc"]
nivel = 70000
avisar_normal = true
espera = "0s"
"""


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[SampleWorkspace]:
    """A filled workspace whose newest prices are ten minutes old, with an own file of rules."""
    made = SampleWorkspace.make(tmp_path / "data", alerts_file=tmp_path / "alerts.toml")
    made.now -= 10 * MINUTE_MS
    yield made.fill()
    made.close()


@pytest.fixture
def store(sample: SampleWorkspace) -> Iterator[AlertStore]:
    """The store of the workspace."""
    with AlertStore(sample.workspace.alerts) as opened:
        yield opened


@pytest.fixture
def watch(sample: SampleWorkspace, store: AlertStore) -> Callable[[str], Watch]:
    """Make a watch as a new process would, over a file of these rules."""

    def make(rules: str = "") -> Watch:
        if rules:
            sample.settings.alerts_file.write_text(rules, encoding="utf-8")
        data = PublishedData(sample.settings)
        book = RuleBook(sample.settings.alerts_file, store)
        return Watch(sample.settings, data, store, book, lambda: open_reading(sample.settings))

    return make


def put(sample: SampleWorkspace, *prices: float, coin: str = "bitcoin", step_ms: int = 30_000) -> None:
    """Store these prices of a coin, one after another, from the newest on."""
    with open_writer(sample.workspace.database) as writer:
        for price in prices:
            sample.now += step_ms
            writer.store([Price(coin, sample.now, price, fetched_ms=now_ms())])


def kinds(store: AlertStore) -> list[tuple[str, str, float | None]]:
    """Name, kind and price of what was told, oldest first."""
    told = [one.alert for one in reversed(store.told())]
    return [(alert.name, alert.kind.value, alert.sights[0].figures.get("price")) for alert in told]


def test_every_price_of_an_outage_is_judged_and_none_twice(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch]
) -> None:
    """Prices that rose above the level and fell back while nothing watched are told in order, by whatever process."""
    watch(ABOVE).look()
    put(sample, 70_100, 69_000, 71_000, 69_500, 69_000)
    watch().look()
    watch().look()
    found = sorted(kinds(store), key=lambda one: one[2] or 0)
    assert found == [
        ("acima", "normal", 69_000.0),
        ("acima", "normal", 69_500.0),
        ("acima", "fired", 70_100.0),
        ("acima", "fired", 71_000.0),
    ]


def test_what_could_not_be_stored_is_judged_again(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses one commit costs nothing: the same watch tells the alert in its next look."""
    one = watch(ABOVE)
    one.look()
    put(sample, 70_100)

    def refuse(*_: object) -> None:
        raise StorageProblem("alerts.db: full")

    with monkeypatch.context() as patched:
        patched.setattr(store, "commit", refuse)
        with pytest.raises(StorageProblem):
            one.look()
    assert kinds(store) == []
    one.look()
    assert kinds(store) == [("acima", "fired", 70_100.0)]


def test_a_changed_file_is_taken_up_and_a_broken_one_leaves_the_rules_as_they_were(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch]
) -> None:
    """A new level counts from the next price on; after a typing error the last valid rules go on and say why."""
    one = watch(ABOVE)
    one.look()
    sample.settings.alerts_file.write_text(ABOVE.replace("70000", "71000"), encoding="utf-8")
    put(sample, 70_500)
    one.look()
    assert kinds(store) == []
    sample.settings.alerts_file.write_text(ABOVE.replace("nivel", "nivell"), encoding="utf-8")
    put(sample, 71_500)
    one.look()
    assert kinds(store) == [("acima", "fired", 71_500.0)]


def test_a_process_that_begins_over_a_broken_file_takes_it_up_once_it_is_good(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch]
) -> None:
    """What a rule had told stays known meanwhile, and the rule counts from the next price on."""
    watch(ABOVE).look()
    put(sample, 70_100)
    watch().look()
    one = watch(ABOVE.replace("nivel", "nivell"))
    put(sample, 70_200)
    one.look()
    sample.settings.alerts_file.write_text(ABOVE, encoding="utf-8")
    put(sample, 70_300, 69_000)
    one.look()
    assert kinds(store) == [("acima", "fired", 70_100.0), ("acima", "normal", 69_000.0)]


def test_a_file_that_cannot_be_read_leaves_the_rules_as_they_were(
    sample: SampleWorkspace, store: AlertStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that the system refuses to open, here a link to itself, is said once and read as soon as it can be."""
    file = sample.settings.alerts_file
    file.write_text(ABOVE, encoding="utf-8")
    book = RuleBook(file, store)
    book.refresh()
    before = book.rules
    file.rename(file.with_suffix(".good"))
    file.symlink_to(file)
    with caplog.at_level("ERROR"):
        book.refresh()
        book.refresh()
    assert (book.rules, len(caplog.records), book.problem is None) == (before, 1, False)
    file.unlink()
    file.with_suffix(".good").rename(file)
    assert book.refresh()
    assert (book.rules, book.problem) == (before, None)


def test_rules_of_the_dashboard_count_too(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch]
) -> None:
    """A rule that another connection adds is judged in the next look."""
    one = watch()
    one.look()
    with AlertStore(sample.workspace.alerts) as dashboard:
        dashboard.add_rule(read_rule({"nome": "painel", "condicao": "preco_abaixo", "moedas": ["btc"], "nivel": 60000}))
    put(sample, 59_000)
    one.look()
    assert kinds(store) == [("painel", "fired", 59_000.0)]
    trial = try_rule(store.rules()[0].rule, sample.settings, Readers(sample.settings))
    assert (trial.judged, [sight.coin for sight in trial.sights]) == (1, ["bitcoin"])


def test_names_that_no_coin_has_are_logged(watch: Callable[..., Watch], caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt coin would never be told of; the log names it, and no other."""
    watch(ABOVE + RULE.format("preco_abaixo") + 'moedas=["bitcon", "ethereum"]\nnivel=1\n').look()
    assert [record.message for record in caplog.records] == ["no coin that is collected is called bitcon"]


def test_many_coins_at_once_are_one_alert(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More coins than are told alone come in one alert with a sight for each."""
    monkeypatch.setattr("alerts.composing.ALONE", 2)
    watch('[[regra]]\nnome="n"\ncondicao="preco_acima"\nmoedas="todas"\nnivel=0.000001\n').look()
    (told,) = store.told()
    assert sorted(sight.coin or "" for sight in told.alert.sights) == ["bitcoin", "dogecoin", "ethereum"]


RULE = '[[regra]]\nnome="n"\ncondicao="{}"\n'
OF_COINS = 'moedas="todas"\n'
HOLDING: dict[str, str] = {
    "movimento_esperado": OF_COINS + "nivel=0.1\n",
    "largura_da_faixa": OF_COINS + "percentil=60\n",
    "termina_acima": OF_COINS + "distancia=0.05\nprobabilidade=30\n",
    "termina_abaixo": OF_COINS + "distancia=-0.05\nprobabilidade=30\nhorizonte=30\n",
    "toca": OF_COINS + "distancia=0.1\nprobabilidade=50\n",
    "regime": OF_COINS + 'para="normal"\n',
    "cobertura": "tolerancia=2\n",
    "dados_parados": 'ha="5m"\n',
    "disco_cheio": "livre_gb=1000000\n",
    "processo_parado": 'processos=["collector"]\nha="0s"\n',
}


OPPOSITE: dict[str, str] = {
    "nivel=0.1": "nivel=50",
    "percentil=60": "percentil=70",
    "probabilidade=30": "probabilidade=99",
    "probabilidade=50": "probabilidade=99",
    'para="normal"': 'para="calm"',
    "tolerancia=2": "tolerancia=20",
    'ha="5m"': 'ha="1h"',
    "livre_gb=1000000": "livre_gb=0.000001",
    '"collector"': '"api"',
}


def test_a_condition_that_holds_is_told_and_one_that_does_not_is_not(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch]
) -> None:
    """Each condition about forecasts or the suite fires on the sample, and a trial says so; its opposite is silent."""
    sample.beat("collector")
    sample.stop("collector")
    for condition, holds in HOLDING.items():
        before = len(store.told())
        watch(RULE.format(condition) + holds).look()
        rule, readers = parse_alerts(RULE.format(condition) + holds, Path("x.toml")).rules[0], Readers(sample.settings)
        assert try_rule(rule, sample.settings, readers).sights, condition
        new = store.told()[: len(store.told()) - before]
        assert {(one.alert.condition, one.alert.kind) for one in new} == {(condition, AlertKind.FIRED)}, condition
        opposite = holds
        for old, other in OPPOSITE.items():
            opposite = opposite.replace(old, other)
        watch(RULE.format(condition) + opposite).look()
        assert len(store.told()) == before + len(new), condition


def test_a_price_outside_the_band_of_an_hour_ago_is_told(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch]
) -> None:
    """Five percent are beyond the 95 % band that was logged an hour before; the alert says how improbable that was."""
    sample.publish_log(hours=1.5)
    one = watch(RULE.format("fora_da_faixa") + 'moedas=["bitcoin"]\nespera="0s"\n')
    before = sample.price(sample.coins[0], sample.now - HOUR_MS)
    put(sample, before, step_ms=1_000)
    one.look()
    assert store.told() == []
    put(sample, before * 1.05, step_ms=1_000)
    one.look()
    (told,) = store.told()
    figures: Any = told.alert.sights[0].figures
    assert figures["high"] < figures["price"] == before * 1.05
    assert 0 < figures["probability"] < 2.5


def test_quiet_hours_hold_back_and_release_together(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two alerts of one rule within quiet hours become one with two sights once they end; urgent ones do not wait."""
    start, end = (f"{to_datetime(now_ms() + hours * HOUR_MS):%H:%M}" for hours in (-2, 2))
    urgent = '[[regra]]\nnome="u"\ncondicao="preco_acima"\nmoedas=["btc"]\nnivel=70050\nurgente=true\nespera="1d"\n'
    one = watch(f'[silencio]\ndas="{start}"\nate="{end}"\n{ABOVE}{urgent}')
    one.look()
    put(sample, 70_100, 69_000, 70_200)
    one.look()
    assert {told.alert.name for told in store.told() if told.held_until_ms is None} == {"u"}
    monkeypatch.setattr("alerts.watch.now_ms", lambda: now_ms() + 3 * HOUR_MS)
    one.look()
    assert all(told.held_until_ms is None for told in store.told())
    sights = {(told.alert.name, told.alert.kind.value): len(told.alert.sights) for told in store.told()}
    assert sights == {("u", "fired"): 1, ("acima", "fired"): 2, ("acima", "normal"): 1}


def test_silence_before_a_start_is_not_told(
    sample: SampleWorkspace, store: AlertStore, watch: Callable[..., Watch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose last sign is of an earlier run is told only if none comes within the time of the rule."""
    sample.beat("pipeline")
    sample.stop("pipeline")
    health = sample.settings.run_dir / "pipeline.json"
    last = json.loads(health.read_text(encoding="utf-8"))
    health.write_text(json.dumps(last | {"heartbeat_monotonic": last["heartbeat_monotonic"] - 75}), encoding="utf-8")
    sample.beat("suite")
    rule = RULE.format("processo_parado") + 'processos=["pipeline"]\n'
    watch(rule).look()
    assert store.told() == []
    monkeypatch.setattr("alerts.watch.now_ms", lambda: now_ms() + MINUTE_MS)
    watch().look()
    assert [one.alert.sights[0].process for one in store.told()] == ["pipeline"]


@pytest.mark.parametrize("stale_after_s", [180.0, 4 * 86_400.0])
def test_what_is_old_at_the_first_look_is_past(
    sample: SampleWorkspace,
    store: AlertStore,
    watch: Callable[..., Watch],
    monkeypatch: pytest.MonkeyPatch,
    stale_after_s: float,
) -> None:
    """Prices and forecasts of three days ago tell nothing, unless they come so seldom; the next ones do."""
    sample.beat("collector", stale_after_s=stale_after_s)
    one = watch(ABOVE.replace("70000", "1") + RULE.format("movimento_esperado") + HOLDING["movimento_esperado"])
    with monkeypatch.context() as patched:
        patched.setattr("alerts.watch.now_ms", lambda: now_ms() + 3 * DAY_MS)
        one.look()
    assert bool(store.told()) == (stale_after_s > 3 * 86_400)
    put(sample, 70_100)
    sample.publish_forecasts()
    one.look()
    assert {told.alert.name for told in store.told()} == {"acima", "n"}


@pytest.mark.parametrize("quiet", [(-5, 0), (-60, DAY_MS)], ids=["before them", "in those of the day before"])
def test_quiet_hours_hold_back_what_becomes_known_in_them(
    sample: SampleWorkspace,
    store: AlertStore,
    watch: Callable[..., Watch],
    monkeypatch: pytest.MonkeyPatch,
    quiet: tuple[int, int],
) -> None:
    """A price from before the quiet hours, or from those of the day before, waits for the end of those of now."""
    start_min, late_ms = quiet
    start, end = (f"{to_datetime(now_ms() + minutes * MINUTE_MS):%H:%M}" for minutes in (start_min, 120))
    one = watch(f'[silencio]\ndas="{start}"\nate="{end}"\n{ABOVE}')
    one.look()
    put(sample, 70_100)
    monkeypatch.setattr("alerts.watch.now_ms", lambda: now_ms() + late_ms)
    one.look()
    (told,) = store.told()
    assert 118 * MINUTE_MS < (told.held_until_ms or 0) - now_ms() - late_ms <= 120 * MINUTE_MS
