"""Opening a store: its URL, its file, its schema; and housekeeping."""

import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, insert, select

import bridge.store.schema_identity  # noqa: F401 - its tables are part of the whole
from bridge.compliance import record
from bridge.compliance.errors import KeyFileError
from bridge.compliance.keys import Keyring
from bridge.compliance.verify import verify_log
from bridge.delivery.ports import Entry
from bridge.store.database import connect, path_of, sqlalchemy_over
from bridge.store.errors import SchemaNewerError, StoreConfigError, StoreError
from bridge.store.housekeeping import purge_sip, retire_master_key, rotate_master_key
from bridge.store.migrate import REVISION, migrate
from bridge.store.reader import SqliteLogReader
from bridge.store.schema import metadata, presence_request, publication, registration, subscription
from bridge.store.writer import LogWriter
from tests.unit.compliance.samples import NOW, event_id
from tests.unit.store.world import World, sent


def test_urls() -> None:
    base = Path("/srv/bridge")
    assert path_of("sqlite:///var/bridge.db", base) == Path("/srv/bridge/var/bridge.db")
    assert path_of("sqlite:////var/lib/b%20c.db", base) == Path("/var/lib/b c.db")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://db/bridge", "PostgreSQL is not supported yet"),
        ("mysql://db/bridge", "'mysql' is not a kind of store"),
        ("bridge.db", "is not a URL"),
        ("sqlite://host/bridge.db", "without host or options"),
        ("sqlite:///bridge.db?mode=memory", "without host or options"),
        ("sqlite:///:memory:", "would not be durable"),
        ("sqlite:///", "would not be durable"),
        ("sqlite:///a%00b", "would not be durable"),
    ],
)
def test_other_urls_are_refused_with_what_to_write(url: str, said: str) -> None:
    with pytest.raises(StoreConfigError, match=said):
        path_of(url)


def test_migrations_make_the_schema_that_the_code_declares(tmp_path: Path) -> None:
    raw = connect(tmp_path / "x.db")
    migrate(raw)
    connection = sqlalchemy_over(raw)
    assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    migrate(raw)
    assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]


def test_a_database_of_the_first_version_is_brought_up_to_date_with_its_log(tmp_path: Path) -> None:
    """What was written leaf by leaf stands in segments then, and nothing of it has changed."""
    world = World(tmp_path)
    for number in range(200):
        world.direct.commit(sent(number))
    world.direct.commit(Entry(records=(record.event(record.STOP, actor="service"),)))
    world.publish()
    with SqliteLogReader(world.path) as reader:
        before = (list(reader.leaves()), list(reader.sealed()), list(reader.outbox()))
        made = _schema(world.path)
    world.writer.close()
    _as_in_the_first_version(world.path)
    raw = connect(world.path)
    migrate(raw)
    assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
    raw.close()
    assert _schema(world.path) == made
    with SqliteLogReader(world.path) as reader:
        assert (list(reader.leaves()), list(reader.sealed()), list(reader.outbox())) == before
        assert [leaf.event for leaf in reader.find(event_id(7))] == ["intake", "decision"]
    assert world.verify().ok
    world.writer = world.open_writer()
    world.direct.commit(sent(200))
    world.publish()
    assert world.verify().ok


def _schema(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        return sorted(connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def _as_in_the_first_version(path: Path) -> None:
    """Takes the tables back to what they were before r0003, with what is in them."""
    with SqliteLogReader(path) as reader:
        leaves, sealed = list(reader.leaves()), list(reader.sealed())
    with sqlite3.connect(path) as old:
        for table in ("presence_request", "publication", "leaf", "mention", "body", "data_key"):
            old.execute(f"DROP TABLE {table}")
        old.execute(
            "CREATE TABLE leaf (seq INTEGER NOT NULL PRIMARY KEY, event TEXT NOT NULL, msg_id TEXT, "
            "t_intake INTEGER NOT NULL, hash BLOB NOT NULL, content BLOB)"
        )
        old.execute("CREATE INDEX ix_leaf_msg_id ON leaf (msg_id)")
        old.execute("CREATE TABLE body (seq INTEGER NOT NULL PRIMARY KEY, ciphertext BLOB NOT NULL)")
        old.execute(
            "CREATE TABLE data_key (seq INTEGER NOT NULL PRIMARY KEY, kek_id INTEGER NOT NULL, wrapped BLOB NOT NULL)"
        )
        old.executemany("INSERT INTO leaf VALUES (?, ?, ?, ?, ?, ?)", leaves)
        old.executemany("INSERT INTO body VALUES (?, ?)", [row[:2] for row in sealed])
        old.executemany("INSERT INTO data_key VALUES (?, ?, ?)", [(row[0], *row[2:]) for row in sealed])
        old.execute("UPDATE alembic_version SET version_num = 'r0002_identity'")
    old.close()


def test_requests_to_see_somebody_are_taken_over_into_their_table(tmp_path: Path) -> None:
    old = {
        "target": "alice@corp.example", "watcher": "aim/theboogyman", "verdict": "approved", "at": 1_700_000_000.5,
        "words": "it is me", "account": "alicework", "told": False,
    }  # fmt: skip
    other = {**old, "watcher": "bob@corp.example", "verdict": "waits", "words": "", "account": "", "told": True}
    raw = connect(tmp_path / "x.db")
    migrate(raw)
    raw.execute("DROP TABLE presence_request")
    raw.execute("UPDATE alembic_version SET version_num = 'r0004_segments'")
    rows = [("presence/1", json.dumps(old)), ("presence/2", json.dumps(other)), ("presenceX", "stays")]
    raw.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    migrate(raw)
    found = sqlalchemy_over(raw).execute(select(presence_request)).mappings()
    assert [dict(row) for row in found] == [old, other]
    assert raw.execute("SELECT key FROM meta").fetchall() == [("presenceX",)]


def test_a_database_with_two_schemas_is_refused(tmp_path: Path) -> None:
    raw = connect(tmp_path / "x.db")
    migrate(raw)
    raw.execute("INSERT INTO alembic_version VALUES ('r9998_other')")
    with pytest.raises(StoreError, match="several schemas"):
        migrate(raw)


def test_a_newer_schema_is_refused(world: World) -> None:
    with sqlite3.connect(world.path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'r9999_future'")
    with pytest.raises(SchemaNewerError, match=f"r9999_future.*{REVISION}"):
        world.open_writer()


def test_another_programs_database_and_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE t (x)")
    with pytest.raises(StoreConfigError, match="another program"):
        connect(other)
    (tmp_path / "text.db").write_text("hello " * 1000)
    with pytest.raises(StoreConfigError, match="not a database"):
        connect(tmp_path / "text.db")
    with pytest.raises(StoreConfigError):
        connect(tmp_path)
    with pytest.raises(StoreConfigError, match="no such file"):
        SqliteLogReader(tmp_path / "missing.db")


@pytest.mark.parametrize("name", ["", "with space/x", "plus+name", "line\nbreak"])
def test_a_log_name_must_fit_a_signed_note(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="not a name for a log"):
        LogWriter(tmp_path / "x.db", Keyring.ephemeral(), log_name=name)


def test_a_copy_without_its_wal_is_verified_where_nothing_can_be_written(world: World, tmp_path: Path) -> None:
    world.direct.commit(sent(1))
    world.publish()
    world.close()
    copy = tmp_path / "medium"
    copy.mkdir()
    shutil.copy(world.path, copy / "bridge.db")
    before = (copy / "bridge.db").read_bytes()
    with SqliteLogReader(copy / "bridge.db") as reader:
        report = verify_log(reader, files=world.files, keys=[world.signer.verifier])
    assert report.ok
    assert (report.size, report.unopened, report.opened) == (2, 1, 0)
    assert (copy / "bridge.db").read_bytes() == before


def test_the_wrong_keyring_is_found(world: World) -> None:
    world.direct.commit(sent(1))
    with SqliteLogReader(world.path) as reader:
        report = verify_log(reader, files=None, keys=[world.signer.verifier], keyring=Keyring.ephemeral())
    assert {finding.where for finding in report.findings} >= {"kek", "body", "outbox"}


def test_rotation_while_another_process_writes(world: World) -> None:
    """The daemon has read the ring before; the command line rotates and retires; both go on."""
    daemon = LogWriter(world.path, Keyring.open(world.folder / "keys" / "master.key"), log_name="x", clock=world.clock)
    from bridge.store.journal import DirectJournal

    DirectJournal(daemon).commit(sent(1))
    old = world.keyring.active
    with pytest.raises(KeyFileError, match="active"):
        retire_master_key(world.direct, world.keyring, old, actor="root")
    new = rotate_master_key(world.direct, world.keyring, actor="root")
    DirectJournal(daemon).commit(sent(2))
    retire_master_key(world.direct, world.keyring, old, actor="root")
    world.clock.now += 31 * 86400  # a new month: new keys, from the process that read the old ring
    DirectJournal(daemon).commit(sent(3))
    daemon.close()
    assert Keyring.open(world.folder / "keys" / "master.key").ids == {new}
    report = world.verify()
    assert report.ok, report.findings
    assert report.opened == 3


def test_a_master_key_in_use_is_not_retired(world: World) -> None:
    world.direct.commit(sent(1))
    old = world.keyring.active
    world.keyring.rotate()
    with pytest.raises(KeyFileError, match="still in use"):
        retire_master_key(world.direct, world.keyring, old, actor="root")
    assert old in world.keyring.ids
    assert world.verify().size == 2


def test_what_sip_clients_left_is_purged_when_it_has_run_out(world: World) -> None:
    def fill(connection: Connection) -> None:
        for number in range(4):
            row = {"expires_at": NOW + number, "state": b"{}"}
            connection.execute(insert(registration), {"aor": "a", "contact": str(number), **row})
            connection.execute(insert(subscription), {"id": str(number), **row})
            connection.execute(insert(publication), {"id": str(number), "body": b"", **row})

    world.direct.submit(fill)
    assert world.direct.submit(purge_sip(NOW + 1)).result == 6
    left = world.direct.submit(
        lambda c: [list(c.execute(select(t.c.expires_at))) for t in (registration, subscription, publication)]
    )
    assert left.result == [[(NOW + 2,), (NOW + 3,)]] * 3


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    connect(tmp_path / "x.db").close()
    assert (tmp_path / "x.db").stat().st_mode & 0o777 == 0o600


def test_a_further_connection_does_not_drop_the_locks_of_the_first(tmp_path: Path) -> None:
    """Else another process takes itself for the last one, and deletes the write-ahead log under our hands."""
    first = connect(tmp_path / "x.db")
    migrate(first)
    connect(tmp_path / "x.db").close()
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); list(c.execute('SELECT * FROM leaf')); c.close()"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "x.db")], check=True)
    assert (tmp_path / "x.db-wal").exists()
    first.close()
