"""Typing notices, both ways (IRCv3 typing): they expire by themselves, and must not become a flood."""

from __future__ import annotations

from collections.abc import Callable

from transports.irc.wire.native import Typing, TypingReceived

LEAST_INTERVAL = 3.0
"""The least seconds between two notices to the same target."""
LASTS = {Typing.ACTIVE: 6.0, Typing.PAUSED: 30.0}
"""Seconds after which a state without a new word is over."""
MAX_TYPING = 256


class TypingNotices:
    """Who types to us, and to whom we have said that we do.

    Args:
        account: our name.
        emit: takes what has changed.
    """

    __slots__ = ("_account", "_emit", "_ends", "_said")

    def __init__(self, account: str, emit: Callable[[TypingReceived], None]) -> None:
        self._account = account
        self._emit = emit
        self._ends: dict[str, tuple[float, Typing]] = {}
        self._said: dict[str, tuple[float, Typing]] = {}

    def received(self, sender: str, state: Typing, now: float) -> None:
        """Somebody (canonical) types, or stops."""
        before = self._ends.pop(sender, None)
        lasts = LASTS.get(state)
        if lasts is not None and len(self._ends) < MAX_TYPING:
            self._ends[sender] = (now + lasts, state)
        elif before is None and state is Typing.DONE:
            return
        if before is None or before[1] is not state:
            self._emit(TypingReceived(account=self._account, sender=sender, state=state))

    def wrote(self, sender: str) -> None:
        """A message came: its writer types no more, and everybody sees that."""
        self._ends.pop(sender, None)

    def may_say(self, to: str, state: Typing, now: float) -> bool:
        """Whether a notice may go; it is then counted as gone."""
        before = self._said.get(to)
        if before is not None and before[1] is state and now - before[0] < LEAST_INTERVAL:
            return False
        self._said.pop(to, None)
        if len(self._said) >= MAX_TYPING:
            self._said.pop(next(iter(self._said)))
        self._said[to] = (now, state)
        return True

    def next_deadline(self) -> float | None:
        """When somebody's typing is over by itself."""
        return min((at for at, _ in self._ends.values()), default=None)

    def expire(self, now: float) -> None:
        """Ends what had no new word."""
        for sender in [sender for sender, (at, _) in self._ends.items() if at <= now]:
            del self._ends[sender]
            self._emit(TypingReceived(account=self._account, sender=sender, state=Typing.DONE))

    def lost(self) -> None:
        """The connection is gone: nobody types any more."""
        ends, self._ends = self._ends, {}
        self._said.clear()
        for sender in ends:
            self._emit(TypingReceived(account=self._account, sender=sender, state=Typing.DONE))
