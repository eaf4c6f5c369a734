"""The publisher signs a history once: it continues it, heals its own files, and refuses another one."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.compliance.checkpoint import open_checkpoint
from bridge.compliance.files import TileReader
from bridge.compliance.merkle import Frontier, consistency_proof, root_of, verify_consistency
from bridge.compliance.publisher import HistoryError
from bridge.compliance.tiles import Tile, decode_bundle
from bridge.delivery.ports import Entry
from bridge.store.publishing import publisher_of
from tests.unit.store.world import World, change_leaf, sent


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _append(world: World, first: int, count: int) -> None:
    records = tuple(record for number in range(first, first + count) for record in sent(number).records)
    world.direct.commit(Entry(records=records))


def test_growth_over_a_full_tile(world: World) -> None:
    sizes = []
    for first, count in ((0, 1), (1, 100), (101, 27), (128, 1), (129, 140)):
        _append(world, first, count)
        world.publish()
        report = world.verify()
        assert report.ok, report.findings
        sizes.append(report.size)
    assert sizes == [2, 202, 256, 258, 538]
    names = set(world.files.names())
    assert {"tile/0/000", "tile/0/001", "tile/0/002.p/26", "tile/1/000.p/1", "tile/1/000.p/2"} <= names
    assert not [name for name in names if name.startswith("tile/0/000.p")]
    assert len(decode_bundle((world.files.folder / "tile/entries/001").read_bytes())) == 256

    note = world.files.read_checkpoint()
    assert note is not None
    checkpoint = open_checkpoint(note, [world.signer.verifier])
    tiles = TileReader(world.files, 538)
    assert root_of(538, tiles) == checkpoint.root == tiles.frontier().root()
    with world.writer.reader() as reader:
        older = [open_checkpoint(row.note, [world.signer.verifier]) for row in reader.checkpoints()]
    for old in older[:-1]:
        path = consistency_proof(old.size, 538, tiles)
        verify_consistency(old.size, 538, path, old.root, checkpoint.root)


def test_nothing_new_is_nothing_published(world: World) -> None:
    _append(world, 0, 3)
    world.publish()
    before = world.files.read_checkpoint()
    world.publish()
    assert world.files.read_checkpoint() == before


@pytest.mark.parametrize("lost", ["tile/0/000", "tile/1/000.p/1", "tile/0/001.p/44", "checkpoint", "log.vkey"])
def test_files_that_were_lost_are_made_again(world: World, lost: str) -> None:
    _append(world, 0, 150)
    world.publish()
    (world.files.folder / lost).unlink()
    _append(world, 150, 1)
    publisher_of(world.path, world.folder / "log", world.signer).publish()
    report = world.verify()
    assert report.ok, report.findings


def test_killed_between_the_row_and_the_file_again_and_again(world: World) -> None:
    """The checkpoint file is never more than one behind, however often its writer is killed."""

    class Killed(BaseException):
        pass

    for turn in range(3):
        _append(world, turn, 1)
        publisher = publisher_of(world.path, world.folder / "log", world.signer)
        write = world.files.write

        def dies(name: str, data: bytes, turn: int = turn, write: Callable[[str, bytes], None] = write) -> None:
            if name == "checkpoint" and f"\n{2 * turn + 2}\n".encode() in data:
                raise Killed
            write(name, data)

        publisher._files.write = dies  # type: ignore[method-assign]
        with pytest.raises(Killed):
            publisher.publish()
        report = world.verify()
        assert report.ok, report.findings
        assert report.checkpoints == turn + 1
    publisher_of(world.path, world.folder / "log", world.signer).publish()
    assert (world.files.read_checkpoint() or "").split("\n")[1] == "6"


def test_a_restored_backup_is_not_signed(world: World, tmp_path: Path) -> None:
    _append(world, 0, 3)
    world.publish()
    backup = tmp_path / "backup.db"
    with sqlite3.connect(world.path) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    _append(world, 3, 3)
    world.publish()
    world.close()
    for name in ("bridge.db", "bridge.db-wal", "bridge.db-shm"):
        (world.folder / name).unlink(missing_ok=True)
    backup.rename(world.path)
    publisher = publisher_of(world.path, world.folder / "log", world.signer)
    with pytest.raises(HistoryError, match="truncated"):
        publisher.publish()
    _append(world, 90, 5)  # other messages in the place of the lost ones
    with pytest.raises(HistoryError, match="do not make up its tree"):
        publisher.publish()
    found = world.verify().findings
    assert any("checkpoint" in finding.where for finding in found)


def test_rows_that_do_not_make_up_the_tree_are_not_signed(world: World) -> None:
    _append(world, 0, 2)
    with sqlite3.connect(world.path) as connection:
        change_leaf(connection, 1, digest=bytes(32))
    with pytest.raises(HistoryError, match="do not make up its tree"):
        world.publish()
    with sqlite3.connect(world.path) as connection:
        connection.execute("DELETE FROM leaf WHERE first = (SELECT max(first) FROM leaf)")
    with pytest.raises(HistoryError, match="missing"):
        world.publish()


def test_another_key_does_not_continue_the_log(world: World) -> None:
    from bridge.compliance.keys import open_signer

    _append(world, 0, 2)
    world.publish()
    other = open_signer(world.folder / "other.key", world.writer.log_id, create=True)
    with pytest.raises(HistoryError, match="not ours"):
        publisher_of(world.path, world.folder / "log", other).publish()


def test_the_empty_log(world: World) -> None:
    world.publish()
    assert world.files.read_checkpoint() is None
    report = world.verify()
    assert report.ok
    assert report.root == Frontier().root()
    assert Tile(0, 0, 1).path() not in set(world.files.names())


def test_tiles_stay_as_they_were_until_all_new_ones_are_durable(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerOff(BaseException):
        pass

    _append(world, 0, 120)
    world.publish()
    before = set(world.files.names())
    _append(world, 120, 20)
    flushed: list[Path] = []

    def flush(path: Path) -> None:
        flushed.append(path)
        if len(flushed) == 5:
            raise PowerOff

    monkeypatch.setattr("bridge.compliance.files._flush", flush)
    with pytest.raises(PowerOff):
        publisher_of(world.path, world.folder / "log", world.signer).publish()
    monkeypatch.undo()
    assert set(world.files.names()) == before
    publisher_of(world.path, world.folder / "log", world.signer).publish()
    report = world.verify()
    assert (report.ok, report.size) == (True, 280)
    assert not (world.files.folder / "tile/0/000.p").exists()
    assert not list((world.files.folder / ".tmp").iterdir())
