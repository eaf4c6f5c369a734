"""SIGTERM, Ctrl-C and a terminal that is closed end the demonstration.

At any moment but those in which a child would be left behind.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from attrs import define, field

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """A signal has come. No `Exception`: nothing but the end of the program is to catch it."""


@define(eq=False)
class Signals:
    """Turns the first signal into `Stopped`; later ones are ignored, so that the stopping is not stopped."""

    _held: int = field(init=False, default=0)
    _came: bool = field(init=False, default=False)

    def install(self) -> None:
        """Begins."""
        for number in _NUMBERS:
            signal.signal(number, self._on_signal)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps a signal back until the end of the block: what is begun in it is noted before anything stops."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
        if self._came and not self._held:
            self._stop()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
        if not self._held:
            self._stop()

    def _stop(self) -> None:
        for number in _NUMBERS:
            signal.signal(number, signal.SIG_IGN)
        self._came = False
        raise Stopped


SIGNALS = Signals()
"""Of this process."""
