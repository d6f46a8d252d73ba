"""A model in a bucket goes on elsewhere if the pipeline's key signed it and it is what its card says."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from obstore.store import MemoryStore

from core.artifacts.bucket import Bucket
from core.errors import Overtaken
from core.files import SMALL_FILE_BYTES
from model.loop.model_copy import ModelCopy, restore_model, signing_key
from model.loop.registry import MODEL_CARD, ModelRegistry

FEATURES = ("volatility", "range")
OPTIONS = {"train_days": 14, "seed": 0}
KEY = b"the pipeline's secret"


class Machine:
    """A folder of models, and a bucket that it shares with others."""

    def __init__(self, folder: Path, bucket: Bucket) -> None:
        self.registry = ModelRegistry(folder)
        self.bucket = bucket
        self._copy = ModelCopy(bucket, folder, KEY)

    def learn(self, state: object, trained_ms: int) -> int:
        """Store a model and copy it; the bytes sent."""
        self.registry.save(state, FEATURES, OPTIONS, trained_ms)
        return self._copy.copy()

    def restored(self, key: bytes = KEY, options: dict[str, Any] = OPTIONS) -> object:
        """What this machine goes on with when it starts; None if it learns from nothing."""
        restore_model(self.bucket, self.registry, key, FEATURES, options)
        loaded = self.registry.load(FEATURES, options)
        return None if loaded is None else loaded[1]


@pytest.fixture
def here(tmp_path: Path) -> Machine:
    """The machine that learns."""
    return Machine(tmp_path / "here", Bucket(MemoryStore()))


@pytest.fixture
def there(tmp_path: Path, here: Machine) -> Machine:
    """A new machine."""
    return Machine(tmp_path / "there", here.bucket)


def test_a_new_machine_goes_on_with_the_newest_model(here: Machine, there: Machine) -> None:
    """An empty folder gets the last one that was copied, and keeps it as its own."""
    assert there.restored() is None
    here.learn("first", 1)
    assert here.learn("second", 2) > 0
    assert there.restored() == "second"


def test_a_model_is_copied_once_and_two_are_kept(here: Machine) -> None:
    """A second copy sends nothing, nor does one after a restart; of five versions the last two stay in the bucket."""
    for number in range(5):
        here.learn(number, number)
    assert ModelCopy(here.bucket, here.registry.folder, KEY).copy() == 0
    newest = sorted(path.name for path in here.registry.folder.glob("*.joblib"))[-2:]
    assert here.bucket.names() == {MODEL_CARD, *newest}


def test_a_model_larger_than_any_small_file_is_copied(here: Machine, there: Machine) -> None:
    """Thousands of coins make one; a second try, after a lost answer, finds it in the bucket and goes on."""
    state = random.Random(0).randbytes(SMALL_FILE_BYTES + 1)
    sent = here.learn(state, 1)
    assert sent > SMALL_FILE_BYTES
    here.bucket.delete([MODEL_CARD])
    assert ModelCopy(here.bucket, here.registry.folder, KEY).copy() == sent
    assert there.restored() == state


def test_an_older_model_takes_no_newer_ones_place(here: Machine, there: Machine) -> None:
    """A machine that stood by takes over what was learned since; one that has learned more keeps its own."""
    there.registry.save("own", FEATURES, OPTIONS, trained_ms=5)
    here.learn("older", 4)
    assert there.restored() == "own"
    here.learn("newer", 6)
    assert there.restored() == "newer"


def test_a_model_that_another_key_signed_is_never_unpickled(
    here: Machine, there: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    """Who may write to the bucket, but lacks the pipeline's key, cannot bring a model in; nothing of it is stored."""
    here.learn("foreign", 1)
    assert there.restored(key=b"another") is None
    assert "not signed" in caplog.text
    assert list(there.registry.folder.iterdir()) == []


@pytest.mark.parametrize(
    "change", [{"sha256": "0" * 64}, {"file": "../model-1.joblib"}, {"trained_ms": 9}, {"extra": 1}]
)
def test_a_changed_card_is_refused(here: Machine, there: Machine, change: dict[str, Any]) -> None:
    """The signature covers each field of the card."""
    here.learn("state", 1)
    found = here.bucket.find(MODEL_CARD)
    assert found is not None
    here.bucket.swap(MODEL_CARD, json.dumps({**json.loads(found.data), **change}).encode(), found.tag)
    assert there.restored() is None


@pytest.mark.parametrize("content", [None, b"", b"garbage"], ids=["missing", "empty", "other"])
def test_a_damaged_model_is_not_taken(here: Machine, there: Machine, content: bytes | None) -> None:
    """A file that is missing or not what the card says is not stored here; the next model replaces it."""
    here.learn("state", 1)
    (file,) = here.bucket.names() - {MODEL_CARD}
    here.bucket.delete([file])
    if content is not None:
        here.bucket.create(file, content)
    assert there.restored() is None
    assert list(there.registry.folder.iterdir()) == []
    here.learn("next", 2)
    assert there.restored() == "next"


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_damaged_card_is_refused_and_replaced(here: Machine, there: Machine, content: bytes) -> None:
    """What is no card restores nothing, and the next copy writes one in its place."""
    here.bucket.swap(MODEL_CARD, content, None)
    assert there.restored() is None
    here.learn("state", 1)
    assert there.restored() == "state"


def test_a_model_made_with_other_options_is_not_taken(here: Machine, there: Machine) -> None:
    """Another window of training: the model of the bucket does not replace the one that fits."""
    there.registry.save("own", FEATURES, {**OPTIONS, "train_days": 3}, trained_ms=1)
    here.learn("other", 2)
    assert there.restored(options={**OPTIONS, "train_days": 3}) == "own"


class Overtaking(Bucket):
    """A bucket in which another pipeline replaces the card just before this one does."""

    def swap(self, name: str, content: bytes, known_tag: str | None) -> str:
        """Lose the race."""
        super().swap(name, b"{}", known_tag)
        return super().swap(name, content, known_tag)


def test_of_two_writers_one_wins(tmp_path: Path) -> None:
    """A card that was replaced meanwhile is not overwritten unseen."""
    machine = Machine(tmp_path, Overtaking(MemoryStore()))
    with pytest.raises(Overtaken):
        machine.learn("state", 1)


def test_the_key_is_the_one_that_the_bucket_is_written_with() -> None:
    """Without a secret key in the variables there is none, and models stay where they are."""
    assert signing_key({"AWS_SECRET_ACCESS_KEY": "secret"}) == b"secret"
    assert signing_key({"AWS_SECRET_ACCESS_KEY": ""}) is None
    assert signing_key({}) is None
