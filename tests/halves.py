"""All tests, in two processes side by side: ``python -m tests.halves``, which is ``make test``.

Those with daemons and peers of their own mostly wait for them; the others compute. In turn they take longer.
What the first half prints comes at once, the other's at its end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent
WAITING = frozenset({"conformance", "integration", "peers"})
NICER = 10
"""How much the half that computes gives way: the other one's programs are to answer in time."""


def halves() -> tuple[list[str], list[str]]:
    """The folders whose tests wait, and the rest: none is forgotten."""
    folders = sorted({path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")})
    return [name for name in folders if name in WAITING], [name for name in folders if name not in WAITING]


def _pytest(names: list[str], arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *arguments, *(str(TESTS / name) for name in names)]


def main(arguments: list[str]) -> int:
    """Runs them; gives the exit status: that of the half that failed."""
    waiting, computing = halves()
    with tempfile.TemporaryFile("w+b") as kept:
        other = subprocess.Popen(
            _pytest(computing, arguments),
            stdout=kept,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.nice(NICER),  # noqa: PLW1509 - nothing else runs in this process
        )
        try:
            status = subprocess.call(_pytest(waiting, arguments))
            print(f"\n=== the tests that compute: {', '.join(computing)}", flush=True)
            status = other.wait() or status
        finally:
            if other.poll() is None:
                other.terminate()
                other.wait()
            kept.seek(0)
            sys.stdout.buffer.write(kept.read())
            sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
