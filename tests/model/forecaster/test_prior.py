"""The prior and its file: what is written is read, other features and pickled objects are not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etl.features.columns import BASE_FEATURES, FEATURE_NAMES
from etl.features.minute_columns import MINUTE_SHARE
from model.forecaster.prior import SHIPPED_PRIOR, Prior
from tests.support.small_prior import HIDDEN, small_prior

BASE = len(BASE_FEATURES)
SHARE = FEATURE_NAMES.index(MINUTE_SHARE)


def _rows(count: int = 50) -> np.ndarray:
    rows = np.random.default_rng(1).uniform(-1, 1, (count, len(FEATURE_NAMES))).astype(np.float32)
    rows[:, SHARE] = np.linspace(0, 1, count)
    return rows


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The file of a prior."""
    small_prior().save(tmp_path / "prior.npz")
    return tmp_path / "prior.npz"


def _predictions(prior: Prior, rows: np.ndarray) -> list[np.ndarray]:
    return [prior.linear.predict(rows[:, :BASE]), prior.offset(rows), prior.minute_correction(rows)]


def test_a_prior_survives_its_file(stored: Path) -> None:
    """Saved and read again it predicts the same: the networks to half precision, the rest to single precision."""
    prior, again = small_prior(), Prior.load(stored)
    assert again is not None
    for expected, found, tolerance in zip(
        *(_predictions(one, _rows()) for one in (prior, again)), (1e-5, 5e-3, 1e-5), strict=True
    ):
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(found, expected, atol=tolerance)
    for name in ("shape", "baseline_shape", "minute_centre"):
        np.testing.assert_allclose(getattr(again, name), getattr(prior, name), rtol=1e-6)
    assert [len(layers) for layers in again.networks.networks] == [len(HIDDEN) + 1] * 2
    assert again.networks.share == prior.networks.share
    assert again.provenance == prior.provenance


def test_a_read_prior_survives_another_file_bit_for_bit(stored: Path, tmp_path: Path) -> None:
    """Rounding happens once: what was read is written and read without any further change."""
    first = Prior.load(stored)
    assert first is not None
    first.save(tmp_path / "again.npz")
    second = Prior.load(tmp_path / "again.npz")
    assert second is not None
    for before, after in zip(_predictions(first, _rows()), _predictions(second, _rows()), strict=True):
        np.testing.assert_array_equal(before, after)


def _rewrite(path: Path, **changed: Any) -> None:
    with np.load(path, allow_pickle=False) as stored:
        content = {name: stored[name] for name in stored.files}
    np.savez(path, **{**content, **changed})


def test_a_prior_of_other_features_or_without_a_file_is_none(stored: Path) -> None:
    """One feature with another name, or in another place, or no file at all: there is no prior."""
    with np.load(stored, allow_pickle=False) as content:
        header = json.loads(str(content["header"]))
    for features in (["something_else", *FEATURE_NAMES[1:]], list(FEATURE_NAMES[::-1])):
        _rewrite(stored, header=np.array(json.dumps({**header, "features": features})))
        assert Prior.load(stored) is None
    assert Prior.load(stored.with_name("none.npz")) is None


def test_a_file_with_pickled_objects_is_refused(stored: Path) -> None:
    """An object array in the file is an error: nothing is ever unpickled from it."""
    _rewrite(stored, shape=np.array([{"any": "object"}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        Prior.load(stored)


def test_minutes_correct_as_far_as_their_share_goes() -> None:
    """Nothing where prices are sparse; in between in proportion to the share."""
    prior, rows = small_prior(), _rows()
    whole = rows.copy()
    whole[:, SHARE] = 1.0
    found = prior.minute_correction(rows)
    np.testing.assert_array_equal(found[0], 0.0)
    assert (np.abs(found[1:]).max(axis=1) > 0).all()
    np.testing.assert_allclose(found, rows[:, SHARE, None] * prior.minute_correction(whole), atol=1e-6)


def test_the_shipped_prior_fits_the_features_and_says_where_it_comes_from() -> None:
    """model/forecaster/prior.npz loads, is small and finite, and names the recordings it was computed from."""
    prior = Prior.load()
    assert prior is not None
    assert SHIPPED_PRIOR.stat().st_size <= 500_000
    assert prior.provenance["recordings"]
    assert (np.diff(prior.shape, axis=1) >= 0).all()
    assert (np.diff(prior.baseline_shape, axis=1) >= 0).all()
    rows = _rows()
    rows[:, :BASE] = np.clip(prior.networks.centre, prior.networks.low, prior.networks.high)
    for found in _predictions(prior, rows):
        assert np.isfinite(found).all()
        assert (found != 0).any()


def test_another_prior_has_another_digest(tmp_path: Path) -> None:
    """A stored model can tell that the shipped prior changed; without a file the digest says so."""
    path = tmp_path / "prior.npz"
    assert Prior.digest(path) == "none"
    path.write_bytes(b"one")
    first = Prior.digest(path)
    path.write_bytes(b"two")
    assert Prior.digest(path) != first
    assert Prior.digest() == Prior.digest()
