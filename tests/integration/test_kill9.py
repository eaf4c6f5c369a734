"""``kill -9`` of the daemon at random moments under load: nothing that was answered 202 is lost.

On the way in from AIM a message is safe from the moment when it is on record: AIM's servers hand it over and forget it,
and no acknowledgement reaches from end to end. What a server takes while the bridge is away is its own to keep or lose.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import define, field

from bridge.compliance.files import CHECKPOINT
from bridge.compliance.query import Found
from bridge.model.body import Message
from tests.integration.talkers import Talker, Way
from tests.kit.aim import ALICE, aim_world, wait_links_up
from tests.kit.daemon import BridgeProcess, DaemonError, Person, until
from tests.kit.oscar_server.process import OscarServerProcess, OscarUserProcess

KILLS = int(os.environ.get("SIMPLEBRIDGE_KILLS", "10"))
"""The acceptance's count is 100."""
SEED = int(os.environ.get("SIMPLEBRIDGE_SEED", "0")) or random.randrange(1, 1 << 32)
LONGEST = 1.2
"""Seconds of life after a start, at most."""
AIM_INTERVAL = 0.05
DRAIN = 120.0
BOOGYMAN = "theboogyman@aim.corp.example"


@define(eq=False)
class Stage:
    """All who take part."""

    bridge: BridgeProcess
    network: OscarServerProcess
    boogyman: OscarUserProcess
    talkers: list[Talker]
    posting: threading.Event = field(factory=threading.Event)
    posted: int = 0
    _ended: threading.Event = field(factory=threading.Event)
    _poster: threading.Thread | None = None

    def start(self) -> None:
        for talker in self.talkers:
            talker.start()
        for talker in self.talkers:
            talker.writing.set()
        self._poster = threading.Thread(target=self._post, name="poster", daemon=True)
        self._poster.start()

    def _post(self) -> None:
        """Writes from AIM to alice, at a steady pace, whether she is signed on or not."""
        while not self._ended.wait(AIM_INTERVAL):
            self.boogyman.post("alicework", f"in {self.posted}")
            self.posted += 1

    def quiet(self) -> None:
        """Stops writing, and waits until everything has found its end."""
        self._ended.set()
        assert self._poster is not None
        self._poster.join(10)
        for talker in self.talkers:
            talker.writing.clear()
        until(lambda: not any(talker.unanswered() for talker in self.talkers), DRAIN, "an answer to each message")
        until(lambda: self.bridge.status()["queues"]["waiting"] == 0, DRAIN, "the end of the queues")

    def stop(self) -> None:
        self._ended.set()
        with ExitStack() as stack:
            for talker in self.talkers:
                stack.callback(talker.stop)

    def ways(self) -> Iterator[tuple[Talker, Way]]:
        for talker in self.talkers:
            for way in talker.ways:
                yield talker, way


@pytest.fixture
def stage() -> Iterator[Stage]:
    with aim_world([ALICE, *map(_person, ("bob", "carol", "dave"))]) as world:
        bridge = world.bridge
        talkers = [
            Talker(bridge, "alice", Way("bob", "a-b"), Way(BOOGYMAN, "out")),
            Talker(bridge, "bob", Way("alice", "b-a")),
            # Many at once: what is being written, being sent and being settled at the moment of the kill.
            Talker(bridge, "carol", Way("dave", "c-d", window=16, interval=0.01)),
            Talker(bridge, "dave", Way("carol", "d-c", window=16, interval=0.01)),
        ]
        made = Stage(bridge, world.server, world.friend, talkers)
        try:
            yield made
        finally:
            made.stop()


def _person(user: str) -> Person:
    return Person(user=user)


@pytest.mark.slow
def test_kill_9_under_load_loses_nothing(stage: Stage, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    bridge = stage.bridge
    stage.start()
    kept: list[str] = []
    leaves = 0
    for turn in range(KILLS):
        if turn % 4 == 3:
            _kill_as_it_starts(bridge, chance.uniform(0.3, 2.5))
        else:
            if turn:
                bridge.start()
            time.sleep(chance.uniform(0.0, LONGEST))  # when to kill it, not what to wait for
            bridge.kill9()
        report = json.loads(bridge.cli("audit", "verify", "--json", *kept, check=False))
        assert report["ok"], (turn, SEED, report)
        assert report["leaves"] >= leaves
        leaves = report["leaves"]
        kept = _keep(bridge, tmp_path)
    bridge.start()
    wait_links_up(bridge, 30.0)
    stage.quiet()
    bridge.restart()  # what was being settled is on record then
    assert bridge.audit("verify", *kept)["ok"], SEED
    told = Told(stage, bridge.records())
    print(told.summary(leaves))
    told.check()


def _kill_as_it_starts(bridge: BridgeProcess, seconds: float) -> None:
    """Kills a daemon that is reading what waits, or has just begun to deliver it."""
    before = bridge.process

    def kill() -> None:
        until(lambda: bridge.process is not before, 10.0, "a new process")
        time.sleep(seconds)
        bridge.kill9()

    killer = threading.Thread(target=kill, name="killer")
    killer.start()
    with contextlib.suppress(DaemonError):
        bridge.start()
    killer.join()


def _keep(bridge: BridgeProcess, folder: Path) -> list[str]:
    """Copies the checkpoint, as an auditor elsewhere would; returns the option that names it."""
    published = bridge.data / "log" / CHECKPOINT
    if not published.exists():
        return []
    copy = folder / "kept"
    copy.write_bytes(published.read_bytes())
    return ["--checkpoint", str(copy)]


class Told:
    """What everybody says of it afterwards: senders, recipients and the record."""

    def __init__(self, stage: Stage, records: list[Found]) -> None:
        self.stage = stage
        self.arrived: dict[str, list[str]] = {
            talker.phone.user: [text for _, text in talker.received] for talker in stage.talkers
        }
        self.arrived["theboogyman"] = [str(event["text"]) for event in stage.boogyman.messages()]
        self.events: dict[str, list[str]] = defaultdict(list)
        """Each text's messages on record."""
        self.outcomes: dict[str, list[dict[str, object]]] = defaultdict(list)
        for found in records:
            assert not found.problem, found
            envelope = found.record.envelope
            if found.row.event == "intake" and envelope is not None and isinstance(envelope.body, Message):
                self.events[envelope.body.text].append(str(envelope.id))
            elif found.row.event == "outcome":
                self.outcomes[str(found.row.msg_id)] += found.record.fields["outcome"]

    def summary(self, leaves: int) -> str:
        sent = sum(len(way.sent) for _, way in self.stage.ways())
        accepted = sum(len(way.accepted()) for _, way in self.stage.ways())
        again = sum(one.copies > 1 for _, way in self.stage.ways() for one in way.sent)
        codes = Counter(str(one["code"]) for every in self.outcomes.values() for one in every)
        twice = sum(bool(one.get("maybe_duplicate")) for every in self.outcomes.values() for one in every)
        copies = sum(sum(Counter(texts).values()) - len(set(texts)) for texts in self.arrived.values())
        inward = sum(text.startswith("in ") for text in self.events)
        return (
            f"seed {SEED}: {KILLS} kills, {leaves} leaves; {sent} written, {accepted} answered 202, "
            f"{again} sent again; "
            f"{self.stage.posted} posted on AIM, {inward} of them on record; "
            f"outcomes {dict(codes)}, {twice} marked maybe_duplicate; {copies} extra copies arrived"
        )

    def check(self) -> None:
        for talker, way in self.stage.ways():
            assert talker.other == [], (talker.phone.user, talker.other)
            assert len(way.accepted()) == len(way.sent) > 0
            to = way.to.partition("@")[0]
            self._arrived(way, self.arrived[to])
            if way.window == 1:
                self._in_order(way.name, self.arrived[to])
        inward = [text for text in self.events if text.startswith("in ")]
        assert inward
        got = Counter(self.arrived["alice"])
        assert [text for text in inward if not got[text]] == []
        for text in inward:
            self._copies(text, got[text], again=False)
        self._in_order("in", self.arrived["alice"])
        self._settled()

    def _arrived(self, way: Way, texts: list[str]) -> None:
        got = Counter(texts)
        lost = [sent.text for sent in way.accepted() if not got[sent.text]]
        assert lost == [], (SEED, way.name, lost, [(text, self.events[text]) for text in lost])
        for sent in way.sent:
            self._copies(sent.text, got[sent.text], again=sent.copies > 1)

    def _copies(self, text: str, count: int, *, again: bool) -> None:
        """More copies than one come of a sender who had no answer, or are marked in their outcome."""
        events = self.events[text]
        assert len(events) == 1 or again, (SEED, text, events)
        if count > len(events):
            marks = [bool(one.get("maybe_duplicate")) for event in events for one in self.outcomes[event]]
            assert any(marks), (SEED, text, count, events, [self.outcomes[event] for event in events])

    @staticmethod
    def _in_order(name: str, texts: list[str]) -> None:
        first = list(dict.fromkeys(text for text in texts if text.startswith(f"{name} ")))
        numbers = [int(text.rpartition(" ")[2]) for text in first]
        wrong = [(here, there) for here, there in zip(numbers, sorted(numbers), strict=True) if here != there]
        assert wrong == [], (SEED, name, wrong[:9])

    def _settled(self) -> None:
        """Every message on record has one outcome: received = delivered + failed + expired + unknown."""
        for text, events in self.events.items():
            for event in events:
                assert len(self.outcomes[event]) == 1, (SEED, text, event, self.outcomes[event])
