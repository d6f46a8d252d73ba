"""The newest stored model in a bucket, so that a pipeline on another machine goes on with what was learned.

A model is a pickle, and unpickling runs code. So its card carries a signature made with the secret key that the
pipeline reaches the bucket with: who can write there without that key cannot let a pipeline run anything.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from core.artifacts.bucket import Bucket
from core.errors import DamagedFile
from core.files import json_object, read_bytes, read_json
from core.settings import all_variables
from model.loop.registry import MODEL_CARD, MOST_MODEL_BYTES, ModelRegistry

__all__ = ["ModelCopy", "restore_model", "signing_key"]

_SECRET: Final = "AWS_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable
_PURPOSE: Final = b"crypto-forecasting model"
_SIGNATURE: Final = "signature"

_log = logging.getLogger(__name__)


class ModelCopy:
    """Copies the newest model of a folder into a bucket: its file, created once, then the card that names it."""

    def __init__(self, bucket: Bucket, folder: Path, key: bytes) -> None:
        self._bucket = bucket
        self._folder = folder
        self._key = key
        self._copied: dict[str, Any] = {}

    def copy(self) -> int:
        """Copy the newest model, unless it is there; only the pipeline whose publication is copied may call this.

        Returns:
            The number of bytes sent.

        Raises:
            StorageProblem: the store does not answer or refuses; the next call goes on.
            Overtaken: another pipeline has copied one meanwhile.
            OSError, DamagedFile: the folder cannot be read now.
        """
        try:
            card = read_json(self._folder / MODEL_CARD)
        except FileNotFoundError:
            return 0
        if card == self._copied:
            return 0
        file, content = str(card["file"]), _signed(card, self._key)
        before = self._bucket.find(MODEL_CARD)
        if before is not None and before.data == content:
            self._copied = card
            return 0
        model = read_bytes(self._folder / file, MOST_MODEL_BYTES)
        self._bucket.create(file, model)
        self._bucket.swap(MODEL_CARD, content, None if before is None else before.tag)
        kept = {MODEL_CARD, file, *(() if before is None else (_named_in(before.data),))}
        self._bucket.delete(sorted(self._bucket.names() - kept))
        self._copied = card
        return len(model) + len(content)


def restore_model(
    bucket: Bucket, registry: ModelRegistry, key: bytes, features: Sequence[str], options: Mapping[str, Any]
) -> None:
    """Take over the model of a bucket where that of this machine is older or missing; the log says why not.

    Args:
        bucket: where `ModelCopy` has copied one to.
        registry: where it is kept from now on.
        key: that of the pipeline that has copied it.
        features: names of the features that it must have been trained on.
        options: options that it must have been made with.

    Raises:
        StorageProblem: the store does not answer or refuses.
        OSError: the disk refuses.
    """
    found = bucket.find(MODEL_CARD)
    if found is None:
        return

    def read(file: str) -> bytes:
        content = bucket.find(file, MOST_MODEL_BYTES)
        if content is None:
            raise DamagedFile(f"{file} is not in the bucket")
        return content.data

    try:
        card = _verified(found.data, key)
    except DamagedFile as error:
        _log.error("model in the bucket refused: %s; learning from the stored prices", error)
        return
    if registry.accept(card, read, features, options):
        _log.info("going on with model %s of the bucket", card["version"])


def signing_key(variables: Mapping[str, str] | None = None) -> bytes | None:
    """The key that signs models; None where the bucket is reached without a secret key: then models stay here."""
    secret = (all_variables() if variables is None else variables).get(_SECRET)
    return secret.encode() if secret else None


def _signed(card: Mapping[str, Any], key: bytes) -> bytes:
    return json.dumps({**card, _SIGNATURE: _signature(card, key)}, sort_keys=True, separators=(",", ":")).encode()


def _verified(content: bytes, key: bytes) -> dict[str, Any]:
    card = json_object(content, MODEL_CARD)
    if not hmac.compare_digest(str(card.pop(_SIGNATURE, "")).encode(), _signature(card, key).encode()):
        raise DamagedFile(f"{MODEL_CARD} is not signed with the key of this pipeline")
    return card


def _signature(card: Mapping[str, Any], key: bytes) -> str:
    text = json.dumps(card, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(key, _PURPOSE + b"\0" + text, hashlib.sha256).hexdigest()


def _named_in(content: bytes) -> str:
    """The file that a card names; nothing if it is damaged."""
    try:
        return str(json_object(content, MODEL_CARD).get("file"))
    except DamagedFile:
        return ""
