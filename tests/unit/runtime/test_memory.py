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


def _age() -> None:
    """Has what is there live through many looks."""
    for _ in range(2 * memory.MIDDLE):
        gc.collect(1)


def test_cycles_that_were_broken_late_end_when_it_is_tended() -> None:
    memory.settle()
    knot = Knot()
    _age()
    gone = weakref.ref(knot)
    del knot
    gc.collect(1)
    assert gone() is not None
    memory.tend()
    assert gone() is None


def test_much_that_stays_is_taken_out_of_sight_and_not_looked_at() -> None:
    memory.settle()
    kept: list[list[int]] = [[] for _ in range(memory.GROWN + 1)]
    _age()
    before = gc.get_freeze_count()
    memory.tend()
    assert gc.get_freeze_count() > before + memory.GROWN
    del kept


def test_little_is_left_alone() -> None:
    memory.settle()
    before = gc.get_stats()[2]["collections"]
    memory.tend()
    assert gc.get_stats()[2]["collections"] == before
