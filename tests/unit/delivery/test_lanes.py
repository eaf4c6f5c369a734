"""Lanes: order within a conversation, independence between them, retries, expiry, bounds."""

from random import Random

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.compliance import record
from bridge.compliance.record import Recorded
from bridge.delivery.lanes import Lanes, Parcel, RetryPolicy
from bridge.model.body import Failure, Stage
from bridge.model.capabilities import LINK_DOWN, RECIPIENT_OFFLINE, SendResult
from bridge.model.ids import NetworkId, RemoteUserId
from tests.kit import values

NOW = 1_000_000.0
SENT = SendResult(stage=Stage.RELAYED)


def failure(reason: str = "busy", *, retryable: bool = True, certain: bool = True) -> SendResult:
    why = Failure(reason=reason, retryable=retryable, certain=certain, user_text=reason)
    return SendResult(stage=Stage.FAILED if certain else Stage.UNKNOWN, failure=why)


class Harness:
    """Lanes with a sender that notes what it is given, and answers when told."""

    def __init__(self, **options: int) -> None:
        self.sent: list[Parcel] = []
        self.settled: list[tuple[Parcel, Stage, Failure | None]] = []
        self.at_once: SendResult | None = None
        self.lanes = Lanes(
            self.send,
            lambda *what: self.settled.append(what),
            RetryPolicy(first=1.0, factor=2.0, ceiling=60.0, asleep=900.0),
            Random(1),
            **options,
        )
        self.now = NOW

    def send(self, parcel: Parcel) -> None:
        self.sent.append(parcel)
        if self.at_once is not None:
            self.lanes.result(parcel, self.at_once, self.now)

    def add(self, number: int, lane: str = "a", expires_at: float = NOW + 1000) -> Parcel:
        event = values.envelope(number)
        item = values.outbox_item(event, lane=lane, expires_at=expires_at)
        parcel = Parcel(item, values.recorded(event, number), self.now)
        self.lanes.add(parcel, self.now)
        return parcel

    def answer(self, parcel: Parcel, result: SendResult) -> None:
        self.lanes.result(parcel, result, self.now)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.lanes.handle_timer(self.now)


def test_a_lane_sends_one_after_the_other() -> None:
    h = Harness()
    first, second = h.add(1), h.add(2)
    assert h.sent == [first]
    h.answer(first, SENT)
    assert h.sent == [first, second]
    h.answer(second, SENT)
    assert [(p, s) for p, s, _ in h.settled] == [(first, Stage.RELAYED), (second, Stage.RELAYED)]
    assert h.lanes.total == 0
    assert h.lanes.sending == 0


def test_lanes_do_not_wait_for_each_other() -> None:
    h = Harness()
    a, b = h.add(1, "a"), h.add(2, "b")
    assert h.sent == [a, b]


def test_a_retry_keeps_the_key_and_its_place() -> None:
    h = Harness()
    first, second = h.add(1), h.add(2)
    h.answer(first, failure())
    assert second not in h.sent
    h.pass_time(0.4)
    assert len(h.sent) == 1
    h.pass_time(0.7)
    assert h.sent == [first, first]
    assert first.attempts == 2
    assert not first.maybe_duplicate
    h.answer(first, SENT)
    assert h.sent[-1] is second


def test_pauses_grow_and_stay_under_the_ceiling() -> None:
    policy = RetryPolicy(first=1.0, factor=2.0, ceiling=60.0)
    rng = Random(2)
    for attempt in range(1, 200):
        top = min(60.0, 2.0 ** (attempt - 1))
        assert top / 2 <= policy.pause(attempt, rng) <= top


def test_an_uncertain_try_marks_the_delivery() -> None:
    h = Harness()
    parcel = h.add(1)
    h.answer(parcel, failure("timeout", certain=False))
    h.pass_time(2)
    h.answer(parcel, SENT)
    assert h.settled == [(parcel, Stage.RELAYED, None)]
    assert parcel.maybe_duplicate


def test_a_final_failure_ends_the_delivery_and_frees_the_lane() -> None:
    h = Harness()
    first, second = h.add(1), h.add(2)
    why = failure("refused", retryable=False)
    h.answer(first, why)
    assert h.settled == [(first, Stage.FAILED, why.failure)]
    assert h.sent[-1] is second


@pytest.mark.parametrize(("reason", "name"), [(RECIPIENT_OFFLINE, "theboogyman"), (LINK_DOWN, "alicework")])
def test_one_who_is_not_there_is_tried_when_they_come_back(reason: str, name: str) -> None:
    h = Harness()
    parcel = h.add(1)
    h.answer(parcel, failure(reason))
    h.pass_time(300)
    assert len(h.sent) == 1
    h.lanes.wake("aim", "somebody else", h.now)
    assert len(h.sent) == 1
    h.lanes.wake("aim", name, h.now)
    assert len(h.sent) == 2


def test_one_who_is_not_there_is_tried_now_and_then_all_the_same() -> None:
    h = Harness()
    h.add(1)
    h.answer(h.sent[0], failure(RECIPIENT_OFFLINE))
    h.pass_time(901)
    assert len(h.sent) == 2


def test_what_has_waited_too_long_expires() -> None:
    h = Harness()
    parcel = h.add(1, expires_at=NOW + 100)
    h.answer(parcel, failure(RECIPIENT_OFFLINE))
    h.pass_time(99)
    assert not h.settled
    h.pass_time(1)
    ((settled, stage, why),) = h.settled
    assert settled is parcel
    assert stage is Stage.FAILED
    assert why is not None
    assert (why.reason, why.certain) == ("expired", True)


def test_what_may_have_arrived_expires_as_unknown() -> None:
    h = Harness()
    parcel = h.add(1, expires_at=NOW + 100)
    h.answer(parcel, failure("timeout", certain=False))
    h.now += 200
    h.lanes.handle_timer(h.now)
    assert h.settled[0][1] is Stage.UNKNOWN


def test_what_expired_behind_the_head_is_not_sent() -> None:
    h = Harness()
    first, second = h.add(1), h.add(2, expires_at=NOW + 5)
    h.now += 10
    h.answer(first, SENT)
    assert h.sent == [first]
    assert h.settled[-1][0] is second


def test_a_late_answer_is_dropped() -> None:
    h = Harness()
    parcel = h.add(1)
    h.answer(parcel, SENT)
    h.answer(parcel, failure())
    assert len(h.settled) == 1
    again = h.add(2)
    h.answer(parcel, SENT)
    assert len(h.settled) == 1
    h.answer(again, SENT)
    assert len(h.settled) == 2


def test_answers_at_once_do_not_recurse() -> None:
    h = Harness(max_per_lane=20_000)
    blocker = h.add(0)
    for number in range(1, 5000):
        h.add(number)
    h.at_once = SENT
    h.answer(blocker, SENT)
    assert len(h.settled) == 5000
    assert [p.recorded.seq for p, _, _ in h.settled] == list(range(5000))


def test_bounds() -> None:
    h = Harness(max_per_lane=2, max_total=3)
    h.add(1)
    assert h.lanes.room_for("a")
    h.add(2)
    assert not h.lanes.room_for("a")
    assert h.lanes.room_for("b")
    h.add(3, "b")
    assert not h.lanes.room_for("b")
    assert h.lanes.depth("a") == 2
    assert h.lanes.depth("nothing") == 0


def test_a_sender_is_told_once_that_a_lane_stands_still() -> None:
    h = Harness()
    first = h.add(1)
    h.add(2)
    assert not list(h.lanes.standing(NOW + 4, 5))
    assert [lane.name for lane in h.lanes.standing(NOW + 6, 5)] == ["a"]
    assert not list(h.lanes.standing(NOW + 60, 5))
    h.answer(first, SENT)
    h.now = NOW + 100
    h.add(3)
    assert [lane.name for lane in h.lanes.standing(NOW + 106, 5)] == ["a"]


def test_what_was_settled_is_no_reason_to_tell() -> None:
    h = Harness()
    h.answer(h.add(1), SENT)
    assert not list(h.lanes.standing(NOW + 60, 5))


def test_a_closed_bridge_starts_nothing_more() -> None:
    h = Harness()
    first = h.add(1)
    h.add(2)
    h.lanes.close()
    h.answer(first, SENT)
    assert h.sent == [first]
    assert h.lanes.sending == 0
    assert len(h.settled) == 1


def test_the_next_deadline_is_when_something_is_to_be_tried() -> None:
    h = Harness()
    assert h.lanes.next_deadline() is None
    h.answer(h.add(1), failure())
    deadline = h.lanes.next_deadline()
    assert deadline is not None
    assert NOW + 0.5 <= deadline <= NOW + 1


def test_a_record_without_a_message_delivers_nothing() -> None:
    event = values.envelope()
    empty = Recorded(record._LICENCE, 0, bytes(32), record.START, "", None)
    with pytest.raises(TypeError, match="holds no message"):
        _ = Parcel(values.outbox_item(event), empty, NOW).envelope


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["ok", "retry", "lost", "no"])), max_size=60))
def test_each_lane_settles_everything_in_order(script: list[tuple[str, str]]) -> None:
    results = {
        "ok": SENT,
        "retry": failure(),
        "lost": failure("timeout", certain=False),
        "no": failure("refused", retryable=False),
    }
    h = Harness()
    answered = 0
    for number, (lane, outcome) in enumerate(script):
        h.add(number, lane)
        pending = h.sent[answered:]
        if pending:
            answered += 1
            h.answer(pending[0], results[outcome])
        h.pass_time(0.3)
    while h.lanes.total:
        pending = h.sent[answered:]
        answered = len(h.sent)
        for parcel in pending:
            h.answer(parcel, SENT)
        h.pass_time(61)
    for lane in "abc":
        order = [p.recorded.seq for p, _, _ in h.settled if p.item.lane == lane]
        assert order == [n for n, (name, _) in enumerate(script) if name == lane]
    assert len(h.settled) == len(script)


@pytest.mark.parametrize("reason", ["unreachable", "timeout", "connection-lost", RECIPIENT_OFFLINE])
def test_a_recipient_who_registers_anew_is_tried_at_once(reason: str) -> None:
    """A device came back on another connection while the last try's pause had grown long."""
    h = Harness()
    parcel = h.add(1, expires_at=NOW + 1e6)
    for _ in range(8):
        h.answer(parcel, failure(reason))
        h.pass_time(1000)
    h.answer(parcel, failure(reason))
    sent = len(h.sent)
    h.lanes.wake(parcel.item.network, parcel.item.recipient, h.now)
    assert len(h.sent) == sent + 1


def test_who_was_waited_for_is_forgotten_when_nothing_waits() -> None:
    h = Harness()
    for number, reason in enumerate(("unreachable", RECIPIENT_OFFLINE, LINK_DOWN)):
        parcel = h.add(number, f"lane {number}", NOW + 1e6)
        h.answer(parcel, failure(reason))
        h.pass_time(2000)
        h.answer(parcel, SENT)
    assert not h.lanes._asleep


def test_what_waited_goes_before_what_comes_while_lanes_are_paused() -> None:
    h = Harness()
    h.lanes.pause()
    old = [h.add(1, "a"), h.add(2, "b")]
    new = h.add(3, "a")
    h.lanes.wake("sip", "a", NOW)
    h.pass_time(1.0)
    assert h.sent == []
    h.lanes.resume(NOW)
    assert h.sent == old
    h.answer(old[0], SENT)
    assert h.sent == [*old, new]


def test_all_people_of_a_domain_are_woken_and_nobody_else() -> None:
    h = Harness()
    parcels = []
    for number, recipient in enumerate(("a@corp.example", "b@corp.example", "c@sub.corp.example", "d@other.example")):
        event = values.envelope(number)
        item = values.outbox_item(event, lane=str(number), expires_at=NOW + 1000)
        item = evolve(item, network=NetworkId("sip"), recipient=RemoteUserId(recipient))
        parcels.append(Parcel(item, values.recorded(event, number), NOW))
        h.lanes.add(parcels[-1], NOW)
        h.answer(parcels[-1], failure("unreachable"))
    h.sent.clear()
    h.lanes.wake_domain("aim", "corp.example", NOW)
    assert h.sent == []
    h.lanes.wake_domain("sip", "corp.example", NOW)
    assert h.sent == parcels[:2]
