"""Signals of a daemon, taken from its first moment on and acted on when it can act.

Light on purpose: this is loaded before all that takes time to load, so that a signal meanwhile is not lost and does not
end the process where it stands.
"""

import signal
from collections.abc import Callable


class Signals:
    """What the process was told to do: SIGTERM and SIGINT to stop, SIGHUP to reload.

    A stop that was asked for stays asked for. Reloads that are asked for before one is done are one.
    """

    def __init__(self) -> None:
        self._stop = False
        self._reload = False
        self._wake: Callable[[], object] | None = None

    def install(self) -> None:
        """Takes the signals from here on."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, *_: object) -> None:
        self._stop = True
        self._tell()

    def _on_reload(self, *_: object) -> None:
        self._reload = True
        self._tell()

    def _tell(self) -> None:
        if self._wake is not None:
            self._wake()

    def attend(self, wake: Callable[[], object]) -> None:
        """Has ``wake`` called at each signal from here on, in the main thread between any two steps of it.

        It is called at once where something is asked for already.
        """
        self._wake = wake
        if self._stop or self._reload:
            wake()

    @property
    def stop_asked(self) -> bool:
        """Whether to stop."""
        return self._stop

    def take_reload(self) -> bool:
        """Returns whether to reload, and takes it as done."""
        asked, self._reload = self._reload, False
        return asked
