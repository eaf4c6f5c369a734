"""What a message takes while another address floods: ``python -m tests.bench.attack`` prints it in milliseconds.

Alice at 127.0.0.3 writes to bob at 127.0.0.3: from the first octet sent to the text at bob's, the durable record
included. Copies are counted: a message that was sent again was lost once, in one direction.
"""

from __future__ import annotations

import contextlib
import statistics
import time

from attrs import frozen

from tests.integration.wire import NoAnswer, Phone
from tests.kit.attack import Flood
from tests.kit.daemon import BridgeProcess, Person

EVIL, GOOD = "127.0.0.2", "127.0.0.3"
SECONDS = 8.0
PAUSE = 0.01
AGAIN = 0.5


@frozen(kw_only=True)
class Figures:
    """How long messages took, in milliseconds, and how many copies there were."""

    messages: int
    median: float
    most: float
    """Of 99 in 100."""
    copies: int


def measure(alice: Phone, bob: Phone, seconds: float) -> Figures:
    """Sends one text after the other for so long."""
    took: list[float] = []
    copies = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = alice.build("MESSAGE", "sip:bob@corp.example", [("Content-Type", "text/plain")], b"%d" % len(took))
        begun = time.perf_counter()
        arrived = False
        while not arrived:
            alice.send(data)
            with contextlib.suppress(NoAnswer):
                while bob.text(AGAIN)[1] != str(len(took)):
                    pass
                arrived = True
            copies += not arrived
        took.append(time.perf_counter() - begun)
        with contextlib.suppress(NoAnswer):
            alice.final(AGAIN)
        time.sleep(PAUSE)
    took.sort()
    return Figures(
        messages=len(took),
        median=1000 * statistics.median(took),
        most=1000 * took[len(took) * 99 // 100],
        copies=copies,
    )


def run(seconds: float = SECONDS) -> dict[str, Figures]:
    """Measures before, during and after a flood of so many seconds."""
    with (
        BridgeProcess(people=[Person(user="alice"), Person(user="bob")]) as bridge,
        Phone(bridge, "alice", local=(GOOD, 0)) as alice,
        Phone(bridge, "bob", local=(GOOD, 0)) as bob,
    ):
        assert alice.register().status == bob.register().status == 200
        found = {"before": measure(alice, bob, seconds / 2)}
        with Flood((bridge.host, bridge.port), EVIL, bridge.domain, most=10_000_000, seconds=seconds) as flood:
            found["during"] = measure(alice, bob, seconds)
        print(f"{flood.sent} datagrams of {EVIL} in {seconds:g} s, {flood.received} answers")
        found["after"] = measure(alice, bob, seconds / 2)
    return found


def main() -> None:
    """Prints the figures."""
    for when, figures in run().items():
        print(
            f"{when:7} {figures.messages:5} messages, median {figures.median:6.2f} ms, 99 in 100 below "
            f"{figures.most:7.2f} ms, {figures.copies} sent again"
        )


if __name__ == "__main__":
    main()
