"""The journal: durable before the answer, in order, all or nothing, and each piece by itself."""

import sqlite3
from typing import Any

import pytest
import sqlalchemy
from attrs import evolve

from bridge.compliance import record
from bridge.compliance.record import Recorded
from bridge.delivery.ports import CommitFailed, Entry
from bridge.model.body import Message, TextPart
from bridge.store.database import connect
from bridge.store.errors import StoreError
from bridge.store.journal import MAX_BATCH, GroupCommitJournal
from bridge.store.writer import OperationFailed, Submitted
from tests.unit.compliance.samples import AIM, event_id, message
from tests.unit.store.world import Loop, World, change_body, running, sent, settled


def _commit_all(journal: GroupCommitJournal, loop: Loop, entries: list[Entry]) -> list[Any]:
    results: list[Any] = []
    for entry in entries:
        journal.commit(entry, results.append)
    loop.until(lambda: len(results) == len(entries))
    return results


def test_a_commit_gives_a_licence_for_each_record_in_order(world: World) -> None:
    loop = Loop()
    journal = running(world, loop)
    results = _commit_all(journal, loop, [sent(number) for number in range(50)])
    journal.close()
    assert [result[0].envelope.id for result in results] == [event_id(number) for number in range(50)]
    assert [licence.seq for result in results for licence in result] == list(range(100))
    assert world.verify().ok


def test_what_was_answered_is_in_the_file_at_that_moment(world: World) -> None:
    loop = Loop()
    journal = running(world, loop)
    counts: list[int] = []

    def answered(result: object) -> None:
        with sqlite3.connect(world.path) as other:
            counts.append(other.execute("SELECT sum(length(hashes)) / 32 FROM leaf").fetchone()[0])

    journal.commit(sent(1), answered)
    loop.until(lambda: bool(counts))
    journal.close()
    assert counts == [2]


def test_a_failing_callback_does_not_hurt_the_others(world: World) -> None:
    loop = Loop()
    journal = running(world, loop)
    results: list[object] = []

    def fails(result: object) -> None:
        raise RuntimeError("a defect in a continuation")

    journal.commit(sent(1), fails)
    journal.commit(sent(2), results.append)
    loop.until(lambda: len(results) == 1)
    journal.close()
    assert isinstance(results[0], tuple)


def test_pending_returns_what_was_not_settled_oldest_first_with_its_envelope(world: World) -> None:
    loop = Loop()
    journal = running(world, loop)
    entries = [sent(number, f"text {number}") for number in (3, 1, 2)]
    _commit_all(journal, loop, entries)
    _commit_all(journal, loop, [settled(event_id(1), 2)])
    journal.close()

    again = GroupCommitJournal(world.open_writer(), loop.call)
    pending = again.pending()
    assert [item for item, _ in pending] == [entries[0].enqueue[0], entries[2].enqueue[0]]
    assert [licence.envelope for _, licence in pending] == [message(3, "text 3"), message(2, "text 2")]
    assert all(isinstance(licence, Recorded) for _, licence in pending)
    assert again.damaged == ()


def test_a_changed_outbox_row_is_never_delivered(world: World) -> None:
    world.direct.commit(sent(1))
    world.direct.commit(sent(2))
    with sqlite3.connect(world.path) as other:
        other.execute("UPDATE outbox SET recipient = 'somebodyelse' WHERE seq = 0")
    journal = GroupCommitJournal(world.open_writer(), Loop().call)
    assert [item.event for item, _ in journal.pending()] == [event_id(2)]
    assert [damage.key for damage in journal.damaged] == [f"{event_id(1)}/0"]
    assert any(finding.where == "outbox" for finding in world.verify().findings)


def test_a_message_whose_body_was_changed_is_never_delivered(world: World) -> None:
    world.direct.commit(sent(1))
    with sqlite3.connect(world.path) as other:
        change_body(other, 0, bytes(500))
    journal = GroupCommitJournal(world.open_writer(), Loop().call)
    assert journal.pending() == []
    assert "does not open" in journal.damaged[0].reason


def test_an_entry_that_cannot_be_written_does_not_hurt_its_neighbours(world: World) -> None:
    loop = Loop()
    journal = GroupCommitJournal(world.writer, loop.call)
    results: list[Any] = []
    broken = Entry(records=(record.intake(message(2, "\ud800"), identity_version=1),))
    twice = evolve(sent(4), enqueue=sent(4).enqueue * 2)
    for entry in (sent(1), broken, twice, sent(3)):
        journal.commit(entry, results.append)
    journal.start()
    loop.until(lambda: len(results) == 4)
    journal.close()
    assert [isinstance(result, CommitFailed) for result in results] == [False, True, True, False]
    assert "surrogate" in results[1].reason
    assert "UNIQUE" in results[2].reason
    assert [licence.seq for result in (results[0], results[3]) for licence in result] == [0, 1, 2, 3]
    assert world.verify().ok


def test_beyond_the_limit_entries_fail_at_once_and_the_others_go_on(world: World) -> None:
    loop = Loop()
    journal = GroupCommitJournal(world.writer, loop.call, max_waiting=3)
    results: list[Any] = []

    def commit(number: int) -> None:
        journal.commit(sent(number), lambda result: results.append((number, result)))

    for number in range(5):
        commit(number)
    loop.until(lambda: len(results) == 2)
    assert [(number, result.reason.split(":")[0]) for number, result in results] == [
        (3, "overloaded"),
        (4, "overloaded"),
    ]
    journal.start()
    loop.until(lambda: len(results) == 5)
    journal.close()
    assert [number for number, _ in results[2:]] == [0, 1, 2]
    assert journal.stats().failed == 2
    assert journal.stats().waiting == 0


def test_after_close_nothing_is_taken_and_what_waited_is_written(world: World) -> None:
    loop = Loop()
    journal = running(world, loop)
    results: list[Any] = []
    for number in range(10):
        journal.commit(sent(number), results.append)
    journal.close()
    journal.commit(sent(11), results.append)
    loop.drain()
    assert all(isinstance(result, tuple) for result in results[:10])
    assert results[10].reason.startswith("closed")


class _Failing:
    """A connection whose next statements fail as a full or broken disk would make them."""

    def __init__(self, inner: sqlite3.Connection, script: list[str]) -> None:
        self._inner = inner
        self._script = script

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def execute(self, sql: str, *args: Any) -> Any:
        if self._script and sql.startswith(self._script[0]):
            self._script.pop(0)
            raise sqlite3.OperationalError("disk I/O error")
        return self._inner.execute(sql, *args)


@pytest.mark.parametrize(
    "statement", ["BEGIN", "INSERT INTO leaf", "INSERT INTO data_key", "UPDATE log_state", "COMMIT"]
)
def test_a_failing_disk_fails_the_batch_leaves_no_trace_and_the_next_one_goes_on(world: World, statement: str) -> None:
    script: list[str] = []
    writer = world.open_writer(connector=lambda path, **options: _Failing(connect(path, **options), script))
    world.writer.close()
    world.writer = writer
    loop = Loop()
    journal = running(world, loop)
    _commit_all(journal, loop, [sent(1)])
    script.append(statement)
    (failed,) = _commit_all(journal, loop, [sent(2)])
    (after,) = _commit_all(journal, loop, [sent(3)])
    journal.close()
    assert isinstance(failed, CommitFailed)
    assert "disk I/O error" in failed.reason
    assert [licence.seq for licence in after] == [2, 3]
    report = world.verify()
    assert report.ok, report.findings
    assert report.size == 4


def test_a_full_disk_fails_and_recovers(world: World) -> None:
    loop = Loop()
    journal = running(world, loop)
    _commit_all(journal, loop, [sent(1)])
    raw: list[Any] = []

    def limit(connection: sqlalchemy.Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")

    journal.submit(limit, raw.append)
    loop.until(lambda: bool(raw))
    (failed,) = _commit_all(journal, loop, [sent(2, "x" * 100_000)])
    assert isinstance(failed, CommitFailed)
    assert "full" in failed.reason
    (after,) = _commit_all(journal, loop, [sent(3)])  # over a new connection, without the limit
    journal.close()
    assert [licence.seq for licence in after] == [2, 3]
    assert world.verify().ok


def test_another_process_may_append_to_the_same_log(world: World) -> None:
    loop = Loop()
    journal = running(world, loop)
    other = World.__new__(World)
    other.__dict__.update(world.__dict__)
    other.writer = world.open_writer()
    _commit_all(journal, loop, [sent(1)])
    started = record.event(record.POLICY_CHANGE, actor="root", detail={"difference": "+ rule"})
    (licence,) = other.direct.commit(Entry(records=(started,)))
    (result,) = _commit_all(journal, loop, [sent(2)])
    (stopped,) = other.direct.commit(Entry(records=(record.event(record.STOP, actor="root"),)))
    journal.close()
    other.writer.close()
    assert (licence.seq, [recorded.seq for recorded in result], stopped.seq) == (2, [3, 4], 5)
    assert world.verify().ok


def test_a_lock_that_is_held_too_long_fails_the_batch(world: World) -> None:
    world.writer.close()
    world.writer = world.open_writer(busy_seconds=0.05)
    loop = Loop()
    journal = running(world, loop)
    holder = sqlite3.connect(world.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    (failed,) = _commit_all(journal, loop, [sent(1)])
    holder.execute("ROLLBACK")
    holder.close()
    (result,) = _commit_all(journal, loop, [sent(2)])
    journal.close()
    assert isinstance(failed, CommitFailed)
    assert "locked" in failed.reason
    assert isinstance(result, tuple)


def _set(key: str, value: str) -> Any:
    def operation(connection: sqlalchemy.Connection) -> str:
        statement = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
        connection.exec_driver_sql(statement, (key, value))
        return value

    return operation


def test_operations_run_in_order_with_the_entries_and_with_their_records(world: World) -> None:
    loop = Loop()
    journal = GroupCommitJournal(world.writer, loop.call)
    results: list[Any] = []
    sizes: list[int] = []

    def count(connection: sqlalchemy.Connection) -> int:
        return int(connection.exec_driver_sql("SELECT sum(length(hashes)) / 32 FROM leaf").scalar_one())

    journal.commit(sent(1), results.append)
    journal.submit(count, lambda result: sizes.append(result.result))  # type: ignore[union-attr]
    journal.submit(
        _set("a", "1"),
        results.append,
        records=lambda value: [record.event(record.IDENTITY_CHANGE, actor="root", fields={"to": value})],
    )
    journal.submit(count, lambda result: sizes.append(result.result))  # type: ignore[union-attr]
    journal.start()
    loop.until(lambda: len(sizes) == 2)
    journal.close()
    assert sizes == [2, 3]
    assert isinstance(results[1], Submitted)
    assert results[1].result == "1"
    assert results[1].recorded[0].seq == 2


def test_an_operation_that_raises_is_undone_alone_with_its_record(world: World) -> None:
    loop = Loop()
    journal = GroupCommitJournal(world.writer, loop.call)
    results: list[Any] = []

    def half(connection: sqlalchemy.Connection) -> None:
        _set("half", "done")(connection)
        raise LookupError("no such person")

    journal.submit(_set("before", "1"), results.append)
    journal.submit(half, results.append, records=lambda _: [record.event(record.START, actor="x")])
    journal.submit(
        _set("bad-record", "1"),
        results.append,
        records=lambda _: [record.event(record.START, actor="x", fields={"rate": 0.5})],
    )
    journal.commit(sent(1), results.append)
    journal.start()
    loop.until(lambda: len(results) == 4)
    journal.close()
    assert isinstance(results[1], OperationFailed)
    assert isinstance(results[1].error, LookupError)
    assert isinstance(results[2], OperationFailed)
    assert [licence.seq for licence in results[3]] == [0, 1]
    with sqlite3.connect(world.path) as other:
        assert other.execute("SELECT key FROM meta").fetchall() == [("before",)]
    assert world.verify().ok


def test_a_held_message_is_queued_later_under_its_own_intake(world: World) -> None:
    world.direct.commit(sent(1, queue=False))
    release = record.event(record.RELEASE, actor="carol@corp.example", event_id=event_id(1))
    world.direct.commit(Entry(records=(release,), enqueue=sent(1).enqueue))
    journal = GroupCommitJournal(world.open_writer(), Loop().call)
    ((item, licence),) = journal.pending()
    assert (item.event, licence.seq, licence.envelope) == (event_id(1), 0, message(1))


def test_a_delivery_of_a_message_that_is_not_on_record_is_refused(world: World) -> None:
    with pytest.raises(StoreError, match="not on record"):
        world.direct.commit(Entry(enqueue=sent(1).enqueue))


def test_settled_and_queued_again_in_one_batch_stays_queued(world: World) -> None:
    loop = Loop()
    journal = GroupCommitJournal(world.writer, loop.call)
    results: list[Any] = []
    retry = record.event(record.RELEASE, actor="service", event_id=event_id(1))
    for entry in (sent(1), settled(event_id(1), 0), Entry(records=(retry,), enqueue=sent(1).enqueue)):
        journal.commit(entry, results.append)
    journal.start()
    loop.until(lambda: len(results) == 3)
    assert [item.key for item, _ in journal.pending()] == [f"{event_id(1)}/0"]
    journal.close()


def test_a_big_batch_is_written_whole(world: World) -> None:
    loop = Loop()
    journal = GroupCommitJournal(world.writer, loop.call)
    results: list[Any] = []
    body = Message(parts=(TextPart(text="é" * 2000),))
    assert body.text
    for number in range(777):
        journal.commit(sent(number), results.append)
    journal.start()
    loop.until(lambda: len(results) == 777)
    journal.close()
    assert journal.stats().largest_batch == MAX_BATCH
    report = world.verify()
    assert report.ok
    assert (report.size, report.opened) == (1554, 777)
    assert AIM == "aim"
