"""The model on its way to the shards: pickled once for all of them, and only what has changed since the last version.

Nearly all of a model are arrays, of which a grid step changes few places: the coins that it taught, the histograms of
the day, one tree of the forest.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.forecaster.online_model import OnlineModel

__all__ = ["ModelCopy", "ModelNews", "ModelVersions"]

_PAGE: Final = 4_096
"""Bytes of an array that are sent together, if one of them has changed."""

_Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Patch:
    """New pages (n, _PAGE) of an array of `size` bytes, at the places (n,); where it differs in size, all of them."""

    size: int
    places: npt.NDArray[np.int64]
    pages: _Bytes


@dataclass(frozen=True)
class ModelNews:
    """A version of the model: the whole, or how it differs from the version before.

    Attributes:
        number: of this version.
        frame: the pickled model without the content of its arrays.
        patches: one for each array.
    """

    number: int
    frame: bytes
    patches: tuple[_Patch, ...]


class ModelVersions:
    """The versions of a model that shards have been told of."""

    def __init__(self) -> None:
        self._number = 0
        self._pages: Sequence[_Bytes] = ()
        self._change = ModelNews(0, b"", ())
        self._is_stale = True

    def note_change(self) -> None:
        """The model has changed since the last version."""
        self._is_stale = True

    def whole(self, model: OnlineModel) -> ModelNews:
        """The newest version."""
        self._take(model)
        return self._news(())

    def since(self, number: int, model: OnlineModel) -> ModelNews | None:
        """What a shard with version `number` misses; None if nothing."""
        self._take(model)
        if number == self._number:
            return None
        return self._change if number == self._number - 1 else self._news(())

    def _take(self, model: OnlineModel) -> None:
        """Make a version of the model, unless the newest one is as it is."""
        if not self._is_stale:
            return
        buffers: list[pickle.PickleBuffer] = []
        self._frame = pickle.dumps(model.without_rows(), protocol=5, buffer_callback=buffers.append)
        before, self._pages = self._pages, [_paged(buffer.raw()) for buffer in buffers]
        self._sizes = [buffer.raw().nbytes for buffer in buffers]
        self._number += 1
        self._is_stale = False
        self._change = self._news(before)

    def _news(self, before: Sequence[_Bytes]) -> ModelNews:
        known = [*before, *[_NOTHING] * (len(self._pages) - len(before))]
        patches = map(_patch, known, self._pages, self._sizes)
        return ModelNews(self._number, self._frame, tuple(patches))


class ModelCopy:
    """The model as a shard has it; each version is read-only, and gone once the next one is taken."""

    def __init__(self) -> None:
        self._pages: list[_Bytes] = []

    def take(self, news: ModelNews) -> OnlineModel:
        """The version that the news tell of, from the one taken before."""
        self._pages = [*self._pages, *[_NOTHING] * len(news.patches)][: len(news.patches)]
        for place, patch in enumerate(news.patches):
            count = -(-patch.size // _PAGE)
            if len(self._pages[place]) != count:
                self._pages[place] = np.empty((count, _PAGE), dtype=np.uint8)
            self._pages[place][patch.places] = patch.pages
        buffers = [
            memoryview(pages.reshape(-1)[: patch.size]).toreadonly()  # type: ignore[arg-type]  # numpy arrays are buffers
            for pages, patch in zip(self._pages, news.patches, strict=True)
        ]
        model: OnlineModel = pickle.loads(news.frame, buffers=buffers)  # noqa: S301 - from the coordinator
        return model


_NOTHING: Final[_Bytes] = np.empty((0, _PAGE), dtype=np.uint8)


def _paged(content: memoryview) -> _Bytes:
    """A copy of bytes as pages, the last one filled up with zeros."""
    count = -(-content.nbytes // _PAGE)
    pages = np.zeros((count, _PAGE), dtype=np.uint8)
    pages.reshape(-1)[: content.nbytes] = np.frombuffer(content, dtype=np.uint8)
    return pages


def _patch(before: _Bytes, now: _Bytes, size: int) -> _Patch:
    """The pages of `now` (n, _PAGE) that differ from those of `before`; all of them where there were not as many."""
    if len(before) != len(now):
        return _Patch(size, np.arange(len(now)), now)
    places = np.flatnonzero((before.view(np.uint64) != now.view(np.uint64)).any(axis=1))
    return _Patch(size, places, now[places])
