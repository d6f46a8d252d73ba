"""A folder of an object store: immutable objects, and one that is replaced only if nobody else has replaced it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from core.errors import ConfigurationError, Overtaken, StorageProblem
from core.files import SMALL_FILE_BYTES
from core.settings import all_variables
from core.store_address import BucketAddress
from core.wording import message

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["Bucket", "Content", "open_bucket"]

_REQUEST_S: Final = 30
_CONNECT_S: Final = 5
_RETRIES: Final = 2
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_MAX_REASON: Final = 120


@dataclass(frozen=True)
class Content:
    """An object as it was read; the tag changes with its content."""

    tag: str
    data: bytes


class Bucket:
    """One folder of a bucket; thread-safe.

    Methods raise StorageProblem while the store does not answer or refuses; the message says why. What a call that
    failed has changed is not known.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def read(self, name: str, known_tag: str | None = None, most_bytes: int = SMALL_FILE_BYTES) -> Content | None:
        """Read an object; None if it still has the known tag. One of more than `most_bytes` is not fetched.

        Raises:
            FileNotFoundError: there is no such object.
        """
        import obstore  # noqa: PLC0415 - an extra
        from obstore.exceptions import NotModifiedError  # noqa: PLC0415 - as above

        try:
            with _in_words():
                found = obstore.get(self._store, name, options={"if_none_match": known_tag} if known_tag else {})
                size = int(found.meta["size"])
                if size > most_bytes:
                    raise StorageProblem(message("files.too_large", file=name, found=size, most=most_bytes))
                return Content(str(found.meta["e_tag"]), bytes(found.bytes()))
        except NotModifiedError:
            return None

    def find(self, name: str, most_bytes: int = SMALL_FILE_BYTES) -> Content | None:
        """Read an object, or return None if it does not exist; a larger one is refused."""
        try:
            return self.read(name, most_bytes=most_bytes)
        except FileNotFoundError:
            return None

    def create(self, name: str, content: bytes) -> None:
        """Store a new object; the same content twice is no error.

        Raises:
            Overtaken: there is another object of this name.
        """
        import obstore  # noqa: PLC0415 - an extra
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415 - as above

        try:
            with _in_words():
                obstore.put(self._store, name, content, mode="create", use_multipart=False)
        except AlreadyExistsError as error:
            self._refuse_other(name, content, error)

    def swap(self, name: str, content: bytes, known_tag: str | None) -> str:
        """Replace an object that still has the known tag, or create it (None); a repeated call is no error.

        Returns:
            The new tag.

        Raises:
            Overtaken: somebody else has replaced or created it.
        """
        import obstore  # noqa: PLC0415 - an extra
        from obstore.exceptions import AlreadyExistsError, PreconditionError  # noqa: PLC0415 - as above

        try:
            with _in_words():
                mode = "create" if known_tag is None else {"e_tag": known_tag}
                done = obstore.put(self._store, name, content, mode=mode, use_multipart=False)  # type: ignore[arg-type]
                return str(done["e_tag"])
        except (AlreadyExistsError, PreconditionError, FileNotFoundError) as error:
            return self._refuse_other(name, content, error)

    def names(self) -> set[str]:
        """Names of all objects in the folder."""
        import obstore  # noqa: PLC0415 - an extra

        with _in_words():
            return {str(found["path"]) for page in obstore.list(self._store) for found in page}

    def delete(self, names: list[str]) -> None:
        """Delete objects; those that are gone are no error."""
        import obstore  # noqa: PLC0415 - an extra

        if names:
            with _in_words():
                obstore.delete(self._store, names)

    def _refuse_other(self, name: str, content: bytes, error: Exception) -> str:
        """Accept an object that this content made, by a call whose answer was lost; refuse any other."""
        found = self.find(name, max(len(content), SMALL_FILE_BYTES))
        if found is None or found.data != content:
            raise Overtaken(message("artifacts.overtaken")) from error
        return found.tag


def open_bucket(address: BucketAddress, variables: Mapping[str, str] | None = None) -> Bucket:
    """Open a folder of a bucket; nothing is asked of the store yet.

    Args:
        address: where it is.
        variables: `AWS_…` for endpoint, region and keys; by default those of the environment and of `.env`.

    Raises:
        ConfigurationError: the package is not installed, or the variables do not fit.
    """
    variables = all_variables() if variables is None else variables
    try:
        from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra
        from obstore.store import S3Store  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise ConfigurationError(message("artifacts.no_driver")) from error
    endpoint = variables.get("AWS_ENDPOINT_URL_S3") or variables.get("AWS_ENDPOINT_URL")
    given = {
        "endpoint": endpoint,
        "region": variables.get("AWS_REGION") or variables.get("AWS_DEFAULT_REGION") or "us-east-1",
        "access_key_id": variables.get("AWS_ACCESS_KEY_ID"),
        "secret_access_key": variables.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": variables.get("AWS_SESSION_TOKEN"),
    }
    try:
        store = S3Store(
            address.bucket,
            prefix=address.prefix,
            config={name: value for name, value in given.items() if value},  # type: ignore[arg-type]
            client_options={
                "allow_http": (endpoint or "").startswith("http://"),
                "timeout": timedelta(seconds=_REQUEST_S),
                "connect_timeout": timedelta(seconds=_CONNECT_S),
            },
            retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_REQUEST_S)},
        )
    except (BaseError, ValueError) as error:
        raise ConfigurationError(message("artifacts.bad_settings", reason=_reason(error))) from error
    return Bucket(store)


@contextmanager
def _in_words() -> Iterator[None]:
    """Let the answers that a caller waits for pass, and turn all other failures into StorageProblem."""
    from obstore import exceptions  # noqa: PLC0415 - an extra

    expected = (exceptions.NotModifiedError, exceptions.AlreadyExistsError, exceptions.PreconditionError)
    try:
        yield
    except expected:
        raise
    except exceptions.BaseError as error:
        code = _CODE.search(str(error))
        if code is not None and code[1] == "RequestTimeTooSkewed":
            raise StorageProblem(message("artifacts.clock")) from error
        if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
            raise StorageProblem(message("artifacts.refused", reason=_reason(error))) from error
        raise StorageProblem(message("artifacts.out_of_reach", reason=_reason(error))) from error


def _reason(error: Exception) -> str:
    """The store's own code of an error, or the first line of what the library says."""
    code = _CODE.search(str(error))
    return code[1] if code is not None else str(error).partition("\n")[0][-_MAX_REASON:]
