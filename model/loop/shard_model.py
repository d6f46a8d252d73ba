"""The model on its way to the shards: pickled once for all of them, and only what has changed since the last version.

Nearly all of a model are arrays, of which a grid step changes few places: the coins that it taught, the histograms of
the day, one tree of the forest.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.forecaster.online_model import OnlineModel

__all__ = ["ModelCopy", "ModelNews", "ModelVersions"]

_PAGE: Final = 4_096
"""Bytes of an array that are sent together, if one of them has changed; smaller arrays belong to the frame."""

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
        arrays: number of its arrays.
        patches: of those that differ, by their numbers.
    """

    number: int
    frame: bytes
    arrays: int
    patches: Mapping[int, _Patch]


class ModelVersions:
    """The versions of a model that shards have been told of."""

    def __init__(self) -> None:
        self._number = 0
        self._arrays: Sequence[_Array] = ()
        self._change = ModelNews(0, b"", 0, {})
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
        contents: list[memoryview] = []

        def is_small(buffer: pickle.PickleBuffer) -> bool:
            content = buffer.raw()
            if content.nbytes >= _PAGE:
                contents.append(content)
            return content.nbytes < _PAGE

        self._frame = pickle.dumps(model.without_rows(), protocol=5, buffer_callback=is_small)
        before, self._arrays = self._arrays, [_paged(content) for content in contents]
        self._number += 1
        self._is_stale = False
        self._change = self._news(before)

    def _news(self, before: Sequence[_Array]) -> ModelNews:
        known = [*before, *[_NOTHING] * (len(self._arrays) - len(before))]
        compared = enumerate(zip(known, self._arrays, strict=False))
        patches = {place: patch for place, (old, new) in compared if (patch := _patch(old, new)) is not None}
        return ModelNews(self._number, self._frame, len(self._arrays), patches)


class ModelCopy:
    """The model as a shard has it; each version is read-only, and gone once the next one is taken."""

    def __init__(self) -> None:
        self._pages: list[_Bytes] = []
        self._contents: list[memoryview] = []

    def take(self, news: ModelNews) -> OnlineModel:
        """The version that the news tell of, from the one taken before."""
        missing = news.arrays - len(self._pages)
        self._pages = [*self._pages, *[_NOTHING.pages] * missing][: news.arrays]
        self._contents = [*self._contents, *[memoryview(b"")] * missing][: news.arrays]
        for place, patch in news.patches.items():
            count = -(-patch.size // _PAGE)
            if len(self._pages[place]) != count:
                self._pages[place] = np.empty((count, _PAGE), dtype=np.uint8)
            self._pages[place][patch.places] = patch.pages
            self._contents[place] = self._pages[place].reshape(-1)[: patch.size].data.toreadonly()
        model: OnlineModel = pickle.loads(news.frame, buffers=self._contents)  # noqa: S301 - from the coordinator
        return model


@dataclass(frozen=True)
class _Array:
    """The content of an array of `size` bytes: pages (n, _PAGE), the last one filled up with zeros."""

    size: int
    pages: _Bytes


_NOTHING: Final = _Array(0, np.empty((0, _PAGE), dtype=np.uint8))


def _paged(content: memoryview) -> _Array:
    """A copy of the content of an array."""
    pages = np.zeros((-(-content.nbytes // _PAGE), _PAGE), dtype=np.uint8)
    pages.reshape(-1)[: content.nbytes] = np.frombuffer(content, dtype=np.uint8)
    return _Array(content.nbytes, pages)


def _patch(before: _Array, now: _Array) -> _Patch | None:
    """The pages of `now` that differ from those of `before`; all of them where the sizes do."""
    if before.size != now.size:
        return _Patch(now.size, np.arange(len(now.pages)), now.pages)
    places = np.flatnonzero((before.pages.view(np.uint64) != now.pages.view(np.uint64)).any(axis=1))
    return _Patch(now.size, places, now.pages[places]) if len(places) else None
