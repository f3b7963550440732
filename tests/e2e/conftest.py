"""Stations for the acceptance tests: one for the whole run, or one of its own for a test that kills."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.e2e.station import Station, station


@pytest.fixture(scope="session")
def shared() -> Iterator[Station]:
    """A windlass that tests use one after another; none of them may stop it."""
    with station() as made:
        yield made


@pytest.fixture
def own() -> Iterator[Station]:
    """A windlass for this test alone."""
    with station() as made:
        yield made
