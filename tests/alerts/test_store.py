"""alerts.db: rules, evaluations as one transaction, and the way of a delivery."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.alert import Alert, AlertKind, Sight, alert_from_json, alert_key, alert_to_json
from alerts.rules.table import read_rule
from alerts.store import AlertStore, DeliveryState, Episode, Evaluation, Outbox
from core.errors import BadInput, ConfigurationError, DamagedFile
from core.times import DAY_MS

SIGHT = Sight("bitcoin", 1_000, {"price": 101.5, "level": 100.0}, since_ms=900)
RULE = read_rule({"nome": "acima", "condicao": "preco_acima", "moedas": ["bitcoin"], "nivel": 100})


def alert(sight: Sight = SIGHT, channels: tuple[str, ...] = ("mail", "phone")) -> Alert:
    """An alert of one sight on two channels."""
    key = alert_key(RULE.id, AlertKind.FIRED, [sight])
    return Alert(key, RULE.id, RULE.name, RULE.condition.KIND.value, AlertKind.FIRED, (sight,), "demo", channels)


FOREVER_MS = 2**60


@pytest.fixture
def outbox(tmp_path: Path, store: AlertStore) -> Iterator[Outbox]:
    """The deliveries of the store."""
    del store  # creates the file
    with Outbox(tmp_path / "alerts.db") as opened:
        yield opened


@pytest.fixture
def store(tmp_path: Path) -> Iterator[AlertStore]:
    """An empty store."""
    with AlertStore(tmp_path / "alerts.db") as opened:
        yield opened


def test_an_alert_survives_as_json() -> None:
    """What is read back equals what was written."""
    assert alert_from_json(alert_to_json(alert())) == alert()


def test_the_key_depends_on_rule_kind_subjects_and_beginnings_alone() -> None:
    """Order of the sights, figures and the time of telling change nothing; the beginning does."""
    other = Sight("ethereum", 5)
    key = alert_key("r", AlertKind.FIRED, [SIGHT, other])
    assert key == alert_key("r", AlertKind.FIRED, [other, Sight("bitcoin", 2_000, {}, since_ms=900)])
    assert key != alert_key("r", AlertKind.FIRED, [other, Sight("bitcoin", 2_000, {}, since_ms=901)])
    assert key != alert_key("r", AlertKind.NORMAL, [SIGHT, other])


def test_an_evaluation_is_stored_as_a_whole_and_told_once(store: AlertStore, outbox: Outbox) -> None:
    """States, cursors, alert and one delivery for each channel are there; the same alert again changes nothing."""
    episode = Episode(RULE.id, "bitcoin", 1, 1, 900, 1_000)
    for _ in range(2):
        store.commit(Evaluation([episode], {"bitcoin": 1_000}, [alert()]), now=2_000)
    assert list(store.episodes()) == [episode]
    assert store.cursors() == {"bitcoin": 1_000}
    assert outbox.channels() == ["mail", "phone"]
    assert [delivery.channel for delivery in outbox.due(2_000, 10, "mail")] == ["mail"]
    (told,) = store.told()
    assert told.alert == alert()
    assert told.deliveries == {"mail": DeliveryState.DUE, "phone": DeliveryState.DUE}


def test_an_evaluation_that_fails_leaves_nothing(store: AlertStore) -> None:
    """An error in the last row undoes the rows before it."""
    broken = Evaluation([Episode(RULE.id, "bitcoin", 1, 1, 900, 1_000)], {"bitcoin": None}, [alert()])  # type: ignore[dict-item]
    with pytest.raises(Exception, match=r"alerts\.db"):
        store.commit(broken, now=2_000)
    assert (list(store.episodes()), store.cursors(), store.told()) == ([], {}, [])


def test_a_delivery_is_retried_given_up_and_revived(store: AlertStore, outbox: Outbox) -> None:
    """It is due again at the time that was said, with its attempts counted, and a dead one only when revived."""
    store.commit(Evaluation(alerts=[alert(channels=("mail",))]), now=1_000)
    (first,) = outbox.due(1_000, 10, "mail")
    assert (first.attempts, first.first_tried_ms) == (0, None)
    outbox.failed(first.id, "timeout", retry_at_ms=5_000, now=2_000)
    assert outbox.due(4_999, 10, "mail") == []
    (second,) = outbox.due(5_000, 10, "mail")
    assert (second.attempts, second.first_tried_ms) == (1, 2_000)
    outbox.dead(second.id, "gone", 6_000)
    assert outbox.due(FOREVER_MS, 10, "mail") == []
    (letter,) = store.dead_letters()
    assert (letter.reason, letter.at_ms, letter.delivery.alert) == ("gone", 6_000, alert(channels=("mail",)))
    store.revive(letter.delivery.id, 7_000)
    (third,) = outbox.due(7_000, 10, "mail")
    outbox.delivered(third.id, 8_000)
    assert store.counts() == {DeliveryState.DUE: 0, DeliveryState.DELIVERED: 1, DeliveryState.DEAD: 0}


def test_what_quiet_hours_hold_back_is_told_together_afterwards(store: AlertStore, outbox: Outbox) -> None:
    """Held alerts have no delivery; when they are released, one alert takes their place."""
    night = [alert(Sight(coin, 1_000, {}, 1_000)) for coin in ("bitcoin", "ethereum")]
    store.commit(Evaluation(alerts=night, held_until_ms={one.key: 9_000 for one in night}), now=1_500)
    assert outbox.due(FOREVER_MS, 10, "mail") == []
    assert store.held(8_999) == []
    held = store.held(9_000)
    assert {one.key for one in held} == {one.key for one in night}
    sights = tuple(sight for one in held for sight in one.sights)
    morning = replace(held[0], key=alert_key(RULE.id, AlertKind.FIRED, sights), sights=sights, channels=("mail",))
    store.release([morning], held, 9_500)
    assert [told.alert for told in store.told()] == [morning]
    assert len(outbox.due(9_500, 10, "mail")) == 1
    assert store.held(2**60) == []


def test_rules_of_the_dashboard_are_added_changed_and_removed(store: AlertStore) -> None:
    """Each keeps its number; one that watches the same as another is refused, and one switched off is still listed."""
    number = store.add_rule(RULE)
    with pytest.raises(BadInput, match="watches the same"):
        store.add_rule(RULE)
    changed = read_rule({"nome": "novo", "condicao": "preco_acima", "moedas": ["bitcoin"], "nivel": 120})
    store.change_rule(number, changed, is_on=False)
    (stored,) = store.rules()
    assert (stored.number, stored.rule, stored.is_on) == (number, changed, False)
    store.remove_rule(number)
    assert store.rules() == []
    with pytest.raises(BadInput, match="no rule"):
        store.change_rule(number, changed)


def test_states_of_rules_that_are_gone_are_forgotten(store: AlertStore) -> None:
    """Only the named rules keep their episodes."""
    store.commit(Evaluation([Episode("a", "", 1, 1, 1, 1), Episode("b", "", 1, 1, 1, 1)]), now=0)
    store.forget(["b"], [], now=0)
    assert [episode.rule for episode in store.episodes()] == ["b"]


@pytest.mark.parametrize(
    ("newest_price_day", "clock_day", "is_kept"),
    [(91, 91, False), (89, 89, True), (1, 91, True), (91, 1, True), (None, 91, True)],
    ids=["91 days later", "89 days later", "clock ahead", "clock behind", "no price yet"],
)
def test_alerts_are_kept_for_90_days_of_prices(
    store: AlertStore, outbox: Outbox, newest_price_day: int | None, clock_day: int, is_kept: bool
) -> None:
    """Alerts go with their deliveries 90 days before the newest judged price; a clock that is wrong removes none."""
    cursors = {} if newest_price_day is None else {"bitcoin": newest_price_day * DAY_MS, "ethereum": 0}
    store.commit(Evaluation(cursors=cursors, alerts=[alert()]), now=0)
    store.forget([], [], now=clock_day * DAY_MS)
    assert bool(store.told()) == is_kept
    assert bool(outbox.due(FOREVER_MS, 10, "mail")) == is_kept


@pytest.mark.parametrize("clock_day", [91, 500, 1])
def test_states_of_coins_that_left_go_after_90_days_of_prices(store: AlertStore, clock_day: int) -> None:
    """A coin that is collected keeps its state however old its price; a clock that is behind removes none."""
    cursors = {"left": 0, "left lately": 2 * DAY_MS, "still there": 0, "bitcoin": 91 * DAY_MS}
    store.commit(Evaluation([Episode("a", coin, 1, 1, 1, 1) for coin in cursors], cursors), now=0)
    store.forget(["a"], ["still there", "bitcoin"], now=clock_day * DAY_MS)
    kept = cursors.keys() if clock_day == 1 else cursors.keys() - {"left"}
    assert store.cursors().keys() == {episode.subject for episode in store.episodes()} == kept


def test_another_connection_sees_changes_and_a_newer_or_damaged_file_is_refused(tmp_path: Path) -> None:
    """`changes` tells of rules that another process adds; a newer schema and a file of noise raise typed errors."""
    path = tmp_path / "alerts.db"
    with AlertStore(path) as one, AlertStore(path) as other:
        before = one.changes()
        other.add_rule(RULE)
        assert one.changes() != before
        assert [stored.rule for stored in one.rules()] == [RULE]
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        AlertStore(path)
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"noise" * 1000)
    with pytest.raises(DamagedFile):
        AlertStore(noise)


@pytest.mark.parametrize("body", ["", "[]", "{", "[" * 5000, "5", '{"condicao": []}', '{"condicao": "disco_cheio"}'])
def test_a_stored_rule_that_nobody_can_read_is_left_out(body: str, store: AlertStore, tmp_path: Path) -> None:
    """The others stay, whatever stands in its place."""
    number = store.add_rule(RULE)
    with closing(sqlite3.connect(tmp_path / "alerts.db")) as connection, connection:
        connection.execute("INSERT INTO rules (body, created_ms) VALUES (?, 0)", (body,))
    assert [one.number for one in store.rules()] == [number]


@pytest.mark.parametrize("body", ["", "[]", "{", "{}", '{"sights": 5}', "[" * 5000])
def test_a_stored_alert_that_nobody_can_read_is_damage(body: str) -> None:
    """Its file is set aside, as any other that is damaged."""
    with pytest.raises(DamagedFile):
        alert_from_json(body)
