"""The cache of two halves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.cache import FREED, TwoGenerationCache


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12))), st.integers(2, 8))
def test_it_never_lies_and_never_grows(steps: list[tuple[bool, int]], limit: int) -> None:
    cache: TwoGenerationCache[int, str] = TwoGenerationCache(limit)
    for puts, key in steps:
        if puts:
            cache.put(key, str(key))
            assert cache.get(key) == str(key)
        else:
            assert cache.get(key) in {None, str(key)}
        assert len(cache) <= limit
        assert sum(map(len, cache._leaving)) <= limit


def test_what_is_used_outlives_a_flood() -> None:
    cache: TwoGenerationCache[int, str] = TwoGenerationCache(10)
    cache.put(-1, "kept")
    for number in range(100):
        cache.put(number, "once")
        assert cache.get(-1) == "kept"
    assert cache.get(0) is None


def test_what_is_forgotten_is_freed_bit_by_bit() -> None:
    freed: list[int] = []

    class Value:
        def __del__(self) -> None:
            freed.append(1)

    cache: TwoGenerationCache[int, Value] = TwoGenerationCache(100)
    for number in range(100):
        cache.put(number, Value())
    cache.clear()
    assert (len(cache), cache.get(99), freed) == (0, None, [])
    for number in range(100, 130):
        before = len(freed)
        cache.put(number, Value())
        assert len(freed) - before <= FREED
    assert len(freed) == 100


def test_a_limit_that_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match="1 entries"):
        TwoGenerationCache(1)
