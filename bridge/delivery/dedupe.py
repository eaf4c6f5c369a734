"""Duplicates of incoming events: known by the network's own id of a message, across restarts too."""

from collections import OrderedDict
from collections.abc import Callable, Iterable

from bridge.delivery.ports import Intake, SeenKey

Key = tuple[str, str, str]


class Seen:
    """What was taken in a short while ago, bounded in number.

    A duplicate that comes while the first is still on its way to the disk waits for the same answer.

    Args:
        limit: how many keys are kept; beyond it the oldest go first.
    """

    def __init__(self, limit: int = 200_000) -> None:
        self.limit = limit
        self._done: OrderedDict[Key, tuple[float, Intake]] = OrderedDict()
        self._waiting: dict[Key, list[Callable[[Intake], None]]] = {}

    def load(self, keys: Iterable[tuple[SeenKey, float]]) -> None:
        """Takes what the log tells of the time before a restart: keys, and until when each is known."""
        for key, until in keys:
            answer = Intake(event=key.event, accepted=True)
            self._done[key.network, key.account, key.remote_id] = (until, answer)

    def check(self, key: Key, now: float, again: Callable[[Intake], None]) -> bool:
        """Whether an event was seen before; then ``again`` gets the answer of the first, now or when it is there."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(again)
            return True
        known = self._done.get(key)
        if known is None or known[0] <= now:
            return False
        again(known[1])
        return True

    def begin(self, key: Key) -> None:
        """Notes that an event is on its way to the disk."""
        self._waiting[key] = []

    def forget(self, key: Key) -> None:
        """Notes that an event came to no answer by a fault of ours: another try is a new one."""
        self._waiting.pop(key, None)

    def end(self, key: Key, answer: Intake, now: float, until: float) -> None:
        """Notes the answer. One that was not made durable is forgotten, so that another try can succeed."""
        done = self._done
        if answer.event is not None:
            done[key] = (until, answer)
            done.move_to_end(key)
            while len(done) > self.limit or (done and next(iter(done.values()))[0] <= now):
                done.popitem(last=False)
        for again in self._waiting.pop(key, ()):
            again(answer)
