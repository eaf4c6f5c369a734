"""``python -m tests.fuzz``: feeds every decoder hostile input; exit 1 when one of them does what it must not do.

A failing input is written to ``var/fuzz/<target>-<hash>``; ``--only TARGET --input FILE`` feeds it again.
"""

from __future__ import annotations

import hashlib
import importlib
import multiprocessing
import secrets
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import click
from attrs import define, field

from tests.fuzz.worker import Current, Job, Result, work

FOLDER = Path(__file__).parent
_START_SECONDS = 60.0
"""How long a process may take to import its target."""
_SHOWN_LINES = 30
"""How many lines of a long traceback are shown of its begin and of its end."""


def targets() -> list[str]:
    """Returns the names of all targets."""
    return sorted(path.stem.removeprefix("fuzz_") for path in FOLDER.glob("fuzz_*.py"))


@define
class Running:
    """A target in its process."""

    job: Job
    process: BaseProcess
    answer: Connection
    started: float = field(factory=time.monotonic)

    @classmethod
    def start(cls, job: Job) -> Running:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(job, theirs), name=job.name, daemon=True)
        process.start()
        theirs.close()
        return cls(job, process, ours)

    def result(self) -> Result | None:
        """Returns the result when there is one; a process that hangs is killed, and that is its result."""
        if self.answer.poll():
            try:
                result: Result = self.answer.recv()
            except EOFError:
                self.process.join()
                result = Result(inputs=0, traceback=f"the process died with exit code {self.process.exitcode}\n")
            self.process.join()
            return result
        allowed = _START_SECONDS + self.job.seconds + 10 * self.job.limit
        if time.monotonic() - self.started > allowed:
            self.process.kill()
            self.process.join()
            return Result(inputs=0, traceback=f"the process did not end within {allowed:g} s and was killed\n")
        return None


def run_all(jobs: Sequence[Job], at_once: int, folder: Path) -> tuple[int, int]:
    """Runs the jobs, ``at_once`` at a time, and prints how each fared. Returns how many passed and how many failed."""
    waiting = list(jobs)
    running: list[Running] = []
    passed = failed = 0
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(Running.start(waiting.pop(0)))
            wait([one.answer for one in running], timeout=1.0)
            for one in list(running):
                result = one.result()
                if result is None:
                    continue
                running.remove(one)
                _report(one.job, result, folder)
                passed, failed = (passed, failed + 1) if result.traceback else (passed + 1, failed)
                one.job.current.unlink(missing_ok=True)
    finally:
        for one in running:
            one.process.kill()
            one.process.join()
    return passed, failed


def _report(job: Job, result: Result, folder: Path) -> None:
    if not result.traceback:
        print(f"ok    {job.name}: {result.inputs} inputs", flush=True)
        return
    print(f"FAIL  {job.name}: at input {result.inputs}")
    print(_shortened(result.traceback))
    if job.current.exists():
        data = Current.read(job.current)
        path = folder / f"{job.name}-{hashlib.sha256(data).hexdigest()[:16]}"
        path.write_bytes(data)
        print(f"      the input: {path} ({len(data)} bytes)")
    print(flush=True)


def _shortened(traceback: str) -> str:
    """Returns a traceback without the middle of a deep recursion."""
    lines = traceback.rstrip().splitlines()
    if len(lines) > 2 * _SHOWN_LINES:
        lines[_SHOWN_LINES:-_SHOWN_LINES] = [f"  ... {len(lines) - 2 * _SHOWN_LINES} lines ..."]
    return "\n".join(lines)


@click.command()
@click.option("--seconds", type=click.FloatRange(min=0), default=10.0, show_default=True, help="For each target.")
@click.option("--only", multiple=True, help="Only this target, such as sip_message.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Targets at once.")
@click.option("--seed", help="Makes a run again: the seed that it printed.")
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,  # the square of 32 KiB takes minutes; what is linear stays below, on slow machines too
    show_default=True,
    help="Seconds of CPU that one input may take.",
)
@click.option("--memory", default=512, show_default=True, help="MiB that a target may take.")
@click.option("--folder", type=click.Path(path_type=Path), default=Path("var/fuzz"), help="Where failing inputs go.")
@click.option("--input", "given", type=click.Path(path_type=Path, exists=True), help="Feed this file alone, once.")
def main(
    seconds: float,
    only: tuple[str, ...],
    jobs: int,
    seed: str | None,
    limit: float,
    memory: int,
    folder: Path,
    given: Path | None,
) -> None:
    """Feed every decoder changed inputs. Only documented errors may come of it, in little time and memory."""
    known = targets()
    unknown = sorted(set(only) - set(known))
    if unknown:
        raise click.BadParameter(f"no target {', '.join(unknown)}; known are {', '.join(known)}", param_hint="--only")
    chosen = [name for name in known if name in only] if only else known
    if given is not None:
        if len(chosen) != 1:
            raise click.UsageError("--input goes with one --only")
        importlib.import_module(f"tests.fuzz.fuzz_{chosen[0]}").one(given.read_bytes())
        print(f"ok    {chosen[0]}: {given}")
        return
    seed = seed or secrets.token_hex(4)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}, {seconds:g} s for each of {len(chosen)} targets", flush=True)
    passed, failed = run_all(
        [
            Job(name=name, seed=seed, seconds=seconds, limit=limit, memory=memory, current=folder / f".{name}.current")
            for name in chosen
        ],
        jobs,
        folder,
    )
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
