"""Timers fire in order, once, and cancelled ones take no room."""

from hypothesis import given
from hypothesis import strategies as st

from transports.sip.machine.timers import TimerQueue


def test_a_timer_fires_once_at_its_time() -> None:
    queue = TimerQueue((0.5,))
    fired: list[float] = []
    queue.after(10.0, 0.5, fired.append)
    assert queue.next_deadline() == 10.5
    queue.fire(10.4)
    assert fired == []
    queue.fire(10.6)
    queue.fire(10.7)
    assert fired == [10.6]
    assert queue.next_deadline() is None


def test_a_cancelled_timer_does_not_fire() -> None:
    queue = TimerQueue((0.5,))
    fired: list[float] = []
    for length in (0.5, 0.7):
        timer = queue.after(0.0, length, fired.append)
        queue.cancel(timer)
        queue.cancel(timer)
    assert queue.next_deadline() is None
    queue.fire(9.0)
    assert fired == []


def test_an_action_may_start_a_timer_that_is_due_at_once() -> None:
    queue = TimerQueue()
    fired: list[float] = []

    def again(now: float) -> None:
        queue.after(now, 0.0, fired.append)

    queue.after(0.0, 1.0, again)
    queue.fire(2.0)
    assert fired == [2.0]


def test_cancelled_timers_are_swept_out() -> None:
    queue = TimerQueue((32.0,))
    for _ in range(10_000):
        queue.cancel(queue.after(0.0, 32.0, lambda now: None))
        queue.cancel(queue.after(0.0, 31.0, lambda now: None))
    assert len(queue) == 0
    assert len(queue._lanes[32.0].timers) < 200
    assert len(queue._heap) < 200


@given(
    st.lists(st.tuples(st.sampled_from([0.5, 1.0, 4.0, 32.0, 0.1, 7.0]), st.floats(0, 3), st.booleans()), max_size=60)
)
def test_they_fire_in_the_order_of_their_deadlines(plan: list[tuple[float, float, bool]]) -> None:
    queue, fired, wanted, now = TimerQueue((0.5, 1.0, 4.0, 32.0)), [], [], 0.0
    for number, (length, step, cancelled) in enumerate(plan):
        now += step
        deadline = now + length
        timer = queue.after(now, length, lambda at, n=number, d=deadline: fired.append((d, n)))  # type: ignore[misc]
        if cancelled:
            queue.cancel(timer)
        else:
            wanted.append((deadline, number))
    assert len(queue) == len(wanted)
    queue.fire(now + 100)
    assert [deadline for deadline, _ in fired] == sorted(deadline for deadline, _ in wanted)
    assert sorted(fired) == sorted(wanted)


def test_a_clock_that_steps_back_does_not_lose_a_timer() -> None:
    queue, fired = TimerQueue((1.0,)), []
    queue.after(100.0, 1.0, lambda now: fired.append("late"))
    queue.after(50.0, 1.0, lambda now: fired.append("early"))
    assert queue.next_deadline() == 51.0
    queue.fire(60.0)
    assert fired == ["early"]
