"""Watches by what they look at, few or many."""

from attrs import define

from bridge.model.watches import FEW, Watches


@define(eq=False)
class Watch:
    id: str


def test_few_become_many_and_none() -> None:
    watches: Watches[str, Watch] = Watches()
    all_of_them = [Watch(f"w{number}") for number in range(FEW + 3)]
    for count, watch in enumerate(all_of_them, 1):
        watches.add("bob", watch)
        assert watches.of("bob") == tuple(all_of_them[:count])
    assert watches.of("carol") == ()
    for count, watch in enumerate(all_of_them, 1):
        assert watches.remove("bob", watch) is (count == len(all_of_them))
        assert watches.of("bob") == tuple(all_of_them[count:])
    assert len(watches._table) == 0


def test_the_last_of_few() -> None:
    watches: Watches[str, Watch] = Watches()
    first, second = Watch("w1"), Watch("w2")
    watches.add("bob", first)
    watches.add("bob", second)
    assert not watches.remove("bob", first)
    assert watches.of("bob") == (second,)
    assert watches.remove("bob", second)
    assert len(watches._table) == 0
