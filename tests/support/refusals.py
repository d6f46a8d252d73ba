"""Errors as the person who caused them reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.errors import ForecastingError

__all__ = ["refusal"]


@contextmanager
def refusal(kind: type[ForecastingError], match: str) -> Iterator[None]:
    """The block raises `kind`, whose Portuguese sentence matches the regular expression `match`."""
    with pytest.raises(kind) as caught:
        yield
    assert re.search(match, caught.value.in_words("pt"), re.DOTALL)
