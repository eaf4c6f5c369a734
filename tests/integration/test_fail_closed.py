"""A store that cannot write: the sender is told to come again, the recipient gets nothing, and the daemon lives on."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from bridge.store.database import BUSY_SECONDS
from tests.integration.wire import NoAnswer, Phone
from tests.kit.daemon import BridgeProcess, Person, until

PEOPLE = [Person(user="alice"), Person(user="bob")]
Failing = Callable[[BridgeProcess], AbstractContextManager[None]]
_MEGABYTE = 1 << 20
_DISK = 24 * _MEGABYTE


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small disk on which all of the daemon lies, its log too; an ordinary folder where none may be mounted."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "none", str(tmp_path)], capture_output=True, check=False
    )
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    try:
        yield tmp_path
    finally:
        if done.returncode == 0:
            subprocess.run(["umount", "-l", str(tmp_path)], check=True)


@pytest.fixture
def bridge(disk: Path) -> Iterator[BridgeProcess]:
    with BridgeProcess(PEOPLE) as process:
        yield process
        assert process.alive()


@pytest.fixture
def alice(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "alice") as phone:
        assert phone.register().status == 200
        yield phone


@pytest.fixture
def bob(bridge: BridgeProcess) -> Iterator[Phone]:
    with Phone(bridge, "bob") as phone:
        assert phone.register().status == 200
        yield phone


@contextmanager
def full_disk(bridge: BridgeProcess) -> Iterator[None]:
    """Fills the disk to the last byte."""
    if not os.path.ismount(bridge.folder.parent):
        pytest.skip("no disk of our own may be mounted here")
    ballast = bridge.folder.parent / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (_MEGABYTE, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"x" * size):
                    pass
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def no_file_may_grow(bridge: BridgeProcess) -> Iterator[None]:
    """Every write of the daemon to a file fails, that of its log too."""
    before = resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(bridge.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def another_holds_the_lock(bridge: BridgeProcess) -> Iterator[None]:
    """Another process is in a transaction, and stays there."""
    other = sqlite3.connect(bridge.home().database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def the_table_takes_nothing(bridge: BridgeProcess) -> Iterator[None]:
    """The database is there, and refuses each row of the log."""
    _sql(bridge, "CREATE TRIGGER broken BEFORE INSERT ON leaf BEGIN SELECT RAISE(FAIL, 'it is broken'); END")
    try:
        yield
    finally:
        _sql(bridge, "DROP TRIGGER broken")


def _sql(bridge: BridgeProcess, statement: str) -> None:
    connection = sqlite3.connect(bridge.home().database, isolation_level=None)
    connection.execute(statement)
    connection.close()


FAILURES: list[Failing] = [full_disk, no_file_may_grow, another_holds_the_lock, the_table_takes_nothing]


@pytest.fixture(params=FAILURES, ids=lambda failing: failing.__name__)
def failing(request: pytest.FixtureRequest) -> Failing:
    made: Failing = request.param
    return made


def refused(alice: Phone, text: str) -> None:
    uri = f"sip:bob@{alice.domain}"
    alice.send(alice.build("MESSAGE", uri, [("Content-Type", "text/plain")], text.encode()))
    response = alice.final(BUSY_SECONDS + 10)
    assert response.status == 503, response.to_bytes()
    assert 1 <= int(response.first("Retry-After") or "0") <= 60


def nothing_comes(bob: Phone) -> None:
    with pytest.raises(NoAnswer):
        pytest.fail(f"there came {bob.text(0.3)}")


def test_come_again_and_nothing_leaks(bridge: BridgeProcess, alice: Phone, bob: Phone, failing: Failing) -> None:
    assert alice.message("bob", "before").status == 202
    assert bob.text()[1] == "before"
    pid = bridge.pid
    with failing(bridge):
        for number in range(3):
            refused(alice, f"lost {number}")
        nothing_comes(bob)
        assert bridge.alive()
        assert bridge.status()["messages"]["unrecorded"] >= 3
        bob.send(bob.build("REGISTER", f"sip:{bob.domain}", [("Contact", f"<{bob.contact}>;expires=3600")]))
        kept = bob.final(BUSY_SECONDS + 10).status
        assert kept in ({200} if failing is the_table_takes_nothing else {500, 503})
    assert alice.message("bob", "after").status == 202
    assert bob.text()[1] == "after"
    assert (bridge.alive(), bridge.pid) == (True, pid)
    texts = [getattr(found.record.envelope.body, "text", "") for found in bridge.records() if found.record.envelope]
    assert texts == ["before", "after"]
    until(lambda: bridge.audit("verify")["ok"], 10.0, "a log that holds")


def test_what_has_happened_is_on_record_once_it_can_be(
    bridge: BridgeProcess, alice: Phone, bob: Phone, failing: Failing
) -> None:
    assert alice.message("bob", "on its way").status == 202
    request = bob.receive()
    with failing(bridge):
        refused(alice, "lost")  # so it has begun to fail
        bob.reply(request, 200)  # type: ignore[arg-type]  # nothing else comes to bob here
        until(lambda: bridge.status()["queues"]["waiting"] == 0, 10.0, "the delivery")
        assert bridge.alive()
    until(lambda: [found.row.event for found in bridge.records()].count("outcome") == 1, 15.0, "its outcome")
    with contextlib.suppress(NoAnswer):
        while True:
            bob.receive(0.1)  # sent again while there was no answer
    bridge.restart()
    nothing_comes(bob)
    assert [found.row.event for found in bridge.records()].count("outcome") == 1
    assert bridge.audit("verify")["ok"]


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Makes a file one that cannot be written to, by root neither where the file system knows that."""
    flag = os.geteuid() == 0
    if flag and subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False).returncode != 0:
        pytest.skip("root may write to every file here")
    path.chmod(0o400) if not flag else None
    try:
        yield
    finally:
        if flag:
            subprocess.run(["chattr", "-i", str(path)], check=True)
        else:
            path.chmod(0o600)


def test_a_database_that_is_read_only_is_told_at_the_start() -> None:
    with BridgeProcess(PEOPLE) as bridge:
        with Phone(bridge, "alice") as alice:
            assert alice.register().status == 200
        assert bridge.terminate() == 0
        with immutable(bridge.home().database):
            command = ["-m", "bridge", "run", "--config", str(bridge.config)]
            done = _run(bridge, command)
            assert done.returncode == 2, done.stderr
            (said,) = [line for line in done.stderr.splitlines() if line.startswith("simplebridge: ")]
            assert "readonly database" in said
            assert "Traceback" not in done.stderr
        bridge.start()
        assert bridge.audit("verify")["ok"]


def _run(bridge: BridgeProcess, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=bridge.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_a_database_that_becomes_read_only() -> None:
    with BridgeProcess(PEOPLE) as bridge, Phone(bridge, "alice") as alice, Phone(bridge, "bob") as bob:
        assert (alice.register().status, bob.register().status) == (200, 200)
        assert alice.message("bob", "before").status == 202
        assert bob.text()[1] == "before"
        wal = bridge.home().database.with_name("bridge.db-wal")
        with immutable(wal):
            if os.geteuid() != 0:
                pytest.skip("whoever has opened a file may go on writing to it")
            refused(alice, "lost")
            nothing_comes(bob)
        assert alice.message("bob", "after").status == 202
        assert bob.text()[1] == "after"
        assert bridge.audit("verify")["ok"]
