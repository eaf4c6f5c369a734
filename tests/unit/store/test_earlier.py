"""What a process that starts is told by the log: duplicates of what came in lately, and how the last process ended."""

import sqlite3

import pytest
from attrs import evolve

from bridge.compliance import record
from bridge.delivery.ports import Entry, SeenKey
from bridge.model.ids import SIP, NetworkId
from bridge.store.journal import GroupCommitJournal
from tests.unit.compliance.samples import AIM, NOW, event_id, message
from tests.unit.store.world import Loop, World, change_body, change_leaf, sent, settled


def _taken(number: int, at: float, *, network: NetworkId = SIP, effect: str = "allow", old: bool = False) -> Entry:
    """A message that came in at a time, and what policy said."""
    entry = sent(number)
    envelope = message(number)
    origin = evolve(envelope.origin, network=network, remote_id=None if old else envelope.origin.remote_id)
    intake = record.intake(evolve(envelope, received_at=at, origin=origin), identity_version=3)
    decision = record.decision(
        envelope.id, effect=effect, deciding="", matched=(), reason_code="policy", policy_digest="5e" * 32
    )
    return evolve(entry, records=(intake, decision), enqueue=())


def _key(number: int, at: float, network: NetworkId = SIP) -> SeenKey:
    return SeenKey(
        network=network,
        account="alice@corp.example",
        remote_id=f"call-{number}@192.0.2.1",
        event=event_id(number),
        taken_at=at,
    )


def _journal(world: World) -> GroupCommitJournal:
    return GroupCommitJournal(world.open_writer(), Loop().call)


def test_what_came_in_lately_is_known_for_each_network_as_long_as_it_wants(world: World) -> None:
    for number, (seconds, network) in enumerate(
        [(-700, AIM), (-600, AIM), (-100, SIP), (-90, AIM), (-64, SIP), (0, SIP)]
    ):
        world.clock.now = NOW + seconds
        world.direct.commit(_taken(number, NOW + seconds, network=network))
    journal = _journal(world)
    found = journal.seen({SIP: NOW - 64, AIM: NOW - 600}, 100)
    assert found == [_key(1, NOW - 600, AIM), _key(3, NOW - 90, AIM), _key(4, NOW - 64), _key(5, NOW)]
    assert journal.seen({SIP: NOW - 64}, 100) == [_key(4, NOW - 64), _key(5, NOW)]
    assert journal.seen({SIP: NOW - 64, AIM: NOW - 600}, 2) == found[-2:]
    assert journal.seen({}, 100) == []


def test_what_was_refused_or_had_no_id_is_new_when_it_comes_again(world: World) -> None:
    world.direct.commit(_taken(1, NOW, effect="forbid"))
    world.direct.commit(_taken(2, NOW, old=True))
    world.direct.commit(_taken(3, NOW, effect="hold"))
    world.direct.commit(Entry(records=_taken(4, NOW).records[:1]))  # nobody has decided
    world.direct.commit(settled(event_id(3), 4))
    assert _journal(world).seen({SIP: NOW - 64}, 100) == [_key(3, NOW)]


def test_a_record_that_was_changed_is_left_out(world: World) -> None:
    for number in range(3):
        world.direct.commit(_taken(number, NOW))
    with sqlite3.connect(world.path) as other:
        change_body(other, 2, bytes(500))
        change_leaf(other, 4, content=b"{")
    other.close()
    assert _journal(world).seen({SIP: NOW - 64}, 100) == [_key(0, NOW)]


@pytest.mark.parametrize(
    ("records", "in_order"),
    [
        ((), False),
        ((record.event(record.START, actor="s"),), False),
        ((record.event(record.START, actor="s"), record.event(record.STOP, actor="s", fields={"uncertain": 0})), True),
        ((record.event(record.STOP, actor="s", fields={"uncertain": 1}),), False),
        ((record.event(record.STOP, actor="s"),), False),
        (
            (record.event(record.STOP, actor="s", fields={"uncertain": 0}), record.event(record.START, actor="s")),
            False,
        ),
        (
            (
                record.event(record.STOP, actor="s", fields={"uncertain": 0}),
                record.event(record.EXPORT, actor="auditor"),
            ),
            True,
        ),
    ],
)
def test_how_the_last_process_ended(world: World, records: tuple[record.RecordDraft, ...], in_order: bool) -> None:
    for one in records:
        world.direct.commit(Entry(records=(one,)))
    assert _journal(world).ended_in_order() is in_order


def test_a_changed_end_is_not_believed(world: World) -> None:
    world.direct.commit(Entry(records=(record.event(record.STOP, actor="s", fields={"uncertain": 1}),)))
    with sqlite3.connect(world.path) as other:
        (contents,) = other.execute("SELECT contents FROM leaf").fetchone()
        other.execute("UPDATE leaf SET contents = ?", (contents.replace(b'ain":1', b'ain":0'),))
    other.close()
    assert not _journal(world).ended_in_order()
