"""The read-only connection to the price store that a process keeps, opened again when another store took its place."""

from __future__ import annotations

from core.errors import NotReady
from core.price_store import PriceReader, open_reader
from core.settings import load_settings
from core.store_address import NamedSchema, StoreAddress
from core.wording import message
from core.workspace import store_of

__all__ = ["PriceConnection"]


class PriceConnection:
    """Opens the price store when it is first asked, and again after its database was replaced.

    Raises:
        ConfigurationError: `store` names a schema alone, and the settings of this machine no server.
    """

    def __init__(self, store: StoreAddress | NamedSchema) -> None:
        self._store = store_of(load_settings(), store) if isinstance(store, NamedSchema) else store
        self._reader: PriceReader | None = None

    def renew(self) -> bool:
        """Open the store if it is not open, or another one took its place; whether it was opened.

        Raises:
            NotReady: the collector has stored nothing yet.
            DamagedFile: the price store cannot be read.
        """
        if self._reader is not None and self._reader.is_current():
            return False
        self.close()
        self._reader = open_reader(self._store)
        return True

    @property
    def reader(self) -> PriceReader:
        """The open connection."""
        if self._reader is None:
            raise NotReady(message("prices.none_stored"))
        return self._reader

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
