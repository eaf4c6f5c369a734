"""``kill -9`` at random moments: what was acknowledged is there, in order, whole, and the log verifies."""

import os
import random
import signal
import time
from pathlib import Path

from bridge.compliance.verify import Kept
from bridge.store.journal import GroupCommitJournal
from bridge.store.publishing import PublisherThread, publisher_of
from tests.unit.compliance.samples import event_id
from tests.unit.store.world import Loop, World, running, sent, settled

ROUNDS = 20
IN_FLIGHT = 12


def _child(folder: Path, first: int, acknowledged: int) -> None:
    """Commits until it is killed; writes the number of each message to a pipe once it may be answered with a 202."""
    world = World(folder)
    loop = Loop()
    journal = running(world, loop)
    publisher = publisher_of(world.path, folder / "log", world.signer)
    PublisherThread(publisher, interval=0.002).start()
    number = first

    def commit() -> None:
        nonlocal number
        mine, number = number, number + 1

        def answered(result: object) -> None:
            if isinstance(result, tuple):
                os.write(acknowledged, mine.to_bytes(8, "big"))
                if mine % 2:
                    journal.commit(settled(event_id(mine), result[0].seq), lambda _: None)
            commit()

        journal.commit(sent(mine, f"message {mine}"), answered)

    for _ in range(IN_FLIGHT):
        commit()
    loop.until(lambda: False)


def _read_all(descriptor: int) -> list[int]:
    data = b""
    while piece := os.read(descriptor, 1 << 16):
        data += piece
    return [int.from_bytes(data[at : at + 8], "big") for at in range(0, len(data) - len(data) % 8, 8)]


def _run_and_kill(folder: Path, first: int, chance: random.Random) -> list[int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            _child(folder, first, writing)
        finally:
            os._exit(70)
    os.close(writing)
    head = os.read(reading, 8)  # at work
    time.sleep(chance.uniform(0.0, 0.04))  # when to kill it, not what to wait for
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    numbers = [int.from_bytes(head, "big"), *_read_all(reading)]
    os.close(reading)
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    return numbers


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    chance = random.Random(9)
    World(tmp_path).close()
    acknowledged: set[int] = set()
    first = 0
    kept: tuple[Kept, ...] = ()
    for turn in range(ROUNDS):
        acknowledged.update(_run_and_kill(tmp_path, first, chance))
        world = World(tmp_path)
        report = world.verify(kept)
        assert report.ok, (turn, report.findings)
        journal = GroupCommitJournal(world.writer, Loop().call)
        pending = journal.pending()
        assert journal.damaged == ()
        for item, licence in pending:
            assert licence.envelope is not None
            assert licence.envelope.id == item.event
        waiting = {item.event for item, _ in pending}
        on_record = {licence.msg_id for _, licence in pending} | _settled(world)
        assert {event_id(number) for number in acknowledged} <= on_record, turn
        assert {event_id(number) for number in acknowledged if number % 2 == 0} <= waiting, turn
        first = max(acknowledged) + 10 * IN_FLIGHT
        note = world.files.read_checkpoint()
        kept = () if note is None else (Kept("kept", note),)
        world.close()
    assert len(acknowledged) > ROUNDS * IN_FLIGHT


def _settled(world: World) -> set[str]:
    with world.writer.reader() as reader:
        return {str(row.msg_id) for row in reader.leaves() if row.event == "outcome"}
