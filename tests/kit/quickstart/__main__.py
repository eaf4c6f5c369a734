"""``python -m tests.kit.quickstart [--once]``: the demonstration."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bridge.app.control import ControlError
from bridge.app.errors import ERRORS
from tests.kit.json_process import ProcessError
from tests.kit.quickstart.conversation import STEPS, Conversation, Done
from tests.kit.quickstart.signals import SIGNALS, Stopped
from tests.kit.quickstart.stage import Stage
from tests.kit.quickstart.world import ALICE, BOB, BOOGYMAN, ICQ, POLL, World, WorldError, as_typed

T = TypeVar("T")
_FAILURES = (WorldError, ProcessError, ControlError, OSError, *ERRORS)
_RECORDS = 24
"""Records of the log that are shown: the last."""


class StepFailed(Exception):
    """A step was not seen to happen."""


def main(argv: Sequence[str]) -> int:
    """Runs the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make run ARGS=", description="A bridge, a network and a conversation.")
    parser.add_argument("--once", action="store_true", help="have the conversation, verify the log, and end")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="keep data here instead of in var/quickstart")
    options = parser.parse_args(argv)
    once: bool = options.once
    SIGNALS.install()
    show = Show()
    try:
        with World(fresh=once, say=show.stage.note, kept=options.data) as world:
            show.play(world, once=once)
            if once:
                show.end(world)
            else:
                stay(show.stage, world)
    except StepFailed:
        return 1
    except _FAILURES as e:
        show.stage.failed(0, "the processes of the demonstration", str(e))
        return 1
    except Stopped:
        show.stage.note("stopped")
        return 1 if once else 0
    return 0


class Show:
    """The steps one after the other, shown as they pass."""

    def __init__(self) -> None:
        self.stage = Stage()
        self._begun = time.monotonic()
        self._passed: list[tuple[str, str, float]] = []

    def step(self, title: str, do: Callable[[], T], seen: Callable[[T], Done]) -> T:
        """Does a step and shows it.

        Raises:
            StepFailed: what it waits for was not seen; that has been shown.
        """
        number, begun = len(self._passed) + 1, time.monotonic()
        try:
            with self.stage.busy(title):
                result = do()
        except _FAILURES as e:
            self.stage.failed(number, title, str(e))
            raise StepFailed(title) from e
        done, took = seen(result), time.monotonic() - begun
        self._passed.append((title, done.seen, took))
        self.stage.passed(number, title, took, done.rows)
        return result

    def play(self, world: World, *, once: bool) -> None:
        """The conversation, then the log."""
        self.stage.header(_facts(world, once=once))
        self.stage.columns()
        conversation = Conversation(world)
        for title, step in STEPS:
            self.step(title, partial(step, conversation), lambda done: done)
        conversation.hang_up()
        verified = self.step("the log is verified", lambda: _verify(world), lambda text: Done(f"exit 0: {text[:60]} …"))
        self.stage.output("simplebridge audit verify", verified.splitlines())

        def look() -> list[dict[str, Any]]:
            rows: list[dict[str, Any]] = world.json("audit", "show")
            conversation.on_record(rows)
            return rows

        rows = self.step(
            "the log is shown", look, lambda rows: Done(f"{len(rows)} records, the refused text and its reference too")
        )
        self.stage.output("simplebridge audit show", [])
        self.stage.log(rows[-_RECORDS:])

    def end(self, world: World) -> None:
        """Stops the daemon and sums up."""
        self.step("the daemon stops in order", lambda: _stopped(world), lambda _: Done("SIGTERM, exit 0"))
        self.stage.summary(self._passed)
        self.stage.note(f"all {len(self._passed)} steps were seen to happen, in {time.monotonic() - self._begun:.1f} s")


def _facts(world: World, *, once: bool) -> list[tuple[str, str]]:
    folder = f"{as_typed(world.config.bridge.data_dir)} ({'removed at the end' if once else 'kept'})"
    return [
        ("configuration", as_typed(world.config.path)),
        ("data", folder),
        ("SIP", f"{', '.join(world.status['listeners'])}   daemon, pid {world.daemon.process.pid}"),
        ("AIM and ICQ", f"{world.server.address}   an OSCAR server, pid {world.server.pid}"),
        ("people", f"alice (aim/{ALICE.screen_name}) and bob (aim/{BOB.screen_name}) at {world.config.bridge.domain}"),
        ("on the network", f"{BOOGYMAN}, and the ICQ number {ICQ}"),
        ("policy", f"{world.status['policy']['version']}, {world.status['policy']['digest'][:16]}"),
    ]


def _verify(world: World) -> str:
    done = world.command("audit", "verify")
    if done.returncode != 0:
        raise WorldError(f"audit verify ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def _stopped(world: World) -> int:
    code = world.stop_daemon()
    if code != 0:
        raise WorldError(f"the daemon stopped with exit code {code}:\n{world.daemon.tail()}")
    return code


def stay(stage: Stage, world: World) -> None:
    """Stays up for softphones; the person on AIM answers. Ends by a signal.

    Raises:
        WorldError: a process has ended.
    """
    listeners = {text.partition(":")[0]: text.partition(":")[2] for text in world.status["listeners"]}
    command = f".venv/bin/simplebridge --config {as_typed(world.config.path)}"
    stage.invitation(
        "[bold]Your turn[/]  register a softphone; Ctrl-C ends",
        [
            ("server", f"{listeners['udp']} over UDP or TCP, {listeners['tls']} over TLS"),
            ("domain", world.config.bridge.domain),
            ("users", f"{ALICE.user}, password {ALICE.password}   ·   {BOB.user}, password {BOB.password}"),
            ("write to", f"sip:{world.on_aim(BOOGYMAN)}, who answers; sip:{world.on_aim(ICQ)}, an echo"),
            ("log file", as_typed(world.daemon.log)),
        ],
        [
            f"{command} softphone {world.address(ALICE)} --to {world.on_aim(BOOGYMAN)}",
            f"{command} status",
            f"{command} audit show --since 10m",
        ],
    )
    boogyman = world.boogyman
    at = len(boogyman.events)
    while True:
        world.check()
        for event in boogyman.events[at:]:
            at += 1
            if event.get("event") == "message" and not event["auto"]:
                _answer(world, event["from"], event["text"])
        time.sleep(POLL)


def _answer(world: World, sender: str, text: str) -> None:
    world.boogyman.send_command({"do": "typing", "to": sender, "state": "typing"})
    world.boogyman.post(sender, f"Boo! 👻 You wrote: {text[:1000]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
