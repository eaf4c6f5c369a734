"""``python -m tests.bench.bench_sessions KIND COUNT``: so many accounts signed on at once in this process.

KIND is a rig of the conformance suite (aim, icq, loopback ..). The server is a process of its own. Told are the time
from the first sign-on to the last, memory for each session, what they cost while nothing happens, one message of each,
and how long it takes until all are back after the server's connections broke.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from bridge.runtime.reactor import install

reactor: Any = install()

from twisted.internet.defer import Deferred  # noqa: E402
from twisted.internet.task import deferLater  # noqa: E402
from twisted.python.failure import Failure  # noqa: E402

from bridge.app.registry import KINDS  # noqa: E402
from bridge.identity.secret import Secret  # noqa: E402
from bridge.model.capabilities import LinkState  # noqa: E402
from tests.conformance.rigs import RIGS  # noqa: E402
from tests.kit.conformance.rig import Rig  # noqa: E402
from tests.kit.conformance.stage import ONLINE, Stage, thread  # noqa: E402

RATE = 200.0
LIMIT = 600.0
"""Seconds after which the benchmark gives up."""
IDLE = 10.0


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def reached(condition: Callable[[], bool]) -> float:
    """Seconds until a condition holds; raises TimeoutError after `LIMIT`."""
    begun = time.perf_counter()
    while not condition():
        if time.perf_counter() - begun > LIMIT:
            raise TimeoutError(f"not reached in {LIMIT:.0f} s")
        await deferLater(reactor, 0.02)
    return time.perf_counter() - begun


class Direct(Stage):
    """Straight to the server, and as fast as `RATE` allows."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(rig)
        section = rig.section(*rig.server)
        lines = [line for line in section.splitlines() if not line.startswith("sign_ons_per_second")]
        old = rig.section("127.0.0.1", self.proxy.port)
        self.configure(self.text.replace(old, "\n".join([*lines, f"sign_ons_per_second = {RATE}"])))


async def run(rig: Rig, count: int) -> None:
    """Measures, and prints a line for each number."""
    logins = await thread(rig.add_accounts, count)
    stage = Direct(rig)
    await stage.start()
    gc.collect()
    before, cpu = resident(), time.process_time()
    for login in logins:
        stage.network.sign_on(stage.normal(login.name), Secret(login.password), ONLINE)
    states = stage.network.states

    def up() -> int:
        return sum(state is LinkState.UP for state in states().values())

    took = await reached(lambda: up() == count)
    print(f"{count} sign-ons: {took:.1f} s ({count / took:.0f}/s, allowed {RATE:.0f}/s), "
          f"{(time.process_time() - cpu) / count * 1e3:.2f} ms CPU each")  # fmt: skip
    gc.collect()
    print(f"memory: {(resident() - before) / count / 1024:.1f} KiB a session, {resident() / 2**20:.0f} MiB in all")
    cpu = time.process_time()
    await deferLater(reactor, IDLE)
    print(f"idle: {(time.process_time() - cpu) / IDLE * 100:.2f} % of a core for all of them")
    await messages(stage, [stage.normal(login.name) for login in logins])
    rig.stop_server()
    await reached(lambda: up() == 0)
    rig.start_server()
    print(f"all lost and back: {await reached(lambda: up() == count):.1f} s after the server is there again")
    await stage.stop()


async def messages(stage: Stage, accounts: list[str]) -> None:
    """One message of each account to the next one."""
    cpu, begun = time.process_time(), time.perf_counter()
    sendings = [
        sending
        for number, account in enumerate(accounts)
        for sending in stage.post(account, accounts[(number + 1) % len(accounts)], f"number {number}")
    ]
    await reached(lambda: all(sending.results for sending in sendings))
    took = time.perf_counter() - begun
    well = sum(sending.results[0].failure is None for sending in sendings)
    # IRC takes in nothing from an account of ours: what it says is on record where it was said.
    heard = 0 if stage.rig.kind == "irc" else well
    await reached(lambda: len(stage.texts()) >= heard)
    print(f"{len(sendings)} messages, one of each account: {took:.2f} s, {well} well, {heard} heard, "
          f"{(time.process_time() - cpu) / len(sendings) * 1e3:.2f} ms CPU each")  # fmt: skip


def main(arguments: list[str]) -> int:
    """Runs; gives the exit status."""
    if len(arguments) != 2 or arguments[0] not in RIGS or not arguments[1].isdigit():
        print(f"usage: bench_sessions {{{','.join(RIGS)}}} COUNT   (kinds: {', '.join(KINDS)})", file=sys.stderr)
        return 2
    status: list[int] = []

    def failed(failure: Failure) -> None:
        failure.printTraceback()  # type: ignore[no-untyped-call]
        status.append(1)

    with RIGS[arguments[0]]() as rig:

        def begin() -> None:
            work = Deferred.fromCoroutine(run(rig, int(arguments[1])))
            work.addCallbacks(lambda _: status.append(0), failed)
            work.addBoth(lambda _: reactor.stop())

        reactor.callWhenRunning(begin)
        reactor.run()
    return status[0] if status else 1  # stopped from outside


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
