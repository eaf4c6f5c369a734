"""Our copy of the server's bookkeeping never promises more than the server's own."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.oscar.kit import AOL
from transports.oscar.machine.pacing import RateTracker
from transports.oscar.wire.oservice import RATE_CHANGED, RATE_CLEARED, RATE_LIMITED, RATE_WARNING
from transports.oscar.wire.rates import RateClass, RateMembers

MEMBERS = (RateMembers(class_id=3, members=((4, 6),)),)


def rate(**more: int) -> RateClass:
    fields = {"window": 20, "clear": 5100, "alert": 5000, "limit": 4000, "disconnect": 3000} | more
    return RateClass(id=3, **({"current": 6000, "maximum": 6000} | fields))


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.floats(0, 8), min_size=1, max_size=60),
    jitter=st.lists(st.floats(0, 0.05), min_size=60, max_size=60),
    window=st.integers(2, 100),
    alert=st.integers(1000, 5500),
)
def test_the_servers_level_stays_above_alert(gaps: list[float], jitter: list[float], window: int, alert: int) -> None:
    definition = rate(window=window, alert=alert, clear=alert + 100, limit=alert - 500, disconnect=100)
    tracker = RateTracker((definition,), MEMBERS, 0.0, 100.0)
    level, last, now, arrived = 6000, 0.0, 0.0, 0.0
    for gap, delay in zip(gaps, jitter, strict=False):
        now = max(now + gap, tracker.ready_at(3))
        tracker.sent(3, now)
        # a SNAC takes a while on its way, and never overtakes another
        arrived = max(arrived, now + delay)
        level = min(6000, (level * (window - 1) + int((arrived - last) * 1000)) // window)
        last = arrived
        assert level >= alert


def test_an_idle_class_may_burst_and_then_waits() -> None:
    tracker = RateTracker((AOL,), MEMBERS, 0.0, 100.0)
    burst = 0
    while tracker.ready_at(3) <= 0.0:
        tracker.sent(3, 0.0)
        burst += 1
    assert burst == 3
    assert 4.0 < tracker.ready_at(3) < 6.0
    assert tracker.expected(3, 0, 0.0) <= tracker.expected(3, 1, 0.0) <= tracker.expected(3, 1000, 0.0)
    assert 5000 < tracker.expected(3, 1000, 0.0) < 5500


def test_a_class_without_a_threshold_is_not_slowed() -> None:
    tracker = RateTracker((rate(alert=0, clear=0, limit=0, disconnect=0),), MEMBERS, 0.0, 100.0)
    for _ in range(1000):
        assert tracker.ready_at(3) <= 0.0
        tracker.sent(3, 0.0)


def test_what_the_server_says_is_believed() -> None:
    tracker = RateTracker((rate(),), MEMBERS, 0.0, 100.0)
    tracker.change(RATE_LIMITED, rate(current=3500), 100.0)
    assert tracker.limited(3)
    limited = tracker.ready_at(3)
    tracker.change(RATE_CLEARED, rate(current=5100), 100.0)
    assert not tracker.limited(3)
    assert tracker.ready_at(3) < limited
    tracker.change(RATE_WARNING, rate(current=4900), 200.0)
    assert tracker.level(3) == 4900
    tracker.change(RATE_CHANGED, rate(current=6000, window=5), 300.0)
    assert tracker.level(3) == 6000


def test_what_is_on_its_way_is_not_forgotten() -> None:
    tracker = RateTracker((rate(),), MEMBERS, 0.0, 100.0)
    for _ in range(3):
        tracker.sent(3, 50.0)
    before = tracker.level(3)
    tracker.change(RATE_WARNING, rate(current=5900), 50.1)
    assert tracker.level(3) == before


def test_a_new_class_is_taken_up() -> None:
    tracker = RateTracker((), MEMBERS, 0.0, 100.0)
    (member,) = MEMBERS
    assert tracker.class_of(*member.members[0]) is None, "nothing is known of its class yet"
    for class_id in range(100, 200):
        tracker.change(RATE_CHANGED, evolve(rate(), id=class_id), 1.0)
    assert tracker.class_ids() == (), "no SNAC belongs to one of them"
    tracker.change(RATE_CHANGED, rate(), 1.0)
    assert tracker.class_of(*member.members[0]) == 3
    assert tracker.class_ids() == (3,)
    assert tracker.class_of(4, 6) == 3
    assert tracker.class_of(9, 9) is None
