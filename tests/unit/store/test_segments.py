"""What stands in a segment comes out as it went in, or not at all."""

import sqlite3
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.compliance.rows import StoreDamagedError
from bridge.compliance.tiles import MAX_ENTRY_BYTES, decode_bundle, encode_bundle
from bridge.delivery.ports import Entry
from bridge.store import segments
from bridge.store.reader import SqliteLogReader
from bridge.store.writer import Work
from tests.unit.compliance.samples import event_id
from tests.unit.store.world import World, change_leaf, sent, settled

_PLACES = st.lists(st.integers(0, (1 << 32) - 1), unique=True, max_size=6).map(sorted)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=300))
def test_contents_come_back(leaves: list[bytes]) -> None:
    packed = encode_bundle(leaves)
    assert segments.unpack_contents(7, packed, len(leaves)) == [leaf or None for leaf in leaves]
    for wrong in (packed + b"\x00", packed[:-1]):
        with pytest.raises(StoreDamagedError):
            segments.unpack_contents(7, wrong, len(leaves))


@given(st.integers(0, 1 << 40), _PLACES, st.data())
def test_sealed_parts_come_back_and_a_cut_is_noticed(first: int, places: list[int], data: st.DataObject) -> None:
    bodies = [(first + place, data.draw(st.binary(max_size=40))) for place in places]
    keys = [(first + place, data.draw(st.integers(0, 1000)), data.draw(st.binary(max_size=40))) for place in places]
    packed = segments.pack_bodies(first, [value for row in bodies for value in row])
    assert list(segments.unpack_bodies(first, packed)) == bodies
    wrapped = segments.pack_keys(first, [value for row in keys for value in row])
    assert list(segments.unpack_keys(first, wrapped)) == keys
    if places:
        with pytest.raises(StoreDamagedError, match="body"):
            list(segments.unpack_bodies(first, packed[:-1]))
        with pytest.raises(StoreDamagedError, match="data_key"):
            list(segments.unpack_keys(first, wrapped[:-1]))
        with pytest.raises(StoreDamagedError, match="not as they were written"):
            list(segments.unpack_bodies(first, packed * 2))
        with pytest.raises(StoreDamagedError, match="not as they were written"):
            list(segments.unpack_keys(first, wrapped * 2))


@given(st.binary(max_size=200), st.integers(0, 50))
def test_whatever_the_bytes_are_they_are_read_or_refused(data: bytes, count: int) -> None:
    for read in (
        lambda: segments.unpack_hashes(3, data),
        lambda: segments.unpack_contents(3, data, count),
        lambda: list(segments.unpack_bodies(3, data)),
        lambda: list(segments.unpack_keys(3, data)),
        lambda: list(segments.rows_of(3, data, data)),
    ):
        with suppress(StoreDamagedError):
            read()
    segments.names_of([data, None])
    assert segments.leaf_row(3, b"", data).seq == 3


@pytest.mark.parametrize("content", [b"[]", b"{}", b'{"event":1,"msg_id":2,"t_intake":true}', b"\xff", None])
def test_a_leaf_that_does_not_say_what_it_is(content: bytes | None) -> None:
    assert segments.leaf_row(5, b"h", content) == (5, "", None, 0, b"h", content)


def test_the_longest_leaf_fits() -> None:
    leaf = orjson.dumps({"event": "x" * (MAX_ENTRY_BYTES - 12)})
    assert len(leaf) == MAX_ENTRY_BYTES
    assert segments.unpack_contents(0, encode_bundle([leaf]), 1) == [leaf]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_message_is_found_in_every_segment_that_it_is_in_and_no_other_is(world: World) -> None:
    entries = [sent(number) for number in range(20)]
    world.writer.write([Work(entry, None, None, lambda _: None) for entry in entries])
    world.direct.commit(settled(event_id(3), 6, "failed", detail="404"))
    world.direct.commit(settled(event_id(3), 6))
    with SqliteLogReader(world.path) as reader:
        assert [(leaf.seq, leaf.event) for leaf in reader.find(event_id(3))] == [
            (6, "intake"),
            (7, "decision"),
            (40, "outcome"),
            (41, "outcome"),
        ]
        assert reader.find("nobody") == []


def test_what_was_disposed_of_is_not_found_by_its_message_any_more(world: World) -> None:
    world.writer.write([Work(sent(number), None, None, lambda _: None) for number in range(3)])
    with sqlite3.connect(world.path) as connection:
        change_leaf(connection, 2, content=b"")
        change_leaf(connection, 3, content=b"")
    with SqliteLogReader(world.path) as reader:
        assert reader.find(event_id(1)) == []
        assert [leaf.content is None for leaf in reader.leaves()] == [False, False, True, True, False, False]
        assert reader.first_since(0) == 0


def test_large_bodies_make_more_segments_of_a_transaction(world: World) -> None:
    text = "x" * (segments.MOST_BYTES // 4)
    world.writer.write([Work(sent(number, text), None, None, lambda _: None) for number in range(10)])
    with sqlite3.connect(world.path) as connection:
        rows = [row[0] for row in connection.execute("SELECT first FROM leaf ORDER BY first")]
    connection.close()
    assert rows == [0, 8, 16]
    report = world.verify()
    assert (report.ok, report.size, report.opened) == (True, 20, 10)


def test_reading_from_the_middle_of_a_segment_to_the_middle_of_another(world: World) -> None:
    for start in (0, 10):
        world.writer.write([Work(sent(start + number), None, None, lambda _: None) for number in range(10)])
    with SqliteLogReader(world.path) as reader:
        assert [leaf.seq for leaf in reader.leaves(7, 33)] == list(range(7, 33))
        assert [row.seq for row in reader.sealed(7, 33)] == list(range(8, 33, 2))
        assert [leaf.seq for leaf in reader.leaves(39)] == [39]
        assert list(reader.leaves(40)) == []
        assert [(run.first, len(run.ends)) for run in reader.runs(7, 33)] == [(7, 13), (20, 13)]
        assert [run.first for run in reader.runs(39, 40)] == [39]
        hashes = b"".join(run.hashes for run in reader.runs(7, 33))
        contents = [entry for run in reader.runs(7, 33) for entry in decode_bundle(run.bundle)]
        wanted = list(reader.leaves(7, 33))
        assert (hashes, contents) == (b"".join(one.hash for one in wanted), [one.content for one in wanted])


def test_an_entry_that_delivers_what_an_earlier_one_recorded(world: World) -> None:
    first = sent(1)
    world.direct.commit(evolve(first, enqueue=()))
    world.writer.write([Work(sent(2), None, None, lambda _: None)])
    staged = Work(Entry(enqueue=first.enqueue), None, None, lambda _: None)
    assert world.writer.prepare([staged]) is None  # it must be looked up
    assert world.writer.write([staged]) == [()]
    with SqliteLogReader(world.path) as reader:
        assert [(row.seq, row.event) for row in reader.outbox()] == [(0, event_id(1)), (2, event_id(2))]
    assert world.verify().ok


def test_a_batch_that_was_prepared_before_another_process_wrote_is_made_again(world: World) -> None:
    world.direct.commit(sent(1))
    work = [Work(sent(2), None, None, lambda _: None)]
    prepared = world.writer.prepare(work)
    assert prepared is not None
    other = world.open_writer()
    other.write([Work(sent(3), None, None, lambda _: None)])
    other.close()
    ((intake, decision),) = world.writer.write(work, prepared)  # type: ignore[misc]
    assert (intake.seq, decision.seq) == (4, 5)
    assert world.verify().ok
