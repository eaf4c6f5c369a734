"""The cache of two halves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.policy.cache import TwoGenerationCache


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


def test_what_is_used_outlives_a_flood() -> None:
    cache: TwoGenerationCache[int, str] = TwoGenerationCache(10)
    cache.put(-1, "kept")
    for number in range(100):
        cache.put(number, "once")
        assert cache.get(-1) == "kept"
    assert cache.get(0) is None


def test_a_limit_that_cannot_be_halved() -> None:
    with pytest.raises(ValueError, match="1 entries"):
        TwoGenerationCache(1)
