"""``audit verify`` on a log of real messages: what was changed is found and named, with exit 1; untouched, exit 0."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from bridge.compliance.files import SCRATCH
from bridge.store.schema import LOG_TABLES
from tests.integration.talkers import Talker, Way
from tests.integration.wire import Phone
from tests.kit.daemon import BridgeProcess, Person, until
from tests.unit.app.commands import Bridge, Done
from tests.unit.store.test_tamper import CELLS, _everything, _flip, _names

POLICY = """
[policy]
version = "tamper"
[lexicons.deal]
words = ["merger"]
[[rule]]
id = "deals-are-read"
effect = "hold"
lexicon = ["deal"]
[[rule]]
id = "inside"
effect = "allow"
from = ["domain:{domain}"]
to = ["domain:{domain}"]
"""
EACH = 75
OFFSETS = 150


@define
class Log:
    """A home with a log, that nobody writes to any more, and what was kept elsewhere of it."""

    folder: Path
    kept: Path
    backup: Path
    """The home as it was before the second half of the messages."""

    def copy(self, to: Path) -> Log:
        shutil.copytree(self.folder, to, ignore=shutil.ignore_patterns("*.sock"))
        return Log(to, self.kept, self.backup)

    @property
    def database(self) -> Path:
        return self.folder / "var" / "bridge.db"

    @property
    def published(self) -> Path:
        return self.folder / "var" / "log"

    def verify(self, *options: str) -> Done:
        with pytest.MonkeyPatch.context() as patch:
            return Bridge(self.folder, patch)("audit", "verify", "--json", *options)

    def findings(self, *options: str) -> list[dict[str, Any]]:
        """What verify names; the exit code says whether there is anything."""
        done = self.verify(*options)
        if "findings" in done.json:
            found: list[dict[str, Any]] = done.json["findings"]
        else:  # not even readable: said in a line, such as "the log is damaged: log_state: id: …"
            found = [{"where": done.line.split(": ")[2], "what": done.line}]
        assert done.code == (1 if found else 0), done
        return found


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Log:
    folder = tmp_path_factory.mktemp("tamper")
    people = [Person(user=user) for user in ("alice", "bob", "carol")]
    with BridgeProcess(people, policy=POLICY) as bridge:
        _talk(bridge, "first")
        assert bridge.terminate() == 0
        shutil.copytree(bridge.folder, folder / "backup")
        bridge.start()
        _talk(bridge, "second")
        assert bridge.terminate() == 0
        kept = folder / "kept"
        kept.write_text(bridge.cli("audit", "checkpoint"), "utf-8")
        log = Log(bridge.folder, kept, folder / "backup").copy(folder / "log")
    with sqlite3.connect(log.database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (leaves,) = connection.execute("SELECT sum(length(hashes)) / 32 FROM leaf").fetchone()
    connection.close()
    assert leaves > 4 * EACH * 3
    return log


_ROWS = (("leaf", "first"), ("mention", "first"), ("body", "first"), ("data_key", "first"), ("outbox", "seq"))
"""What goes with a tail that is cut off: tables, and where their rows belong."""


def _talk(bridge: BridgeProcess, name: str) -> None:
    """Hundreds of messages between two, one that is held and one that waits for somebody who is away."""
    talkers = [
        Talker(bridge, "alice", Way("bob", f"{name} to bob", window=4, interval=0.0)),
        Talker(bridge, "bob", Way("alice", f"{name} to alice", window=4, interval=0.0)),
    ]
    try:
        for talker in talkers:
            talker.start()
            talker.writing.set()
        until(lambda: all(len(talker.ways[0].sent) >= EACH for talker in talkers), 60, "the messages")
        for talker in talkers:
            talker.writing.clear()
        until(lambda: not any(talker.unanswered() for talker in talkers), 30, "their answers")
        until(lambda: bridge.status()["queues"]["sending"] == 0, 30, "the end of the deliveries")
    finally:
        for talker in talkers:
            talker.stop()
    with Phone(bridge, "alice") as alice:
        assert alice.message("bob", f"{name} merger").status == 202
        assert alice.message("carol", f"{name} and you?").status == 202


@pytest.fixture
def log(original: Log, tmp_path: Path) -> Log:
    return original.copy(tmp_path / "copy")


def test_the_untouched_log_verifies(log: Log) -> None:
    assert log.findings() == []
    assert log.findings("--checkpoint", str(log.kept)) == []


def test_a_cell_of_each_column_of_each_table(log: Log) -> None:
    chance = random.Random(4)
    missed = []
    for table, column in CELLS:
        keys = [key.name for key in next(t for t in LOG_TABLES if t.name == table).primary_key]
        where = " AND ".join(f"{key} IS ?" for key in keys)
        with _editing(log) as connection:
            rows = connection.execute(f"SELECT {column}, {', '.join(keys)} FROM {table}").fetchall()
            rows = [row for row in rows if row[0] not in {None, "", b""}]
            if not rows:
                assert (table, column) == ("kek", "destroyed_by"), "every other column has something in it"
                continue
            row = chance.choice(rows)
            changed = _flip(row[0], chance.randrange(1000))
            try:
                connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (changed, *row[1:]))
            except sqlite3.IntegrityError:
                continue  # the neighbour has that number: the database itself refuses
        connection.close()
        findings = log.findings()
        # The log's name is in each leaf as well: of the two, the one row is at odds with all of them.
        near = "leaf" if (table, column) == ("log_state", "log_id") else table
        if not any(_names(_Named(finding["where"]), near) for finding in findings):  # type: ignore[arg-type]
            missed.append((table, column, row, findings))
        now = [changed if key == column else value for key, value in zip(keys, row[1:], strict=True)]
        with _editing(log) as connection:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (row[0], *now))
        connection.close()
    assert missed == []
    assert log.findings() == []


@define
class _Named:
    where: str


def _editing(log: Log) -> sqlite3.Connection:
    connection = sqlite3.connect(log.database)
    connection.executescript("PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF")
    return connection


def test_a_byte_of_each_published_file(log: Log) -> None:
    chance = random.Random(5)
    files = [path for path in sorted(log.published.rglob("*")) if path.is_file() and SCRATCH not in path.parts]
    assert len(files) >= 8
    for path in files:
        content = path.read_bytes()
        broken = bytearray(content)
        at = chance.randrange(len(content))
        broken[at] ^= 1 << chance.randrange(8)
        path.write_bytes(broken)
        found = {finding["where"] for finding in log.findings()}
        assert str(path.relative_to(log.published)) in found, (path, at, found)
        path.write_bytes(content)
        path_gone = path.with_name(f"{path.name}.gone")
        path.rename(path_gone)
        assert log.findings() != [], path
        path_gone.rename(path)
    assert log.findings() == []


def test_bytes_anywhere_in_the_database(log: Log) -> None:
    chance = random.Random(6)
    content = log.database.read_bytes()
    before = _everything(log.database)
    assert isinstance(before, list)
    found = 0
    silent = []
    for _ in range(OFFSETS):
        at = chance.randrange(len(content))
        broken = bytearray(content)
        broken[at] ^= 1 << chance.randrange(8)
        log.database.write_bytes(broken)
        for name in ("bridge.db-wal", "bridge.db-shm"):
            log.database.with_name(name).unlink(missing_ok=True)
        if log.findings():
            found += 1
        elif _everything(log.database) != before:  # else it is where nothing is: free space, or another's table
            silent.append(at)
    assert silent == []
    assert found > OFFSETS / 4


def test_a_tail_that_was_cut_off(log: Log) -> None:
    """Rows alone: what is left names the loss by itself."""
    with _editing(log) as connection:
        for table, column in _ROWS:
            connection.execute(f"DELETE FROM {table} WHERE {column} >= 300")
    connection.close()
    assert {"log_state", "checkpoint"} <= {finding["where"] for finding in log.findings()}


def test_an_older_backup(log: Log, tmp_path: Path) -> None:
    """Rows, state, keys and files of an older day fit each other: only what was kept elsewhere tells."""
    old = Log(log.backup, log.kept, log.backup).copy(tmp_path / "old")
    assert old.findings() == []
    (finding,) = old.findings("--checkpoint", str(log.kept))
    assert finding["where"] == str(log.kept)
    assert "its tail was cut off" in finding["what"]


def test_an_older_backup_that_was_written_on(log: Log, tmp_path: Path) -> None:
    old = Log(log.backup, log.kept, log.backup).copy(tmp_path / "old")
    bridge = BridgeProcess([Person(user=user) for user in ("alice", "bob", "carol")], policy=POLICY)
    with bridge:
        assert bridge.terminate() == 0
        shutil.rmtree(bridge.data)
        shutil.copytree(old.folder / "var", bridge.data)
        bridge.start()
        _talk(bridge, "another")
        _talk(bridge, "yet another")
        assert bridge.terminate() == 0
        shutil.rmtree(old.folder / "var")
        shutil.copytree(bridge.data, old.folder / "var")
    assert old.findings() == []
    (finding,) = old.findings("--checkpoint", str(log.kept))
    assert finding["where"] == str(log.kept)
    assert "is not the one that was signed" in finding["what"]
