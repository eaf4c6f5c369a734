"""Duplicates: answered like the first, known across a restart, forgotten in time, bounded in number."""

from bridge.delivery.dedupe import Seen
from bridge.delivery.ports import Intake, Refusal, SeenKey
from bridge.model.ids import EventId, NetworkId
from tests.kit.delivery import Answers

KEY = ("sip", "alice@corp.example", "m1")
TAKEN = Intake(event=EventId("e1"), accepted=True)


def key(number: int) -> tuple[str, str, str]:
    return ("sip", "alice@corp.example", f"m{number}")


def test_what_was_never_seen_is_new() -> None:
    again = Answers()
    assert not Seen().check(KEY, 0.0, again)
    assert not again.intakes


def test_a_duplicate_waits_for_the_answer_of_the_first() -> None:
    seen, again = Seen(), Answers()
    seen.begin(KEY)
    assert seen.check(KEY, 0.0, again)
    assert seen.check(KEY, 0.0, again)
    assert not again.intakes
    seen.end(KEY, TAKEN, 1.0, 100.0)
    assert again.intakes == [TAKEN, TAKEN]
    assert seen.check(KEY, 99.0, again)
    assert len(again.intakes) == 3


def test_it_is_forgotten_when_its_time_is_over() -> None:
    seen, again = Seen(), Answers()
    seen.begin(KEY)
    seen.end(KEY, TAKEN, 1.0, 100.0)
    assert not seen.check(KEY, 100.0, again)


def test_a_refusal_on_record_is_repeated() -> None:
    seen, again = Seen(), Answers()
    refused = Intake(event=EventId("e1"), accepted=False, refusal=Refusal(code="forbidden", reason="no"))
    seen.begin(KEY)
    seen.end(KEY, refused, 1.0, 100.0)
    assert seen.check(KEY, 2.0, again)
    assert again.last is refused


def test_what_was_not_recorded_may_be_tried_again_but_who_waited_is_told() -> None:
    seen, again = Seen(), Answers()
    failed = Intake(event=None, accepted=False, refusal=Refusal(code="unavailable", reason="no disk"))
    seen.begin(KEY)
    seen.check(KEY, 0.0, again)
    seen.end(KEY, failed, 1.0, 100.0)
    assert again.intakes == [failed]
    assert not seen.check(KEY, 2.0, again)


def test_the_table_is_bounded_and_drops_the_oldest() -> None:
    seen, again = Seen(limit=3), Answers()
    for number in range(10):
        seen.begin(key(number))
        seen.end(key(number), TAKEN, 1.0, 100.0)
    assert [number for number in range(10) if seen.check(key(number), 2.0, again)] == [7, 8, 9]
    assert len(seen._done) == 3


def test_an_id_that_is_used_again_counts_from_then() -> None:
    seen, again = Seen(limit=2), Answers()
    for number, now in ((1, 0.0), (2, 1.0), (1, 200.0), (3, 201.0)):
        seen.begin(key(number))
        seen.end(key(number), TAKEN, now, now + 150.0)
    assert seen.check(key(1), 202.0, again)
    assert not seen.check(key(2), 202.0, again)


def test_what_has_expired_leaves_the_table() -> None:
    seen = Seen()
    for number in range(5):
        seen.begin(key(number))
        seen.end(key(number), TAKEN, float(number), number + 1.5)
    seen.begin(key(9))
    seen.end(key(9), TAKEN, 100.0, 200.0)
    assert list(seen._done) == [key(9)]


def test_keys_of_before_a_restart_are_known() -> None:
    seen, again = Seen(), Answers()
    sip = NetworkId("sip")
    known = SeenKey(network=sip, account="alice@corp.example", remote_id="m1", event=EventId("e7"), taken_at=1.0)
    seen.load([(known, 50.0)])
    assert seen.check(KEY, 49.0, again)
    assert again.last == Intake(event=EventId("e7"), accepted=True)
    assert not seen.check(KEY, 50.0, again)
