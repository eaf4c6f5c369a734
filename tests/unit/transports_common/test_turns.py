"""Whose turn it is: budgets are kept, order holds on a server, and no server holds up another."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.common.machine import turns
from transports.common.machine.turns import Budget, Rates, Turns


def taken(queue: Turns[str], now: float) -> list[str]:
    found = []
    while (item := queue.next(now)) is not None:
        found.append(item)
    return found


def test_so_many_in_a_second_and_no_more_than_a_second_saved() -> None:
    budget = Budget(5.0)
    times = []
    now = 100.0
    for _ in range(12):
        now = max(now, budget.ready_at)
        times.append(now)
        budget.take(now)
    assert times[:5] == pytest.approx([100.0] * 5)
    assert times[5:] == pytest.approx([100.2 + 0.2 * n for n in range(7)])
    budget.take(1000.0)
    assert budget.ready_at == pytest.approx(999.4), "what was not used an hour ago is gone"


def test_less_than_once_in_a_second() -> None:
    budget = Budget(0.5)
    budget.take(10.0)
    assert budget.ready_at == 12.0


def test_without_a_rate_nothing_waits() -> None:
    assert Rates().unlimited
    queue: Turns[str] = Turns(Rates())
    for number in range(100):
        queue.add("a:1", str(number))
    assert taken(queue, 0.0) == [str(number) for number in range(100)]


def test_a_busy_server_does_not_hold_up_another() -> None:
    queue: Turns[str] = Turns(Rates(server=1.0))
    for name in ("a1", "a2", "a3"):
        queue.add("a:1", name)
    queue.add("b:1", "b1")
    assert taken(queue, 5.0) == ["a1", "b1"]
    assert queue.next_deadline() == 6.0
    assert taken(queue, 6.0) == ["a2"]


def test_the_network_has_a_budget_of_its_own() -> None:
    queue: Turns[str] = Turns(Rates(network=1.0))
    queue.add("a:1", "a1")
    queue.add("b:1", "b1")
    assert taken(queue, 5.0) == ["a1"]
    assert taken(queue, 5.9) == []
    assert taken(queue, 6.0) == ["b1"]


def test_who_does_not_want_it_any_more_takes_no_turn() -> None:
    queue: Turns[str] = Turns(Rates(network=1.0))
    for name in ("one", "two"):
        queue.add("a:1", name)
    queue.add("a:1", "two")
    queue.discard("one")
    queue.discard("one")
    assert len(queue) == 1
    assert taken(queue, 1.0) == ["two"]
    assert queue.next_deadline() is None


def test_budgets_of_servers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "MAX_SERVERS", 10)
    queue: Turns[str] = Turns(Rates(server=1.0))
    for number in range(100):
        queue.add(f"host{number}:1", str(number))
        queue.next(float(number))
    assert len(queue._budgets) == 10


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_rate_is_positive(rate: float) -> None:
    with pytest.raises(ValueError, match="network"):
        Rates(network=rate)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 2))), st.floats(0.2, 20), st.floats(0.2, 20))
def test_no_second_has_more_than_its_budget(arrivals: list[tuple[int, float]], network: float, server: float) -> None:
    queue: Turns[tuple[int, int]] = Turns(Rates(network=network, server=server))
    went: list[tuple[float, int, int]] = []
    now = 0.0

    def drain() -> None:
        while (item := queue.next(now)) is not None:
            went.append((now, *item))

    for serial, (host, gap) in enumerate(arrivals):
        queue.add(str(host), (host, serial))
        drain()
        now += gap
    while (at := queue.next_deadline()) is not None:
        now = max(now, at)
        drain()
    assert len(went) == len(arrivals)
    for host in range(4):
        own = [serial for _, where, serial in went if where == host]
        assert own == sorted(own), "order on a server"
        for begin in [at for at, where, _ in went if where == host]:
            inside = [at for at, where, _ in went if where == host and begin <= at < begin + 1.0 - 1e-6]
            assert len(inside) <= 2 * max(1.0, server) + 1
