"""The collector after the start: what is there stays out of its sight, and cycles still end."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from bridge.runtime import memory


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.me = self


def test_what_start_up_made_is_not_looked_at_again() -> None:
    kept = [Knot() for _ in range(10)]
    memory.settle()
    assert gc.get_freeze_count() > 0
    assert not any(one is knot for knot in kept for one in gc.get_objects() if type(one) is Knot)


def test_cycles_that_come_later_still_end() -> None:
    memory.settle()
    gone = weakref.ref(Knot())
    assert gone() is not None
    keep: list[list[int]] = [[] for _ in range(memory.YOUNG + 1)]
    assert gone() is None
    del keep
