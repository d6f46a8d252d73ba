"""Connections to the server: how long they wait, what the server is told of them, and what their errors mean."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, LiteralString, TypeVar

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.errors import InsufficientPrivilege, InvalidSchemaName, UndefinedTable
from pydantic import SecretStr

from core.errors import ConfigurationError, NotReady, OutOfReach, StorageProblem
from core.store_address import ServerAddress
from core.wording import message

__all__ = [
    "CONNECT_OPTIONS",
    "Connection",
    "check_encoding",
    "connect",
    "prepare_reading",
    "prepare_writing",
    "reading",
    "user_of",
    "writing",
]

_Result = TypeVar("_Result")

CONNECT_OPTIONS: Final[dict[str, Any]] = {
    "connect_timeout": 4,
    "tcp_user_timeout": 8_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "client_encoding": "utf8",
    "autocommit": True,
    "prepare_threshold": 0,
}
"""A server that has vanished is noticed within 11 s by the system, before that by `Connection.patience_s`."""

_ENCODINGS: Final = ("UTF8", "SQL_ASCII")
"""Encodings of a database that keep any text; the second keeps the client's bytes as they are."""

_READ_PATIENCE_S: Final = 12.0
_WRITE_PATIENCE_S: Final = 60.0

_SESSION: Final[LiteralString] = (
    "SET client_min_messages = warning; SET plan_cache_mode = force_generic_plan; SET TimeZone = 'UTC';"
)
"""A generic plan skips the partitions when it runs; a new plan would look at each of them for each query."""

_READING: Final[LiteralString] = (
    _SESSION + "SET default_transaction_read_only = on; SET statement_timeout = '10s'; SET lock_timeout = '5s'"
)
_WRITING: Final[LiteralString] = (
    _SESSION
    + "SET statement_timeout = '50s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '15s';"
    "SET idle_session_timeout = '15s'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3;"
    "SET tcp_keepalives_count = 3"
)
"""A writer that is silent for 15 s has lost its session, and with it the lease: another may take over."""

_log = logging.getLogger(__name__)
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # what it warns of is said once, by our own errors


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives up, and closes, when the server has been silent for `patience_s` seconds."""

    patience_s: float = _READ_PATIENCE_S

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for an answer of the server.

        Raises:
            psycopg.OperationalError: none came in time.
        """
        try:
            return super().wait(gen, interval, self.patience_s if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            self.pgconn.finish()
            raise psycopg.OperationalError("no answer in time") from error


def connect(url: SecretStr) -> Connection:
    """Open a connection; neither reading nor writing yet.

    Raises:
        psycopg.OperationalError: the server does not answer or refuses.
        ConfigurationError: the URL has no meaning.
    """
    try:
        return Connection.connect(url.get_secret_value(), **CONNECT_OPTIONS)
    except psycopg.ProgrammingError:
        raise ConfigurationError(message("prices.bad_url")) from None  # its text may quote the password


def check_encoding(connection: Connection) -> None:
    """Make sure that the database can store the names of all coins.

    Raises:
        ConfigurationError: its encoding lacks characters.
    """
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in _ENCODINGS:
        raise ConfigurationError(message("prices.wrong_encoding", encoding=encoding or "?"))


def user_of(url: SecretStr) -> str | None:
    """The role that a URL names, or None."""
    return conninfo_to_dict(url.get_secret_value()).get("user")  # type: ignore[return-value]  # text or None


def prepare_reading(connection: Connection, schema: str) -> None:
    """Make a connection one that reads `schema` and can change nothing."""
    connection.execute(sql.SQL(_READING + "; SET search_path = {}").format(sql.Identifier(schema)), prepare=False)


def prepare_writing(connection: Connection, schema: str) -> None:
    """Make a connection one that writes to `schema` and whose silence ends its session."""
    connection.patience_s = _WRITE_PATIENCE_S
    connection.execute(sql.SQL(_WRITING + "; SET search_path = {}").format(sql.Identifier(schema)), prepare=False)


@contextmanager
def reading() -> Iterator[None]:
    """Turn errors of the server into NotReady, OutOfReach or, if a person must act, ConfigurationError."""
    try:
        yield
    except (UndefinedTable, InvalidSchemaName) as error:
        raise NotReady(message("prices.none_stored")) from error
    except InsufficientPrivilege as error:
        raise ConfigurationError(message("prices.refused", reason=_primary(error))) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise OutOfReach(message("prices.out_of_reach")) from error


@contextmanager
def writing(address: ServerAddress) -> Iterator[None]:
    """Turn errors of the server into StorageProblem or, if a person must act, ConfigurationError."""
    try:
        yield
    except InsufficientPrivilege as error:
        raise ConfigurationError(message("prices.refused", reason=_primary(error))) from error
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        _log.debug("price database: %s", _without_password(_primary(error), address.url))
        raise StorageProblem(message("prices.out_of_reach")) from error
    except psycopg.Error as error:
        raise StorageProblem(message("prices.refused", reason=_primary(error))) from error


def _primary(error: psycopg.Error) -> str:
    """The server's own sentence, or what the client says, in one line."""
    return (error.diag.message_primary or str(error)).strip().replace("\n", "; ")


def _without_password(text: str, url: SecretStr) -> str:
    password = conninfo_to_dict(url.get_secret_value()).get("password")
    return text.replace(str(password), "***") if password else text
