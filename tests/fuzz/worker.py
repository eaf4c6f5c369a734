"""One target in a process of its own: what it does to that process harms nobody else."""

from __future__ import annotations

import importlib
import mmap
import resource
import signal
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from types import FrameType

from attrs import define, frozen

from tests.fuzz.engine import MAX_BYTES, Mutator, TooSlowError, drive

_HEAD = 8


@frozen(kw_only=True)
class Job:
    """What a process is to do.

    ``limit`` is in seconds of CPU for one input, ``memory`` in MiB that the process may take beyond what it has after
    the target was imported.
    """

    name: str
    seed: str
    seconds: float
    limit: float
    memory: int
    current: Path
    """Where the input that is being fed stands, for the parent to read when this process dies."""


@frozen(kw_only=True)
class Result:
    """How a target fared; ``traceback`` is empty where it passed."""

    inputs: int
    traceback: str = ""


@define
class Current:
    """The input that is being fed, in a file that outlives the process."""

    area: mmap.mmap

    @classmethod
    def create(cls, path: Path) -> Current:
        with path.open("w+b") as file:
            file.truncate(_HEAD + MAX_BYTES)
            return cls(mmap.mmap(file.fileno(), _HEAD + MAX_BYTES))

    def put(self, data: bytes) -> None:
        data = data[:MAX_BYTES]
        self.area[:_HEAD] = len(data).to_bytes(_HEAD, "big")
        self.area[_HEAD : _HEAD + len(data)] = data

    @staticmethod
    def read(path: Path) -> bytes:
        """Returns what was put last."""
        raw = path.read_bytes()
        return raw[_HEAD : _HEAD + int.from_bytes(raw[:_HEAD], "big")]


def _cap_memory(megabytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _interrupt_slow(limit: float, feeding: Callable[[], bool]) -> None:
    """Has an input that does not end raise where it is, with a traceback that shows the loop.

    Once it has ended, an alarm that comes after all is nothing: it would end the report of what was found.
    """

    def late(_: int, __: FrameType | None) -> None:
        if not feeding():
            return
        raise TooSlowError(f"an input took more than {limit:g} s and was interrupted")

    signal.signal(signal.SIGPROF, late)


def work(job: Job, answer: Connection) -> None:
    """Runs a target and sends the result."""
    target = importlib.import_module(f"tests.fuzz.fuzz_{job.name}")
    current = Current.create(job.current)
    count = 0
    feeding = False

    def one(data: bytes) -> None:
        nonlocal feeding
        feeding = True
        try:
            target.one(data)
        finally:
            feeding = False

    def about_to(data: bytes) -> None:
        nonlocal count
        count += 1
        current.put(data)
        signal.setitimer(signal.ITIMER_PROF, job.limit * 2)

    _cap_memory(job.memory)
    _interrupt_slow(job.limit, lambda: feeding)
    try:
        mutator = Mutator(target.SEEDS, Random(f"{job.seed}/{job.name}"))
        drive(one, mutator, seconds=job.seconds, limit=job.limit, about_to=about_to)
    except Exception:  # noqa: BLE001 - whatever a target raises is what is looked for, and is reported
        answer.send(Result(inputs=count, traceback=traceback.format_exc()))
    else:
        answer.send(Result(inputs=count))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        answer.close()
