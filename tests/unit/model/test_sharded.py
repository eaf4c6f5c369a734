"""The table that grows in small steps: it is a dict in all that it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model.sharded import SHARDS, Sharded

STEPS = st.lists(
    st.tuples(st.sampled_from(["set", "del", "pop", "setdefault", "get"]), st.integers(0, 20).map(str), st.integers())
)


@given(STEPS)
def test_it_does_what_a_dict_does(steps: list[tuple[str, str, int]]) -> None:
    table: Sharded[str, int] = Sharded()
    model: dict[str, int] = {}
    for what, key, value in steps:
        if what == "set":
            table[key] = model[key] = value
        elif what == "del" and key in model:
            del table[key], model[key]
        elif what == "pop":
            assert table.pop(key, None) == model.pop(key, None)
        elif what == "setdefault":
            assert table.setdefault(key, value) == model.setdefault(key, value)
        assert table.get(key) == model.get(key)
        assert (key in table) is (key in model)
        assert (len(table), dict(table.items())) == (len(model), model)
        assert (sorted(table), sorted(table.values())) == (sorted(model), sorted(model.values()))


def test_what_is_not_there() -> None:
    table: Sharded[str, int] = Sharded()
    with pytest.raises(KeyError):
        table["a"]
    with pytest.raises(KeyError):
        del table["a"]
    with pytest.raises(KeyError):
        table.pop("a")
    assert table.get("a", 5) == table.pop("a", 5) == 5


def test_no_part_of_it_is_large() -> None:
    table: Sharded[str, int] = Sharded()
    for number in range(SHARDS * 500):
        table[f"user{number}@example.test"] = number
    assert max(len(shard) for shard in table._shards) < 700
    assert sum(table.values()) == sum(range(SHARDS * 500))
