"""The lease of the one collector that writes: an advisory lock of its session, which ends with its connection."""

from __future__ import annotations

import secrets
from typing import Final

from core.errors import StandingBy
from core.price_store.postgres.connection import Connection
from core.wording import message

__all__ = ["Lease"]

_KEY: Final = "hashtextextended('crypto-collector:' || %s, 0)"
_END_MS: Final = 5_000
"""How long the old session of this collector may take to end."""


class Lease:
    """Takes the lease of a schema again and again, each time by the connection that is to write.

    Its sessions carry a name of their own, so that a new connection can end the old one, which the server may still
    believe in after the network was cut.
    """

    def __init__(self, schema: str) -> None:
        self._schema = schema
        self._name = f"crypto-collector-{secrets.token_hex(8)}"

    def take(self, connection: Connection) -> None:
        """Take the lease for this connection.

        Raises:
            StandingBy: another collector holds it.
        """
        connection.execute(
            "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity "
            "WHERE application_name = %s AND pid <> pg_backend_pid() AND usename = current_user",
            (_END_MS, self._name),
        )
        connection.execute("SELECT set_config('application_name', %s, false)", (self._name,))
        row = connection.execute(f"SELECT pg_try_advisory_lock({_KEY})", (self._schema,)).fetchone()
        if row is None or not row[0]:
            raise StandingBy(message("prices.standing_by"))
