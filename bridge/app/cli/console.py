"""Standard output as rich writes to it."""

import sys

from rich.console import Console


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leaves it to ``main`` what a reader that has gone means."""
        raise BrokenPipeError


def console() -> Console:
    """Returns a console on standard output."""
    # Where nobody looks at a window, a program or a file reads: nothing is cut.
    return _Console(file=sys.stdout, width=None if sys.stdout.isatty() else 400)
