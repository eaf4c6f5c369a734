"""Buckets of a second: each key is looked at when its time has come, and leaves nothing behind."""

from transports.sip.machine.expiry import Expiries
from transports.sip.machine.timers import TimerQueue


def test_a_key_is_looked_at_once_and_again_where_its_time_lies_ahead() -> None:
    queue, seen = TimerQueue(), []

    def check(key: str, now: float) -> float | None:
        seen.append((key, now))
        return 20.0 if now < 20.0 else None

    expiries: Expiries[str] = Expiries(queue, check)
    expiries.add("a", 10.0, 0.0)
    expiries.add("a", 15.0, 0.0)  # it is to be sooner already
    for now in range(30):
        queue.fire(float(now))
    assert seen == [("a", 10.0), ("a", 20.0)]
    assert len(expiries) == 0


def test_what_is_discarded_is_not_looked_at() -> None:
    queue, seen = TimerQueue(), []
    expiries: Expiries[str] = Expiries(queue, lambda key, _: seen.append(key))
    for key in "abc":
        expiries.add(key, 5.0, 0.0)
    expiries.discard("b")
    expiries.discard("never there")
    assert len(expiries) == 2
    queue.fire(5.0)
    assert sorted(seen) == ["a", "c"]


def test_one_may_end_another_of_the_same_second() -> None:
    queue, seen = TimerQueue(), []

    def check(key: str, now: float) -> None:
        del now
        seen.append(key)
        for other in "abc":
            expiries.discard(other)

    expiries: Expiries[str] = Expiries(queue, check)
    for key in "abc":
        expiries.add(key, 5.0, 0.0)
    queue.fire(5.0)
    assert len(seen) == 1
    assert len(expiries) == 0
