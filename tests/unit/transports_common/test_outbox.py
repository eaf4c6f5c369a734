"""The sends of an account: in turn, in order, each ended once; what may have arrived is never said to be lost."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.model.body import Stage
from bridge.model.capabilities import LINK_DOWN, SendResult
from transports.common.machine.actions import SendDone
from transports.common.machine.outbox import Outbox

RELAYED = SendResult(stage=Stage.RELAYED)


class Box:
    def __init__(self, **settings: Any) -> None:
        self.ends: list[SendDone] = []
        values = {"rate": 10.0, "max_waiting": 50, "queue_timeout": 60.0, "ack_timeout": 5.0} | settings
        self.outbox = Outbox(**values, emit=self.ends.append)

    def written(self, now: float) -> list[Any]:
        found = []
        while (value := self.outbox.next(now)) is not None:
            found.append(value)
        return found

    def result(self, key: str) -> SendResult:
        (found,) = [end.result for end in self.ends if end.key == key]
        return found


def test_in_turn_and_in_order() -> None:
    box = Box(rate=2.0)
    for number in range(5):
        box.outbox.add(number, f"k{number}", f"n{number}", 0.0)
    assert box.written(0.0) == [0, 1]
    assert box.outbox.next_deadline() == 0.5
    assert box.written(0.5) == [2]
    assert box.outbox.answered("n0", RELAYED)
    assert box.result("k0") is RELAYED
    assert not box.outbox.answered("n0", RELAYED)


def test_no_answer_is_unknown_and_not_to_be_repeated() -> None:
    box = Box()
    box.outbox.add("x", "k", "n", 0.0)
    assert box.written(1.0) == ["x"]
    box.outbox.expire(5.9)
    assert box.ends == []
    assert box.outbox.next_deadline() == 6.0
    box.outbox.expire(6.0)
    result = box.result("k")
    assert result.stage is Stage.UNKNOWN
    assert result.failure is not None
    assert (result.failure.certain, result.failure.retryable) == (False, False)
    assert box.outbox.next_deadline() is None


def test_what_waits_too_long_certainly_did_not_go() -> None:
    box = Box(rate=1.0)
    box.outbox.add("a", "ka", "a", 0.0)
    box.outbox.add("b", "kb", "b", 0.0, 0.5)
    assert box.written(0.0) == ["a"]
    box.outbox.expire(0.5)
    failure = box.result("kb").failure
    assert failure is not None
    assert failure.certain
    assert box.written(10.0) == []
    assert len(box.outbox) == 0


def test_a_lost_connection_ends_all() -> None:
    box = Box(rate=1.0)
    box.outbox.add("a", "ka", "a", 0.0)
    box.outbox.add("b", "kb", "b", 0.0)
    box.written(0.0)
    box.outbox.lost()
    assert box.result("ka").stage is Stage.UNKNOWN
    assert box.result("ka").failure.retryable  # type: ignore[union-attr]
    assert box.result("kb").failure.reason == LINK_DOWN  # type: ignore[union-attr]
    box.outbox.add("a", "ka2", "a", 1.0)
    assert box.written(1.0) == ["a"], "the same name may go again"


def test_bounded_and_once_at_a_time() -> None:
    box = Box(max_waiting=2)
    box.outbox.add("a", "k1", "a", 0.0)
    box.outbox.add("a", "k2", "a", 0.0)
    box.written(0.0)
    box.outbox.add("a", "k3", "a", 0.0)
    box.outbox.add("b", "k4", "b", 0.0)
    box.outbox.add("c", "k5", "c", 0.0)
    assert {end.key for end in box.ends} == {"k2", "k3", "k5"}
    assert all(end.result.failure is not None and end.result.failure.retryable for end in box.ends)


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "write", "answer", "expire", "lost"]), st.integers(0, 9), st.floats(0, 4))
)


@given(STEPS)
def test_each_send_ends_exactly_once(steps: list[tuple[str, int, float]]) -> None:
    box = Box(rate=1.0, max_waiting=4)
    now = 0.0
    keys = 0
    for what, name, gap in steps:
        now += gap
        if what == "add":
            box.outbox.add(name, keys, str(name), now, now + gap)
            keys += 1
        elif what == "write":
            box.written(now)
        elif what == "answer":
            box.outbox.answered(str(name), RELAYED)
        elif what == "expire":
            box.outbox.expire(now)
        else:
            box.outbox.lost()
    box.outbox.lost()
    assert Counter(end.key for end in box.ends) == Counter(range(keys))
    assert box.outbox.next_deadline() is None
