"""Where prices and artifacts are: a file, a schema on a PostgreSQL server, a folder of a bucket."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr

__all__ = ["BUCKET_VARIABLES", "BucketAddress", "NamedSchema", "ServerAddress", "StoreAddress"]

BUCKET_VARIABLES: Final = "AWS_"
"""How the names of the variables begin that hold endpoint, region and keys of a bucket."""


@dataclass(frozen=True)
class ServerAddress:
    """The schema of one workspace on a PostgreSQL server; the URLs hold passwords and are never shown.

    Attributes:
        url: of the role that may write.
        schema: name of the schema, which the writer creates.
        read_url: of a role that may only read; None: readers use `url`, in read-only transactions.
    """

    url: SecretStr
    schema: str
    read_url: SecretStr | None = None


StoreAddress = Path | ServerAddress


@dataclass(frozen=True)
class NamedSchema:
    """A schema on the server that the settings of each machine name: an address that may travel, without a secret."""

    schema: str


@dataclass(frozen=True)
class BucketAddress:
    """A folder of a bucket, without a slash at its end; endpoint, region and keys are variables of the environment."""

    bucket: str
    prefix: str

    def folder(self, name: str) -> BucketAddress:
        """A folder inside this one."""
        return BucketAddress(self.bucket, f"{self.prefix}/{name}")
