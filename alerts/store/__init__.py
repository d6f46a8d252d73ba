"""alerts.db: rules made in the dashboard, what was told, and what is still to be delivered.

The alert process and the dashboard write to it; SQLite lets one of them write at a time. What one evaluation changes
(states, cursors, alerts, deliveries) is one transaction, synced to disk before anything is sent.
"""

from alerts.store.database import AlertStore
from alerts.store.outbox import Outbox
from alerts.store.rows import DeadLetter, Delivery, DeliveryState, Episode, Evaluation, StoredRule, Told

__all__ = [
    "AlertStore",
    "DeadLetter",
    "Delivery",
    "DeliveryState",
    "Episode",
    "Evaluation",
    "Outbox",
    "StoredRule",
    "Told",
]
