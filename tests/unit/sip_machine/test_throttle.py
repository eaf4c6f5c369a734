"""Failures cost a growing delay; memory is bounded."""

from transports.sip.machine.expiry import Expiries
from transports.sip.machine.throttle import Throttle
from transports.sip.machine.timers import TimerQueue


def test_delay_begins_after_the_free_ones_and_doubles() -> None:
    throttle = Throttle(free=2, first=1.0, longest=8.0, entries=10)
    waits = []
    for _ in range(7):
        throttle.failed("a", 100.0)
        waits.append(throttle.wait("a", 100.0))
    assert waits == [0, 0, 1, 2, 4, 8, 8]
    assert throttle.wait("a", 105.0) == 3
    assert throttle.wait("b", 100.0) == 0


def test_success_and_time_forgive() -> None:
    throttle = Throttle(free=0, first=1.0, longest=8.0, entries=10)
    throttle.failed("a", 0.0)
    throttle.succeeded("a")
    assert throttle.wait("a", 0.0) == 0
    for _ in range(5):
        throttle.failed("a", 0.0)
    throttle.failed("a", 17.0)
    assert throttle.wait("a", 17.0) == 1


def test_the_table_is_bounded() -> None:
    throttle = Throttle(free=0, first=1.0, longest=8.0, entries=10)
    for number in range(1000):
        throttle.failed(str(number), 0.0)
    assert len(throttle) == 10


def test_expiries_look_once_per_deadline_and_sooner_where_asked() -> None:
    queue, looked = TimerQueue(), []
    deadlines = {"a": 50.0, "b": 20.0}

    def check(key: str, now: float) -> float | None:
        looked.append((key, now))
        return deadlines[key] if deadlines[key] > now else None

    expiries = Expiries(queue, check)
    expiries.add("a", 10.0, 0.0)
    expiries.add("a", 30.0, 0.0)
    expiries.add("b", 20.0, 0.0)
    expiries.add("b", 5.0, 0.0)
    for second in range(60):
        queue.fire(float(second))
    assert looked == [("b", 5.0), ("a", 10.0), ("b", 20.0), ("a", 50.0)]
    assert queue.next_deadline() is None
