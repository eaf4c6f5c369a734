"""How many subscriptions there may be, in all and of one watcher. A list counts by its entries."""

from __future__ import annotations

from bridge.model.sharded import Sharded
from transports.sip.machine.admission import Refused
from transports.sip.machine.config import Limits


class Quota:
    """What is there, counted."""

    __slots__ = ("_limits", "_of", "_size")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._of: Sharded[str, int] = Sharded()
        self._size = 0

    def watchers(self) -> list[str]:
        """Returns who has any."""
        return list(self._of)

    def has_any(self, watcher: str) -> bool:
        """Whether a watcher has any."""
        return watcher in self._of

    def refusal(self, watcher: str, more: int) -> Refused | None:
        """Returns why a watcher may not have so many more; None where they may."""
        limits, mine = self._limits, self._of.get(watcher, 0)
        if more > 0 and (self._size + more > limits.subscriptions or mine + more > limits.subscriptions_per_watcher):
            return 503, "Too many subscriptions", (("Retry-After", str(limits.retry_after)),)
        return None

    def count(self, watcher: str, more: int) -> None:
        """Counts some more of a watcher, or some less."""
        self._size += more
        count = self._of.get(watcher, 0) + more
        if count:
            self._of[watcher] = count
        else:
            del self._of[watcher]
