"""The model store: versions written whole, checked before they are unpickled, at most five on disk.

Unpickling runs code, so a file is loaded only if its SHA-256 is the one that this machine's pipeline wrote into the
manifest, after it had made the model itself or checked the signature of one made elsewhere (`model_copy`), and only if
it was made with the same state format, options, libraries and features. Otherwise the caller retrains: quietly after an
upgrade or a changed setting, with a report of damage where a file is not what was written.
"""

from __future__ import annotations

import hashlib
import io
import logging
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import joblib
import numpy as np
import pyarrow as pa
import sklearn
from pydantic import ConfigDict, TypeAdapter, ValidationError

from core.aside import MOST_NAMED, set_aside
from core.errors import DamagedFile, ForecastingError
from core.files import (
    delete_if_free,
    make_folder,
    read_bytes,
    read_json,
    remove_temporaries,
    write_atomically,
    write_json,
)
from core.times import now_ms, to_datetime

__all__ = ["KEEP_VERSIONS", "MODEL_CARD", "MOST_MODEL_BYTES", "STATE_FORMAT", "ModelCard", "ModelRegistry", "unpacked"]

KEEP_VERSIONS: Final = 5
STATE_FORMAT: Final = 7
"""Version of the shape of the pickled state: names, modules and attributes of its classes (a test pins them).

Version 0.1.0 of the project wrote no number; its models count as format 1.
"""
MODEL_CARD: Final = "model.json"
"""Name of the file that describes the newest model."""

_CODEC: Final = "zstd"
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
"""The first bytes of what it compressed."""

_PATTERN: Final = re.compile(r"model-[0-9T]{1,40}\.joblib")
MOST_MODEL_BYTES: Final = 2**30
"""Far more than any state; a longer file is not read."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelCard:
    """Description of a stored model, readable without loading it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    version: str
    file: str
    sha256: str
    bytes: int
    trained_ms: int
    features: tuple[str, ...]
    libraries: dict[str, str]
    options: dict[str, Any]
    state_format: int = STATE_FORMAT


_CARD: Final = TypeAdapter(ModelCard)


class _Outdated(ForecastingError):
    """Retrain: the stored model is intact, but made by another release or with other settings."""


class ModelRegistry:
    """One folder of models, readable by this user only and used by the pipeline only.

    Attributes:
        damaged: names of the files that were set aside.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        folder.chmod(0o700)
        self.folder = folder
        self.damaged: list[str] = []
        remove_temporaries(folder, "model")

    def save(self, state: object, features: Sequence[str], options: Mapping[str, Any], trained_ms: int) -> ModelCard:
        """Store a state as the newest version and delete all but the newest five.

        Args:
            state: what to pickle.
            features: names of the features that it was trained on.
            options: options that it was made with.
            trained_ms: time of the training, in UTC milliseconds.

        Raises:
            OSError: the disk refused; the previous version stays the newest.
        """
        content = _packed(state)
        version = to_datetime(now_ms()).strftime("%Y%m%dT%H%M%S%f")[:-3]
        card = ModelCard(
            version=version,
            file=f"model-{version}.joblib",
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            trained_ms=trained_ms,
            features=tuple(features),
            libraries=_libraries(),
            options=dict(options),
        )
        self._keep(card, content)
        return card

    def load(self, features: Sequence[str], options: Mapping[str, Any]) -> tuple[ModelCard, Any] | None:
        """The newest model and its card, or None if there is none for these features and options; the log says why."""
        try:
            card = self._card()
            if card is None:
                return None
            _refuse_outdated(card, features, options)
            return card, self._checked(card)
        except _Outdated as error:
            _log.info("stored model not used: %s; learning again from the stored prices", error)
            return None
        except DamagedFile as error:
            _log.error("stored model not used: %s; training a new model", error)
            return None

    def accept(
        self,
        value: Mapping[str, Any],
        read: Callable[[str], bytes],
        features: Sequence[str],
        options: Mapping[str, Any],
    ) -> bool:
        """Keep a model of another machine as the newest, if it fits and the one here is older or missing.

        Args:
            value: its card, from a source to be trusted: the file is unpickled later.
            read: gives the content of its file; raises DamagedFile if there is none.
            features: as `load`.
            options: as `load`.

        Returns:
            Whether it was kept; the log says why not.

        Raises:
            OSError: the disk refused.
        """
        try:
            card = _card_of(value)
            _refuse_outdated(card, features, options)
            if self._trained_ms() >= card.trained_ms:
                return False
            _refuse_strange_name(card)
            content = read(card.file)
            _refuse_other_content(card, content)
        except (DamagedFile, _Outdated) as error:
            _log.warning("model of another machine not used: %s", error)
            return False
        self._keep(card, content)
        return True

    def _trained_ms(self) -> int:
        """When the newest model here was trained; -1 without one that can be read."""
        try:
            card = self._card()
        except (DamagedFile, _Outdated):
            return -1
        return -1 if card is None else card.trained_ms

    def _keep(self, card: ModelCard, content: bytes) -> None:
        write_atomically(self.folder / card.file, content)
        write_json(self.folder / MODEL_CARD, asdict(card))
        self._forget_old(card.file)

    def _card(self) -> ModelCard | None:
        path = self.folder / MODEL_CARD
        try:
            return _card_of(read_json(path))
        except FileNotFoundError:
            return None
        except DamagedFile as error:
            raise DamagedFile(f"{path.name} set aside as {self._set_aside(path)}: {error}") from error

    def _checked(self, card: ModelCard) -> Any:
        _refuse_strange_name(card)
        path = self.folder / card.file
        try:
            content = read_bytes(path, MOST_MODEL_BYTES)
        except FileNotFoundError as error:
            raise DamagedFile(f"{card.file}: {error}") from error
        try:
            _refuse_other_content(card, content)
        except DamagedFile as error:
            raise DamagedFile(f"{error}; set aside as {self._set_aside(path)}") from error
        try:
            return unpacked(content)
        except (MemoryError, OSError):  # not the file's fault: its bytes are the recorded ones
            raise
        except Exception as error:  # unpickling raises whatever the classes in the file raise
            raise DamagedFile(f"{card.file}: {error!r}; set aside as {self._set_aside(path)}") from error

    def _set_aside(self, path: Path) -> str:
        self.damaged = [*self.damaged, path.name][-MOST_NAMED:]
        return set_aside(path).name

    def _forget_old(self, newest: str) -> None:
        files = sorted(path for path in self.folder.glob("model-*.joblib") if path.name != newest)
        for path in files[: max(0, len(files) - (KEEP_VERSIONS - 1))]:
            delete_if_free(path)


def _packed(state: object) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, _CODEC) as stream:
        joblib.dump(state, stream)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unpacked(content: bytes) -> Any:
    """The state in a file of this machine, which is a pickle; earlier releases let joblib compress it."""
    if content.startswith(_MAGIC):
        with pa.CompressedInputStream(pa.BufferReader(content), _CODEC) as stream:
            content = stream.read()
    return joblib.load(io.BytesIO(content))


def _card_of(value: Mapping[str, Any]) -> ModelCard:
    found = value.get("state_format", 1)
    if found != STATE_FORMAT:
        raise _Outdated(f"its format is {found}, this release reads {STATE_FORMAT}")
    try:
        return _CARD.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise DamagedFile(f"{MODEL_CARD}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _refuse_strange_name(card: ModelCard) -> None:
    if not _PATTERN.fullmatch(str(card.file)):
        raise DamagedFile(f"{card.file!r} is not the name of a model")


def _refuse_other_content(card: ModelCard, content: bytes) -> None:
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise DamagedFile(f"{card.file}: its SHA-256 is not the recorded one")


def _refuse_outdated(card: ModelCard, features: Sequence[str], options: Mapping[str, Any]) -> None:
    """Raise `_Outdated` naming each difference, old → new."""
    if card.features != tuple(features):
        raise _Outdated("its features are others")
    old, new = {**card.options, **card.libraries}, {**options, **_libraries()}
    changed = [f"{name} {old.get(name)} → {new.get(name)}" for name in new | old if old.get(name) != new.get(name)]
    if changed:
        raise _Outdated(", ".join(changed))


def _libraries() -> dict[str, str]:
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "joblib": joblib.__version__,
        "pyarrow": pa.__version__,
    }
