"""Pages of the dashboard that stay open, some of which are closed and opened again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final, Generic, TypeVar

__all__ = ["COIN_PAGE", "OpenPages", "open_pages"]

COIN_PAGE: Final = "pagina=moeda&moeda=bitcoin"
"""The choices in the address of the page of one coin."""

_Page_co = TypeVar("_Page_co", covariant=True)


class OpenPages(Generic[_Page_co]):
    """Pages, the oldest first; `visits` counts all that were opened."""

    def __init__(self, visit: Callable[[], AbstractContextManager[_Page_co]]) -> None:
        self._visit = visit
        self._open: deque[tuple[_Page_co, ExitStack]] = deque()
        self.visits = 0

    def __iter__(self) -> Iterator[_Page_co]:
        """Those that are open."""
        return (page for page, _ in self._open)

    def open(self) -> None:
        """Open one more."""
        stack = ExitStack()
        self._open.append((stack.enter_context(self._visit()), stack))
        self.visits += 1

    def renew(self) -> None:
        """Close the oldest and open another, if one is open."""
        if self._open:
            self._close_oldest()
            self.open()

    def close(self) -> None:
        """Close all."""
        while self._open:
            self._close_oldest()

    def _close_oldest(self) -> None:
        _, stack = self._open.popleft()
        stack.close()


@contextmanager
def open_pages(visit: Callable[[], AbstractContextManager[_Page_co]], count: int) -> Iterator[OpenPages[_Page_co]]:
    """Keep `count` pages open; `visit` opens one, and closes it at its end."""
    pages = OpenPages(visit)
    try:
        for _ in range(count):
            pages.open()
        yield pages
    finally:
        pages.close()
