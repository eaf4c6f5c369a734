"""Fixtures for tests of the store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.store.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()
