"""Who is shut out among very many: found in steps of bounded length, and everybody who is meant."""

from transports.sip.machine.dialogs import Subscription
from transports.sip.machine.flow import Flow
from transports.sip.machine.lists import Watched
from transports.sip.machine.shutout import LOOKED_AT, ShutOut
from transports.sip.machine.timers import TimerQueue

FLOW = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.9", 5060))


class Table:
    """Subscriptions, and what was found of them, step by step."""

    def __init__(self, size: int) -> None:
        self.known = {f"s{n}": self._make(f"s{n}", f"user{n % 10}@x") for n in range(size)}
        self.queue = TimerQueue()
        self.found: list[tuple[str, str, float]] = []
        self.out = ShutOut(self.queue, self.known, lambda one, reason, now: self.found.append((one.id, reason, now)))

    @staticmethod
    def _make(name: str, watcher: str) -> Subscription:
        return Subscription(name, watcher, "presence", Watched(name, "sip:a@x", "a@x"), FLOW, "sip:c@192.0.2.9")

    def run(self) -> int:
        """Fires until nothing waits. Returns how often."""
        steps = 0
        while (deadline := self.queue.next_deadline()) is not None:
            self.queue.fire(deadline)
            steps += 1
        return steps


def test_among_few_they_are_found_at_once() -> None:
    table = Table(100)
    table.out.add("user3@x", "rejected", 5.0)
    assert {name for name, _, _ in table.found} == {f"s{n}" for n in range(3, 100, 10)}
    assert {(reason, now) for _, reason, now in table.found} == {("rejected", 5.0)}
    assert table.queue.next_deadline() is None


def test_among_many_they_are_found_in_steps() -> None:
    table = Table(3 * LOOKED_AT + 1)
    table.out.add("user3@x", "rejected", 5.0)
    assert len(table.found) <= LOOKED_AT
    assert table.run() == 3
    assert len(table.found) == len({name for name, _, _ in table.found}) == 3 * LOOKED_AT // 10


def test_who_is_shut_out_meanwhile_is_looked_for_by_the_next_look() -> None:
    table = Table(2 * LOOKED_AT)
    table.out.add("user3@x", "rejected", 5.0)
    for other in ("user4@x", "user5@x"):
        table.out.add(other, "deactivated", 5.0)
    table.run()
    by_reason = {reason: sum(one == reason for _, one, _ in table.found) for reason in ("rejected", "deactivated")}
    assert by_reason == {"rejected": LOOKED_AT // 5, "deactivated": 2 * LOOKED_AT // 5}


def test_one_that_ends_and_one_that_comes_while_it_is_looked_at() -> None:
    table = Table(2 * LOOKED_AT)
    table.out.add("user3@x", "deactivated", 5.0)
    seen = {name for name, _, _ in table.found}
    gone = next(name for name, one in table.known.items() if one.watcher == "user3@x" and name not in seen)
    del table.known[gone]
    table.known["new"] = table._make("new", "user3@x")  # they have signed on anew: it is not meant
    table.run()
    found = {name for name, _, _ in table.found}
    assert gone not in found
    assert "new" not in found
