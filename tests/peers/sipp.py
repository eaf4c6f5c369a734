"""SIPp with the scenarios of tests/peers/sipp: load and bulk senders and receivers."""

from __future__ import annotations

import contextlib
import csv
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import attrs

from tests.kit.ports import free_port
from tests.peers.process import Child, PeerError, PeerExited, PeerTimeout, find_program, port_is_bound

SCENARIOS = Path(__file__).parent / "sipp"
_ENDS = {0, 1, 99}  # all calls successful, some failed, none made
_BODY = re.compile(r"^<(.*?)>$", re.MULTILINE | re.DOTALL)


@attrs.frozen(kw_only=True)
class SippStats:
    """Cumulative numbers of a run, from SIPp's own statistics file. Times in seconds, as fine as
    SIPp's clock of a millisecond."""

    created: int
    successful: int
    failed: int
    retransmissions: int
    elapsed: float
    response_time_mean: float


class Sipp:
    """One run of a scenario.

    Args:
        scenario: the name of a file in tests/peers/sipp without its ending, or a path.
        host, port: whom requests go to; a receiver takes them as well and does not use them.
        rows: the injected CSV, taken in turn and from the start again; the scenario's head says the fields.
        calls: how many calls in all; None for a receiver that runs until it is stopped.
        rate: new calls per second.
        limit: calls at one time; 1 keeps the sequence.
        auth_uri: the digest uri; without it SIPp writes `sip:HOST:PORT`, whatever the Request-URI.
    """

    def __init__(
        self,
        scenario: str | Path,
        *,
        host: str,
        port: int,
        rows: Sequence[Sequence[str]] = (),
        transport: str = "udp",
        local_port: int | None = None,
        calls: int | None = None,
        rate: float = 10.0,
        limit: int | None = None,
        auth_uri: str | None = None,
    ) -> None:
        self.scenario = Path(scenario) if isinstance(scenario, Path) else SCENARIOS / f"{scenario}.xml"
        self.local_port = local_port or free_port()
        self.transport = transport
        self.directory = Path(tempfile.mkdtemp(prefix="peer-sipp-"))
        self._argv = [
            find_program("sipp", "sip-tester"),
            f"{host}:{port}",
            *("-sf", str(self.scenario), "-i", "127.0.0.1", "-p", str(self.local_port)),
            *("-t", "t1" if transport == "tcp" else "u1"),
            *("-r", f"{rate:g}", "-nostdin", "-cid_str", "%u-%p-%s"),
            *("-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_logs", "-log_file", "bodies.log"),
            *("-buff_size", "4194304"),  # its 64 KiB lose datagrams
            *("-trace_err", "-error_file", "errors.log"),
        ]
        if calls is not None:
            self._argv += ["-m", str(calls)]
        if limit is not None:
            self._argv += ["-l", str(limit)]
        if auth_uri is not None:
            self._argv += ["-auth_uri", auth_uri]
        if rows:
            users = self.directory / "users.csv"
            users.write_text("SEQUENTIAL\n" + "".join(";".join(row) + "\n" for row in rows), encoding="utf-8")
            self._argv += ["-inf", str(users)]
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The process.

        Raises:
            PeerError: before `start`.
        """
        if self._child is None:
            msg = "sipp was not started"
            raise PeerError(msg)
        return self._child

    def start(self, timeout: float = 5.0) -> Self:
        """Launches SIPp and returns when its port is bound (or when it has done its work already)."""
        child = Child(self._argv, directory=self.directory, environment={"TERM": "dumb"})
        self._child = child
        with contextlib.suppress(PeerExited):  # one call may be over before its port was seen: `wait` judges its end
            child.wait(
                lambda: port_is_bound(self.local_port, self.transport) or self.transport == "tcp",
                timeout,
                f"port {self.local_port}",
            )
        return self

    def wait(self, timeout: float) -> SippStats:
        """The numbers when all calls are done.

        Raises:
            PeerExited: when SIPp broke off, for a lost TCP connection above all.
            PeerTimeout: when they are not in `timeout` seconds; the numbers so far are in the message.
        """
        end = time.monotonic() + timeout
        while self.child.running:
            if time.monotonic() >= end:
                msg = f"sipp is not done in {timeout} s: {self.stats()}"
                raise PeerTimeout(msg)
            time.sleep(0.05)
        if self.child.process.returncode not in _ENDS:
            msg = f"sipp broke off with code {self.child.process.returncode}: {self.stats()}\n{self.errors()}"
            raise PeerExited(msg)
        return self.stats()

    def stats(self) -> SippStats:
        """The numbers written last (SIPp writes them every second and at its end).

        Raises:
            PeerError: when none were written, with what SIPp printed.
        """
        path = self.directory / "stat.csv"
        rows = list(csv.DictReader(path.open(encoding="utf-8"), delimiter=";")) if path.exists() else []
        if not rows:
            msg = "sipp wrote no statistics:\n" + "\n".join(self.child.lines[-25:]) + self.errors()
            raise PeerError(msg)
        last = rows[-1]
        times = [name for name in last if name and name.startswith("ResponseTime") and "StDev" not in name]
        cumulative = next((name for name in times if name.endswith("(C)")), None)
        return SippStats(
            created=int(last["TotalCallCreated"]),
            successful=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
            elapsed=_clock(last["CurrentTime"]) - _clock(last["StartTime"]),
            response_time_mean=_seconds(last[cumulative]) if cumulative else 0.0,
        )

    def bodies(self) -> list[str]:
        """What a receiver has logged so far, in the order of arrival."""
        path = self.directory / "bodies.log"
        return _BODY.findall(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else []

    def wait_bodies(self, count: int, timeout: float) -> list[str]:
        """The logged bodies once there are `count`; raises as Child.wait does."""
        self.child.wait(lambda: len(self.bodies()) >= count, timeout, f"{count} bodies")
        return self.bodies()

    def errors(self) -> str:
        """SIPp's own account of unexpected messages."""
        path = self.directory / "errors.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def stop(self) -> int:
        """Ends SIPp (it quits by itself when asked) and removes its directory; gives the exit code."""
        try:
            return self.child.stop(ask=lambda: self.child.process.send_signal(signal.SIGUSR1))
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def credentials(user: str, password: str) -> str:
    """The field of a row that SIPp answers a challenge with; neither may hold a blank, `;` or `]`."""
    return f"[authentication username={user} password={password}]"


def _clock(text: str) -> float:
    """The third part of SIPp's times: seconds since 1970."""
    return float(text.split("\t")[2])


def _seconds(text: str) -> float:
    """Seconds of SIPp's `HH:MM:SS:micros`."""
    hours, minutes, seconds, micros = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(micros) / 1_000_000
