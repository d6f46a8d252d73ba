"""Random numbers as a pure function of a key and an index.

The generator is SplitMix64 used as a counter-based hash (Steele, Lea and Flood, 2014, "Fast splittable pseudorandom
number generators"). The Box-Muller transform makes normal numbers of it. Nothing here keeps state.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from etl.arrays import FloatArray, IntArray

__all__ = ["Keys", "bridge", "normals", "smooth", "stream_keys", "uniforms"]

Keys = npt.NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)


def stream_keys(seed: int, names: Iterable[str], purpose: str) -> Keys:
    """One independent stream for each name and purpose under a seed; shape (names,)."""
    digests = (hashlib.blake2b(f"{seed}/{purpose}/{name}".encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def uniforms(keys: Keys, index: IntArray) -> FloatArray:
    """Uniform numbers in the open interval (0, 1); `keys` and `index` are broadcast together."""
    return ((_hash(keys, index) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normals(keys: Keys, index: IntArray) -> FloatArray:
    """Standard normal numbers; `keys` and `index` are broadcast together."""
    twice = index * 2
    radius = np.sqrt(-2.0 * np.log(uniforms(keys, twice)))
    return radius * np.cos(2.0 * np.pi * uniforms(keys, twice + 1))


def smooth(keys: Keys, position: FloatArray) -> FloatArray:
    """Continuous noise of unit variance that is correlated over about one unit of `position`."""
    whole = np.floor(position)
    index = whole.astype(np.int64)
    angle = (position - whole) * (np.pi / 2)
    return normals(keys, index) * np.cos(angle) + normals(keys, index + 1) * np.sin(angle)


def bridge(noise: FloatArray, variance: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """Brownian bridges from `start` (n,) to `end` (n,) whose k steps have `variance` (n, k); shape (n, k + 1).

    If the end is drawn with the variance of the whole, the path is a random walk. Both ends are exact to the last bit.
    """
    walk = np.cumsum(noise * np.sqrt(variance), axis=1)
    share = np.cumsum(variance, axis=1)
    share /= share[:, -1:]
    path = np.empty((walk.shape[0], walk.shape[1] + 1))
    path[:, 0] = start
    path[:, 1:] = start[:, None] + walk + share * (end - start - walk[:, -1])[:, None]
    path[:, -1] = end
    return path


def _hash(keys: Keys, index: IntArray) -> Keys:
    value = np.asarray(keys + np.atleast_1d(index).astype(np.uint64) * _GOLDEN)
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return np.asarray(value ^ (value >> np.uint64(31)))
