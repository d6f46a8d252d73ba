"""One connection to alerts.db; for one thread at a time, each thread opens its own."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, Self

from alerts.alert import Alert, alert_from_json, alert_to_json
from alerts.rules.rule import Rule
from alerts.rules.table import RuleProblems, read_rule, write_rule
from alerts.store.outbox import delivery_of
from alerts.store.rows import DeadLetter, DeliveryState, Episode, Evaluation, StoredRule, Told
from alerts.store.schema import open_database, transaction, translated_errors
from core.errors import BadInput, DamagedFile
from core.files import json_object
from core.times import DAY_MS, now_ms
from core.wording import message

__all__ = ["AlertStore"]

_KEPT_MS: Final = 90 * DAY_MS
_DEAD: Final = (
    "SELECT d.id, d.channel, a.body, d.attempts, d.first_tried_ms, d.reason, d.done_ms "
    "FROM deliveries d JOIN alerts a ON a.key = d.alert WHERE d.state = 'dead' ORDER BY d.done_ms DESC, d.id LIMIT ?"
)
_INSERT_ALERT: Final = (
    "INSERT OR IGNORE INTO alerts (key, rule, recorded_ms, held_until_ms, body) VALUES (?, ?, ?, ?, ?)"
)
_LONG_UNSEEN: Final = "SELECT coin FROM cursors WHERE at_ms < min(?, (SELECT max(at_ms) FROM cursors)) - ?"
_DELETE_OLD: Final = "DELETE FROM alerts WHERE recorded_ms < min(?, (SELECT max(at_ms) FROM cursors)) - ?"


class AlertStore:
    """Reads and writes alerts.db; a context manager.

    Raises:
        ConfigurationError, DamagedFile, StorageProblem: as `open_database`; methods raise the last two.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_database(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        self._connection.close()

    def changes(self) -> int:
        """A number that changes when another connection has committed; costs microseconds."""
        with translated_errors():
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    # Rules made in the dashboard

    def rules(self) -> list[StoredRule]:
        """The rules made in the dashboard, oldest first; one that this release cannot read is left out."""
        with translated_errors():
            rows = self._connection.execute("SELECT number, body, created_ms, is_on FROM rules ORDER BY number")
            found = []
            for number, body, created_ms, is_on in rows.fetchall():
                try:
                    rule = read_rule(json_object(body.encode(errors="replace"), "rule"))
                except (RuleProblems, DamagedFile):
                    continue
                found.append(StoredRule(number, rule, created_ms, bool(is_on)))
        return found

    def add_rule(self, rule: Rule) -> int:
        """Store a rule and give it a number.

        Raises:
            BadInput: another stored rule watches the same.
        """
        with transaction(self._connection):
            self._refuse_repetition(rule)
            added = self._connection.execute(
                "INSERT INTO rules (body, created_ms) VALUES (?, ?)", (_rule_body(rule), now_ms())
            )
        return int(added.lastrowid or 0)

    def change_rule(self, number: int, rule: Rule, *, is_on: bool = True) -> None:
        """Replace a rule, or switch it off and on; what it watches from now on begins from nothing.

        Raises:
            BadInput: there is no rule of this number, or another one watches the same.
        """
        with transaction(self._connection):
            self._refuse_repetition(rule, except_for=number)
            changed = self._connection.execute(
                "UPDATE rules SET body = ?, is_on = ? WHERE number = ?", (_rule_body(rule), is_on, number)
            )
            if not changed.rowcount:
                raise BadInput(message("alert.store.no_rule", number=number))

    def remove_rule(self, number: int) -> None:
        """Remove a rule; nothing happens if there is none."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM rules WHERE number = ?", (number,))

    # Evaluations

    def episodes(self) -> Iterator[Episode]:
        """The states of all rules and subjects that were ever judged, one by one: they may be hundreds of thousands."""
        with translated_errors():
            for row in self._connection.execute("SELECT rule, subject, side, told, since_ms, told_ms FROM episodes"):
                yield Episode(*row)

    def cursors(self) -> dict[str, int]:
        """Event time of the newest price of each coin that was evaluated."""
        with translated_errors():
            return dict(self._connection.execute("SELECT coin, at_ms FROM cursors").fetchall())

    def commit(self, evaluation: Evaluation, now: int) -> None:
        """Store all that an evaluation changes in one transaction; an alert with a known key is not told again."""
        with transaction(self._connection):
            self._connection.executemany("REPLACE INTO episodes VALUES (?, ?, ?, ?, ?, ?)", evaluation.episodes)
            self._connection.executemany("REPLACE INTO cursors VALUES (?, ?)", evaluation.cursors.items())
            for alert in evaluation.alerts:
                self._record(alert, evaluation.held_until_ms.get(alert.key), now)

    def tell(self, alert: Alert, now: int) -> None:
        """Record an alert that no evaluation made, such as the test of a channel."""
        with transaction(self._connection):
            self._record(alert, None, now)

    def held(self, now: int) -> list[Alert]:
        """Alerts whose quiet hours have ended and that were not told yet, in the order of their record."""
        with translated_errors():
            rows = self._connection.execute(
                "SELECT body FROM alerts WHERE held_until_ms <= ? ORDER BY recorded_ms, key", (now,)
            )
            return [alert_from_json(body) for (body,) in rows.fetchall()]

    def release(self, alerts: Iterable[Alert], held: Iterable[Alert], now: int) -> None:
        """Tell `alerts` in place of those that were held back."""
        with transaction(self._connection):
            self._connection.executemany("DELETE FROM alerts WHERE key = ?", [(alert.key,) for alert in held])
            for alert in alerts:
                self._record(alert, None, now)

    def forget(self, rules: Iterable[str], coins: Collection[str], now: int) -> None:
        """Forget the states of all rules except these, and what was told 90 days before the newest judged price.

        So are the states of coins that are not among `coins` and had their last price before that.
        The clock alone removes nothing: one that is ahead for a moment would remove all, for ever.
        """
        with transaction(self._connection):
            known = {rule for (rule,) in self._connection.execute("SELECT DISTINCT rule FROM episodes")}
            gone = [(rule,) for rule in known - set(rules)]
            self._connection.executemany("DELETE FROM episodes WHERE rule = ?", gone)
            unseen = {coin for (coin,) in self._connection.execute(_LONG_UNSEEN, (now, _KEPT_MS))}
            left = unseen - set(coins)
            states = [(rule, coin) for rule in known for coin in left]
            self._connection.executemany("DELETE FROM episodes WHERE rule = ? AND subject = ?", states)
            self._connection.executemany("DELETE FROM cursors WHERE coin = ?", [(coin,) for coin in left])
            self._connection.execute(_DELETE_OLD, (now, _KEPT_MS))

    # What was told

    def told(self, limit: int = 100, before_ms: int | None = None) -> list[Told]:
        """The alerts recorded last (before `before_ms`), newest first."""
        with translated_errors():
            rows = self._connection.execute(
                "SELECT key, body, recorded_ms, held_until_ms FROM alerts WHERE recorded_ms < ? "
                "ORDER BY recorded_ms DESC, key LIMIT ?",
                (2**62 if before_ms is None else before_ms, limit),
            ).fetchall()
            return [
                Told(alert_from_json(body), recorded_ms, held_until_ms, self._states(key))
                for key, body, recorded_ms, held_until_ms in rows
            ]

    def dead_letters(self, limit: int = 100) -> list[DeadLetter]:
        """Deliveries that were given up, newest first."""
        with translated_errors():
            rows = self._connection.execute(_DEAD, (limit,)).fetchall()
        return [DeadLetter(delivery_of(row[:5]), row[5], row[6]) for row in rows]

    def revive(self, delivery_id: int, now: int) -> None:
        """Try a dead delivery again from now on, as if it had not been tried."""
        with transaction(self._connection):
            self._connection.execute(
                "UPDATE deliveries SET state = 'due', due_ms = ?, attempts = 0, first_tried_ms = NULL, reason = NULL, "
                "done_ms = NULL WHERE id = ? AND state = 'dead'",
                (now, delivery_id),
            )

    def counts(self) -> dict[DeliveryState, int]:
        """Number of deliveries in each state."""
        with translated_errors():
            found = dict(self._connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state").fetchall())
        return {state: int(found.get(state.value, 0)) for state in DeliveryState}

    def _record(self, alert: Alert, held_until_ms: int | None, now: int) -> None:
        row = (alert.key, alert.rule, now, held_until_ms, alert_to_json(alert))
        if not self._connection.execute(_INSERT_ALERT, row).rowcount or held_until_ms is not None:
            return
        self._connection.executemany(
            "INSERT INTO deliveries (alert, channel, due_ms) VALUES (?, ?, ?)",
            [(alert.key, channel, now) for channel in alert.channels],
        )

    def _refuse_repetition(self, rule: Rule, except_for: int | None = None) -> None:
        for known in self.rules():
            if known.rule.id == rule.id and known.number != except_for:
                raise BadInput(message("alert.store.repeated", name=known.rule.name))

    def _states(self, key: str) -> dict[str, DeliveryState]:
        rows: sqlite3.Cursor = self._connection.execute("SELECT channel, state FROM deliveries WHERE alert = ?", (key,))
        return {channel: DeliveryState(state) for channel, state in rows.fetchall()}


def _rule_body(rule: Rule) -> str:
    return json.dumps(write_rule(rule), ensure_ascii=False)
