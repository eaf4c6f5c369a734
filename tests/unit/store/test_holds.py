"""Held messages: not delivered before somebody lets them go, decided once, and kept over a restart."""

import sqlite3

import pytest
from attrs import evolve

from bridge.delivery.ports import Entry
from bridge.store.errors import StoreError
from bridge.store.holds import (
    Held,
    NotHeldError,
    drop,
    expiry_records,
    find_held,
    look_records,
    read_held,
    refuse_records,
    release,
    release_records,
    rule_of,
)
from bridge.store.journal import Damage, GroupCommitJournal
from tests.unit.compliance.samples import event_id
from tests.unit.store.world import Loop, World, sent


def hold(world: World, number: int) -> Held:
    entry = sent(number, f"text {number}")
    world.direct.commit(Entry(records=entry.records, enqueue=(evolve(entry.enqueue[0], held=True),)))
    return held(world)[-1]


def held(world: World) -> list[Held]:
    return reading(world)[0]


def reading(world: World) -> tuple[list[Held], tuple[Damage, ...]]:
    with world.writer.reader() as reader:
        return read_held(reader, world.writer.restorer(reader))


def pending(world: World) -> list[str]:
    journal = GroupCommitJournal(world.open_writer(), Loop().call)
    return [item.event for item, _ in journal.pending()]


def events(world: World, number: int) -> list[str]:
    with world.writer.reader() as reader:
        return [row.event for row in reader.find(event_id(number))]


def test_what_is_held_is_not_pending_after_a_restart(world: World) -> None:
    world.direct.commit(sent(1))
    hold(world, 2)
    world.direct.commit(sent(3))
    assert pending(world) == [event_id(1), event_id(3)]
    found = held(world)
    assert [(one.item.event, one.item.held, one.envelope.body.text) for one in found] == [  # type: ignore[union-attr]
        (event_id(2), True, "text 2")
    ]
    with world.writer.reader() as reader:
        assert rule_of(reader, event_id(2)) == "sales-on-aim"


def test_a_release_is_on_record_and_delivers_in_the_old_place(world: World) -> None:
    one = hold(world, 1)
    world.direct.commit(sent(2))
    done = world.direct.submit(
        release(one), records=lambda _: release_records(one, actor="carol", reviewer="carol@corp.example", reason="ok")
    )
    assert done.result == evolve(one.item, held=False)
    assert held(world) == []
    assert pending(world) == [event_id(1), event_id(2)]
    assert events(world, 1) == ["intake", "decision", "release"]
    assert world.verify().ok


def test_a_refusal_ends_it_and_names_who(world: World) -> None:
    one = hold(world, 1)
    world.direct.submit(drop(one), records=lambda _: refuse_records(one, actor="carol", reviewer="", reason="no"))
    assert (held(world), pending(world)) == ([], [])
    assert events(world, 1) == ["intake", "decision", "review", "outcome"]
    with world.writer.reader() as reader:
        assert b'"actor":"carol"' in (reader.find(event_id(1))[2].content or b"")
        assert b'"code":"refused"' in (reader.find(event_id(1))[3].content or b"")
    assert world.verify().ok


def test_the_first_decision_counts_and_the_second_leaves_no_trace(world: World) -> None:
    one = hold(world, 1)
    world.direct.submit(release(one), records=lambda _: release_records(one, actor="a", reviewer=""))
    for second in (release(one), drop(one)):
        with pytest.raises(NotHeldError):
            world.direct.submit(second, records=lambda _: expiry_records(one))
    assert events(world, 1) == ["intake", "decision", "release"]
    assert pending(world) == [event_id(1)]


def test_expiry_and_looks_are_on_record(world: World) -> None:
    one = hold(world, 1)
    world.direct.commit(Entry(records=tuple(look_records([one], actor="carol"))))
    world.direct.submit(drop(one), records=lambda _: expiry_records(one))
    assert events(world, 1) == ["intake", "decision", "review", "outcome"]
    assert world.verify().ok


def test_an_unknown_message_is_not_held(world: World) -> None:
    world.direct.commit(sent(1))
    with world.writer.reader() as reader, pytest.raises(NotHeldError, match="no message"):
        find_held(reader, world.writer.restorer(reader), event_id(1))


def test_one_who_writes_to_the_table_cannot_let_a_message_go(world: World) -> None:
    hold(world, 1)
    with sqlite3.connect(world.path) as other:
        other.execute("UPDATE outbox SET held = 0")
    other.close()
    assert pending(world) == []
    assert [finding.where for finding in world.verify().findings] == ["outbox"]


def test_one_who_writes_to_the_table_cannot_hold_a_message_unseen(world: World) -> None:
    world.direct.commit(sent(1))
    with sqlite3.connect(world.path) as other:
        other.execute("UPDATE outbox SET held = 1")
    other.close()
    journal = GroupCommitJournal(world.open_writer(), Loop().call)
    assert journal.pending() == []
    assert [damage.key for damage in journal.damaged] == [f"{event_id(1)}/0"]
    assert reading(world)[1] == journal.damaged
    with world.writer.reader() as reader, pytest.raises(StoreError, match="damaged"):
        find_held(reader, world.writer.restorer(reader), event_id(1))
