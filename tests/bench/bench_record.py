"""Measures the record: durable records per second at 1, 16 and 256 in flight, and the CPU time that one costs.

``run()`` returns the numbers; run as a program it prints them. Group commit is compared with one commit per record in
the same run. ``busy`` repeats the widest case beside a thread that does what a reactor does: small pieces of Python
between system calls.
"""

import json
import os
import queue
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridge.compliance import record
from bridge.compliance.keys import Keyring
from bridge.delivery.ports import CommitFailed, Entry, OutboxItem
from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Message, TextPart
from bridge.model.envelope import Direction, Envelope, Origin
from bridge.model.ids import (
    SIP,
    EventId,
    EventIdMint,
    IdempotencyKey,
    NetworkId,
    PersonId,
    RemoteConversationId,
    RemoteMessageId,
    RemoteUserId,
)
from bridge.store.journal import GroupCommitJournal
from bridge.store.writer import LogWriter

TEXT = "Could you send me the figures for the third quarter before lunch? The board meets at two o'clock today."
AIM = NetworkId("aim")
DIGEST = "5e" * 32
USERS = 1000


def _entries(count: int) -> list[Entry]:
    mint = EventIdMint(time.time, os.urandom)
    return [_entry(mint(), number) for number in range(count)]


def _entry(event: EventId, number: int) -> Entry:
    user = f"user{number % USERS}@corp.example"
    envelope = Envelope(
        id=event,
        origin=Origin(
            network=SIP, account=user, remote_id=RemoteMessageId(f"{number:x}@192.0.2.1"), user_agent="softphone/1.0"
        ),
        conversation=ConversationKey(
            network=AIM, remote_id=RemoteConversationId("theboogyman"), receiver=RemoteUserId(user)
        ),
        sender=Identity(
            address=Address(network=SIP, user=RemoteUserId(user)), person=PersonId(user), display_name="A. User"
        ),
        recipients=(Identity(address=Address(network=AIM, user=RemoteUserId(f"contact{number % USERS}"))),),
        direction=Direction.OUTBOUND,
        received_at=time.time(),
        body=Message(parts=(TextPart(text=TEXT),)),
    )
    return Entry(
        records=(
            record.intake(envelope, identity_version=7),
            record.decision(
                event,
                effect="allow",
                deciding="sales-on-aim",
                matched=("sales-on-aim",),
                reason_code="rule",
                policy_digest=DIGEST,
            ),
        ),
        enqueue=(
            OutboxItem(
                key=IdempotencyKey(f"{event}/0"),
                event=event,
                lane=f"aim/contact{number % USERS}",
                network=AIM,
                account="ouraccount",
                recipient=f"contact{number % USERS}",
                expires_at=time.time() + 3600,
            ),
        ),
    )


class _Loop:
    """A thread's worth of reactor: runs what is called from the journal's thread."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def call(self, function: Callable[[], None]) -> None:
        self._calls.put(function)

    def run_until(self, finished: Callable[[], bool]) -> None:
        while not finished():
            self._calls.get(timeout=30)()


def _drive(journal: GroupCommitJournal, loop: _Loop, entries: list[Entry], in_flight: int) -> tuple[float, float]:
    waiting = iter(entries)
    done = 0

    def answered(result: object) -> None:
        nonlocal done
        if isinstance(result, CommitFailed):
            raise SystemExit(f"a commit failed: {result.reason}")
        done += 1
        following = next(waiting, None)
        if following is not None:
            journal.commit(following, answered)

    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(min(in_flight, len(entries))):
        journal.commit(next(waiting), answered)
    loop.run_until(lambda: done == len(entries))
    return time.perf_counter() - wall, time.process_time() - cpu


def _measure(folder: Path, name: str, entries: list[Entry], in_flight: int, max_batch: int = 1024) -> dict[str, Any]:
    loop = _Loop()
    writer = LogWriter(folder / f"{name}.db", Keyring.ephemeral(), log_name="bench")
    journal = GroupCommitJournal(writer, loop.call, max_batch=max_batch)
    journal.start()
    _drive(journal, loop, _entries(64), in_flight)
    wall, cpu = _drive(journal, loop, entries, in_flight)
    stats = journal.stats()
    journal.close()
    records = sum(len(entry.records) for entry in entries)
    return {
        "entries_per_second": round(len(entries) / wall),
        "records_per_second": round(records / wall),
        "cpu_us_per_entry": round(cpu / len(entries) * 1e6, 2),
        "entries_per_batch": round(stats.entries / stats.batches, 1),
    }


def _busy(folder: Path, entries: list[Entry]) -> dict[str, Any]:
    """The journal beside a busy reactor: how much of its own work each gets done."""
    stop = False
    rounds = 0

    def reactor_like() -> None:
        nonlocal rounds
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            own = sock.getsockname()
            while not stop:
                total = 0
                for number in range(300):
                    total += number
                sock.sendto(b"x" * 300, own)
                sock.recvfrom(2048)
                rounds += 1

    thread = threading.Thread(target=reactor_like)
    thread.start()
    try:
        started = time.perf_counter()
        result = _measure(folder, "busy", entries, 256)
        result["reactor_rounds_per_second"] = round(rounds / (time.perf_counter() - started))
    finally:
        stop = True
        thread.join()
    del result["cpu_us_per_entry"]  # the other thread's time is in it
    return result


def _cpu_alone(count: int) -> dict[str, float]:
    """What the parts cost without the disk: leaves alone, and with sealing."""
    from bridge.compliance.log import Appender

    entries = _entries(count)
    appender = Appender("bench/0", Keyring.ephemeral())
    started = time.process_time()
    batch = appender.begin(time.time())
    for entry in entries:
        batch.add(entry.records)
    sealed = time.process_time() - started
    started = time.process_time()
    batch = appender.begin(time.time())
    for entry in entries:
        batch.add(entry.records[1:])
    plain = time.process_time() - started
    return {
        "prepare_us_per_intake_and_decision": round(sealed / count * 1e6, 2),
        "leaves_per_second_without_sealing": round(count / plain),
    }


def _ratio(grouped: dict[str, Any], single: dict[str, Any]) -> float:
    return round(float(grouped["entries_per_second"] / single["entries_per_second"]), 1)


def run(scale: float = 1.0) -> dict[str, Any]:
    """Returns the numbers. ``scale`` makes the run longer or shorter (1.0: some ten seconds)."""
    with tempfile.TemporaryDirectory(prefix="simplebridge-bench-") as name:
        folder = Path(name)

        def sized(count: int) -> list[Entry]:
            return _entries(max(64, int(count * scale)))

        out: dict[str, Any] = _cpu_alone(max(64, int(20000 * scale)))
        for in_flight, count in ((1, 1000), (16, 10000), (256, 40000)):
            out[f"in_flight_{in_flight}"] = _measure(folder, f"flight{in_flight}", sized(count), in_flight)
        out["one_commit_per_entry"] = _measure(folder, "single", sized(1500), 256, max_batch=1)
        out["busy_256"] = _busy(folder, sized(20000))
        out["group_commit_ratio"] = _ratio(out["in_flight_256"], out["one_commit_per_entry"])
        plain = [Entry(records=entry.records[1:]) for entry in sized(40000)]
        out["unsealed_256"] = _measure(folder, "plain", plain, 256)
        out["unsealed_one_commit_each"] = _measure(folder, "plainsingle", plain[:1500], 256, max_batch=1)
        out["group_commit_ratio_unsealed"] = _ratio(out["unsealed_256"], out["unsealed_one_commit_each"])
        return out


if __name__ == "__main__":
    print(json.dumps(run(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0), indent=2))
