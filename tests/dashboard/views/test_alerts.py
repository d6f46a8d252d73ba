"""The alerts page: rules made on it, what holds now, what was told, and what could not be delivered."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from alerts.alert import Alert, AlertKind, Sight
from alerts.rules.table import read_rule
from alerts.store import AlertStore, Episode, Evaluation, Outbox
from core.times import now_ms
from tests.support.dashboard_page import open_page, switch_language, text_on
from tests.support.workspace import SampleWorkspace

_RULE = {"condicao": "preco_acima", "nome": "Bitcoin alto", "moedas": ["bitcoin"], "nivel": 60000.0}


@pytest.fixture
def path(running: SampleWorkspace) -> Path:
    """Where alerts.db will be, of a workspace without alerts."""
    path = running.workspace.alerts
    for file in path.parent.glob("alerts.db*"):
        file.unlink()
    return path


def _page(**address: str) -> AppTest:
    page = open_page(pagina="alertas", **address)
    assert not page.exception
    return page


def test_a_page_without_rules_offers_the_form_and_makes_no_file(path: Path) -> None:
    """Looking at the page stores nothing."""
    page = _page()
    assert "Ainda não há regras" in text_on(page)
    assert "Bitcoin (BTC): preço acima de" in text_on(page)
    assert not path.exists()


def test_a_rule_made_on_the_page_is_stored_and_listed(path: Path) -> None:
    """The level is typed as Brazilians write it; nobody watches the rule yet, and the page says so."""
    page = _page()
    page.text_input(key="alert_preco_acima_nivel_pt").set_value("70.000,50").run()
    page.button(key="alert_create").click().run()
    assert not page.exception
    with AlertStore(path) as store:
        (stored,) = store.rules()
    assert stored.rule.coins == ("bitcoin",)
    assert getattr(stored.rule.condition, "level") == 70_000.5  # noqa: B009 - the type knows no level
    text = text_on(page)
    assert "Bitcoin (BTC): preço acima de 70.000,5" in text
    assert "ainda não conferida" in text
    assert "processo de alertas não está rodando" in text
    page.button(key="alert_create").click().run()
    assert "já vigia o mesmo" in text_on(page)


def test_a_rule_is_tried_before_it_is_made(path: Path) -> None:
    """The form says for which coins the rule would fire on the newest prices."""
    page = _page()
    level = page.text_input(key="alert_preco_acima_nivel_pt")
    assert "Avisaria agora mesmo: Bitcoin (BTC)" in text_on(level.set_value("60.000").run())
    assert "Agora não avisaria." in text_on(page.text_input(key="alert_preco_acima_nivel_pt").set_value("90000").run())


def test_a_coin_that_leaves_does_not_turn_into_a_rule_of_all_coins(running: SampleWorkspace) -> None:
    """The form names the chosen coin that is gone and waits for a choice; conditions without coins are not held up."""
    page = _page(moeda="dogecoin")
    running.leave("dogecoin")
    page.run()
    assert "Não acompanhamos: dogecoin." in text_on(page)
    assert page.button(key="alert_create").disabled
    page.selectbox(key="condicao").select("disco_cheio").run()
    assert not page.button(key="alert_create").disabled
    page.selectbox(key="condicao").select("preco_acima").run()
    page.multiselect(key="alert_coins").set_value(["bitcoin"]).run()
    assert "dogecoin" not in text_on(page)
    assert not page.button(key="alert_create").disabled


def test_a_typed_level_follows_the_reader_through_the_languages(path: Path) -> None:
    """A rule that is half filled in keeps its number, in the notation of the page; what is no number stays as typed."""
    page = _page(moeda="bitcoin")
    page.text_input(key="alert_preco_acima_nivel_pt").set_value("70.000,5").run()
    level = switch_language(page, "en").text_input(key="alert_preco_acima_nivel_en")
    assert level.value == "70,000.5"
    level.set_value("75,000").run()
    level = switch_language(page, "pt").text_input(key="alert_preco_acima_nivel_pt")
    assert level.value == "75.000"
    level.set_value("muito").run()
    assert switch_language(page, "en").text_input(key="alert_preco_acima_nivel_en").value == "muito"


def test_a_rule_is_paused_resumed_and_removed(path: Path) -> None:
    """The buttons of a rule change what is stored."""
    with AlertStore(path) as store:
        number = store.add_rule(read_rule(_RULE))
        page = _page()
        page.button(key=f"alert_switch_{number}").click().run()
        assert [stored.is_on for stored in store.rules()] == [False]
        assert "pausada" in text_on(page)
        page.button(key=f"alert_switch_{number}").click().run()
        assert [stored.is_on for stored in store.rules()] == [True]
        page.button(key=f"alert_remove_{number}").click().run()
        assert store.rules() == []


def test_what_holds_and_what_was_told_are_shown_in_words(path: Path) -> None:
    """The coin for which the rule holds, the sentence of the alert, and that it is on its way."""
    rule = read_rule(_RULE | {"canais": ["telegram"]})
    now = now_ms()
    sight = Sight("bitcoin", now, {"price": 67_187.33, "level": 60_000.0})
    alert = Alert("k1", rule.id, rule.name, "preco_acima", AlertKind.FIRED, (sight,), "coingecko", rule.channels)
    with AlertStore(path) as store:
        store.add_rule(rule)
        store.commit(Evaluation(episodes=[Episode(rule.id, "bitcoin", 1, 1, now, now)], alerts=[alert]), now)
    page = _page()
    assert "vale agora: Bitcoin (BTC)" in text_on(page)
    (table,) = [frame.value for frame in page.dataframe]
    assert list(table["Regra"]) == ["Bitcoin alto"]
    assert list(table["Entrega"]) == ["telegram: a caminho"]
    assert "67.187" in table["O que se viu"][0]


def test_a_test_goes_to_the_channels_of_the_rule(path: Path) -> None:
    """The button puts a test into the outbox."""
    with AlertStore(path) as store:
        number = store.add_rule(read_rule(_RULE | {"canais": ["telegram", "email"]}))
    page = _page()
    page.button(key=f"alert_try_{number}").click().run()
    with Outbox(path) as outbox:
        due = [*outbox.due(now_ms() + 1, 10, "email"), *outbox.due(now_ms() + 1, 10, "telegram")]
    assert [delivery.channel for delivery in due] == ["email", "telegram"]
    assert {delivery.alert.kind for delivery in due} == {AlertKind.TEST}


def test_a_dead_letter_is_shown_with_its_reason_and_tried_again(path: Path) -> None:
    """The reason is a sentence, in the language of the page."""
    rule = read_rule(_RULE | {"canais": ["telegram"]})
    alert = Alert(
        "k1", rule.id, rule.name, "preco_acima", AlertKind.FIRED, (Sight("bitcoin", 1),), "demo", rule.channels
    )
    with AlertStore(path) as store, Outbox(path) as outbox:
        store.tell(alert, now_ms())
        (delivery,) = outbox.due(now_ms() + 1, 10, "telegram")
        outbox.dead(delivery.id, "timeout", now_ms())
        page = _page(idioma="en")
        assert "telegram · Bitcoin alto" in text_on(page)
        page.button(key=f"alert_again_{delivery.id}").click().run()
        assert store.dead_letters() == []
        assert len(outbox.due(now_ms() + 1, 10, "telegram")) == 1


@pytest.fixture
def file(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of rules that the page has read once."""
    file = tmp_path / "rules" / "alerts.toml"
    file.parent.mkdir()
    monkeypatch.setenv("CRYPTO_ALERTS_FILE", str(file))
    file.write_text('[[regra]]\nnome = "Humor"\ncondicao = "regime"\nmoedas = "todas"\n', encoding="utf-8")
    assert "Humor" in text_on(_page())
    return file


def test_a_file_with_an_error_is_named_with_its_line(file: Path) -> None:
    """The page shows what `--check` would say, and the file's rules that it read before go on."""
    file.write_text('[[regra]]\nnome = "x"\ncondicao = = 3\n', encoding="utf-8")
    text = text_on(_page())
    assert "alerts.toml, linha 3: não é TOML" in text
    assert "Humor" in text
    assert "Sem canais" not in text


def test_a_file_that_the_system_refuses_to_open_is_named_until_it_opens_again(file: Path) -> None:
    """A file in the place of its folder stands for any refusal; the rules that the page read before go on."""
    away = file.parent.rename(file.parent.with_suffix(".away"))
    file.parent.touch()
    text = text_on(_page())
    assert "não é possível ler alerts.toml" in text
    assert "Humor" in text
    file.parent.unlink()
    away.rename(file.parent)
    assert "não é possível ler" not in text_on(_page())
