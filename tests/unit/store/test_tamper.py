"""One flipped byte anywhere: verification finds it and names where it is.

Every column of every row of the log's tables, every byte range of every file, and positions all over the raw database
file. A raw position may hold nothing at all: space between cells, freed pages, counters that SQLite rewrites at each
commit. Such a flip is told by the database itself: all that can be read of it, and its schema, are what they were.
"""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from sqlalchemy import Text

from bridge.compliance import record
from bridge.compliance.files import CHECKPOINT
from bridge.compliance.rows import StoreDamagedError
from bridge.compliance.verify import Finding, Kept
from bridge.delivery.ports import Entry
from bridge.store.errors import StoreConfigError
from bridge.store.schema import LOG_TABLES
from bridge.store.segments import unpack_hashes
from tests.unit.compliance.samples import PICTURE, event_id, message
from tests.unit.store.world import World, sent, settled

_ROWS = (("leaf", "first"), ("mention", "first"), ("body", "first"), ("data_key", "first"), ("outbox", "seq"))
"""What goes with a tail that is cut off: tables, and where their rows belong."""


def _fill(world: World) -> None:
    direct = world.direct
    for number in range(6):
        direct.commit(sent(number, f"text number {number}"))
    world.publish()
    entry = sent(20, "held")
    direct.commit(Entry(records=entry.records, enqueue=(evolve(entry.enqueue[0], held=True),)))
    direct.commit(settled(event_id(2), 4, "failed", detail="404 no such user theboogyman"))
    picture = message(7, "look", attachments=(PICTURE,))
    direct.commit(Entry(records=(record.intake(picture, identity_version=3, retention_class="regulated"),)))
    direct.commit(sent(8, queue=False))
    world.publish()
    direct.commit(Entry(records=(record.event(record.STOP, actor="service"),)))
    world.writer.close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = World(tmp_path_factory.mktemp("sample"))
    _fill(made)
    assert made.verify().findings == ()
    with sqlite3.connect(made.path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return made


@pytest.fixture
def copy(sample: World, tmp_path: Path) -> World:
    made = World.__new__(World)
    made.__dict__.update(sample.__dict__)
    shutil.copytree(sample.folder, tmp_path / "copy", ignore=shutil.ignore_patterns("*-wal", "*-shm"))
    made.folder = tmp_path / "copy"
    made.path = made.folder / "bridge.db"
    made.files = type(sample.files)(made.folder / "log")
    return made


def _flip(value: Any, at: int) -> Any:
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, float):
        return value + 1.0
    data = bytearray(value if isinstance(value, bytes) else value.encode())
    data[at % len(data)] ^= 1
    return bytes(data) if isinstance(value, bytes) else data.decode("utf-8", "replace")


def _tries(value: Any) -> int:
    """How many bytes of a cell are changed, one after the other: a segment holds many things."""
    return 0 if value in {None, "", b""} else 12 if isinstance(value, bytes) else 1


CELLS = [(table.name, column.name) for table in LOG_TABLES for column in table.columns]


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_a_changed_column_is_found_in_every_row(copy: World, table: str, column: str) -> None:
    keys = ", ".join(key.name for key in next(t for t in LOG_TABLES if t.name == table).primary_key)
    with sqlite3.connect(copy.path) as connection:
        rows = connection.execute(f"SELECT {column}, {keys} FROM {table}").fetchall()
    connection.close()
    assert rows
    where = " AND ".join(f"{key} IS ?" for key in keys.split(", "))
    missed = []
    chance = random.Random(0)
    tries = [(row, chance.randrange(1 << 20)) for row in rows for _ in range(_tries(row[0]))]
    for row, at in tries:
        changed = _flip(row[0], at)
        with sqlite3.connect(copy.path) as connection:
            connection.executescript("PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF")
            try:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (changed, *row[1:]))
            except sqlite3.IntegrityError:
                continue  # the neighbour has that number: the database itself refuses
        connection.close()
        report = copy.verify()
        if not any(_names(finding, table) for finding in report.findings):
            missed.append((row, at, report.findings))
        key_now = [changed if key == column else value for key, value in zip(keys.split(", "), row[1:], strict=True)]
        with sqlite3.connect(copy.path) as connection:
            connection.executescript("PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF")
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (row[0], *key_now))
        connection.close()
    assert missed == []
    assert copy.verify().ok


def _names(finding: Finding, table: str) -> bool:
    near = {"data_key": {"data_key", "body"}, "kek": {"kek", "body", "data_key"}, "body": {"body", "data_key"}}
    return finding.where in near.get(table, {table})


def test_a_changed_byte_in_any_file_is_found_and_named(copy: World) -> None:
    chance = random.Random(1)
    files = sorted(path for path in copy.files.folder.rglob("*") if path.is_file())
    assert len(files) > 5
    for path in files:
        content = path.read_bytes()
        positions = {0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(12))}
        for at in positions:
            broken = bytearray(content)
            broken[at] ^= 1 << chance.randrange(8)
            path.write_bytes(broken)
            found = [finding.where for finding in copy.verify(keys=False).findings]
            assert str(path.relative_to(copy.files.folder)) in found, (path, at, found)
        path.write_bytes(content)
    assert copy.verify().ok


def test_a_missing_file_and_one_too_many_are_found(copy: World) -> None:
    tile = max((copy.files.folder / "tile/0/000.p").iterdir(), key=lambda path: int(path.name))
    kept = tile.read_bytes()
    tile.unlink()
    assert f"tile/0/000.p/{tile.name}" in [finding.where for finding in copy.verify().findings]
    tile.write_bytes(kept)
    (copy.files.folder / "tile/0/notes.txt").write_text("hello")
    assert [finding.where for finding in copy.verify().findings] == ["tile/0/notes.txt"]


def test_a_truncated_tail_is_found_with_a_kept_checkpoint(copy: World) -> None:
    """The attacker has rewritten everything that is on the machine: rows, state, checkpoints and files."""
    kept = Kept("kept.note", (copy.files.folder / CHECKPOINT).read_text())
    _rewind(copy, 12)
    assert copy.verify().ok
    report = copy.verify((kept,))
    assert [finding.where for finding in report.findings] == ["kept.note"]
    assert "its tail was cut off" in report.findings[0].what


def _rewind(world: World, size: int) -> None:
    from bridge.compliance.merkle import Frontier

    with sqlite3.connect(world.path) as connection:
        tree = Frontier()
        for hashes in connection.execute("SELECT hashes FROM leaf WHERE first < ? ORDER BY first", (size,)):
            tree.extend(unpack_hashes(0, hashes[0]))
        assert tree.size == size, "an entry was cut in two"
        for table, column in _ROWS:
            connection.execute(f"DELETE FROM {table} WHERE {column} >= ?", (size,))
        connection.execute("DELETE FROM checkpoint WHERE size > ?", (size,))
        connection.execute("UPDATE log_state SET size = ?, frontier = ?", (size, tree.to_bytes()))
        note = connection.execute("SELECT note FROM checkpoint WHERE size = ?", (size,)).fetchone()[0]
    connection.close()
    (world.files.folder / CHECKPOINT).write_text(note)
    for path in world.files.folder.rglob("*.p/*"):
        if int(path.name) > size:
            path.unlink()


def test_a_history_that_was_written_anew_is_found_with_a_kept_checkpoint(copy: World, tmp_path: Path) -> None:
    kept = Kept("kept.note", (copy.files.folder / CHECKPOINT).read_text())
    other = World.__new__(World)
    other.__dict__.update(copy.__dict__)
    other.folder, other.path = tmp_path / "other", tmp_path / "other" / "bridge.db"
    other.folder.mkdir()
    other.files = type(copy.files)(other.folder / "log")
    other._publisher = None
    with sqlite3.connect(copy.path) as connection:
        log_id = connection.execute("SELECT log_id FROM log_state").fetchone()[0]
    connection.close()
    other.writer = other.open_writer()
    with sqlite3.connect(other.path) as connection:
        connection.execute("UPDATE log_state SET log_id = ?", (log_id,))
    connection.close()
    other.writer = other.open_writer()
    for number in range(12):
        other.direct.commit(sent(number, "nothing to see here"))
    other.publish()
    assert other.verify().ok
    report = other.verify((kept,))
    assert [(finding.where, "not the one that was signed" in finding.what) for finding in report.findings] == [
        ("kept.note", True)
    ]
    other.close()


def _everything(path: Path) -> Any:
    """All that can be read of a database, or the error that reading it gives."""
    connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    connection.text_factory = bytes
    try:
        content: list[Any] = [connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()]
        for table in LOG_TABLES:
            content.append(connection.execute(f"SELECT * FROM {table.name}").fetchall())
            content.append(connection.execute(f"SELECT count(*) FROM {table.name} WHERE 1").fetchone())
        return content
    except (sqlite3.Error, UnicodeError) as error:
        return repr(error)
    finally:
        connection.close()


def _raw_positions(path: Path) -> Iterator[int]:
    size = path.stat().st_size
    chance = random.Random(20261123)
    yield from range(0, 100, 3)
    for page in range(0, size, 8192):
        yield from (page + at for at in range(0, 8, 2))
        yield from (page + chance.randrange(8192) for _ in range(5))


def test_a_changed_byte_in_the_raw_database_is_found_or_holds_nothing(copy: World) -> None:
    content = copy.path.read_bytes()
    before = _everything(copy.path)
    assert isinstance(before, list)
    found = unused = 0
    silent = []
    for at in sorted(set(_raw_positions(copy.path))):
        broken = bytearray(content)
        broken[at] ^= 1 << (at % 8)
        copy.path.write_bytes(broken)
        try:
            seen_by_verify = not copy.verify().ok
        except (StoreDamagedError, StoreConfigError):  # the file does not even open: said with a typed error
            seen_by_verify = True
        if seen_by_verify:
            found += 1
        elif _everything(copy.path) == before:
            unused += 1
        else:
            silent.append(at)
        for name in ("bridge.db-wal", "bridge.db-shm"):
            (copy.folder / name).unlink(missing_ok=True)
    copy.path.write_bytes(content)
    assert silent == []
    assert found > 100
    assert copy.verify().ok, unused


TEXTS = [(table.name, column.name) for table in LOG_TABLES for column in table.columns if isinstance(column.type, Text)]


@pytest.mark.parametrize(("table", "column"), TEXTS)
def test_a_text_that_is_no_unicode_any_more_is_found_and_can_be_told(copy: World, table: str, column: str) -> None:
    with sqlite3.connect(copy.path) as connection:
        key = next(t for t in LOG_TABLES if t.name == table).primary_key.columns[0].name
        (first,) = connection.execute(f"SELECT min({key}) FROM {table} WHERE {column} IS NOT NULL").fetchone()
        connection.execute(f"UPDATE {table} SET {column} = CAST(x'69ff74' AS TEXT) WHERE {key} = ?", (first,))
    connection.close()
    findings = copy.verify().findings
    assert any(_names(finding, table) for finding in findings), findings
    for finding in findings:
        str(finding).encode()
