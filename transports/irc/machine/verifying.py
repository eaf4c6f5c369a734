"""Writing only to whom services vouch for: WHOIS first, and the message when the account is the name."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from attrs import define

from transports.common.machine.actions import SendDone
from transports.common.machine.results import failed, link_down
from transports.irc.wire.message import Message
from transports.irc.wire.native import MessageSend

MAX_WAITING = 1000


@define(eq=False)
class _Waiting:
    value: MessageSend
    key: Hashable
    until: float
    deadline: float | None


class Verifying:
    """Messages that wait for a WHOIS.

    Args:
        timeout: how long the answer may take, seconds.
        ask: takes the question; false where it cannot be asked.
        send: sends a message that may go.
        emit: takes what became of those that may not.
    """

    __slots__ = ("_accounts", "_ask", "_emit", "_send", "_timeout", "_waiting")

    def __init__(
        self,
        timeout: float,
        *,
        ask: Callable[[Message, float], bool],
        send: Callable[[MessageSend, str, Hashable, float, float | None], None],
        emit: Callable[[SendDone], None],
    ) -> None:
        self._timeout = timeout
        self._ask = ask
        self._send = send
        self._emit = emit
        self._waiting: dict[str, list[_Waiting]] = {}
        self._accounts: dict[str, str] = {}

    def send(self, value: MessageSend, nick: str, key: Hashable, now: float, deadline: float | None) -> None:
        """Sends a message to a name (canonical) once its wearer is known to be its owner."""
        if sum(map(len, self._waiting.values())) >= MAX_WAITING:
            self._fail(key, "too many wait to be verified", retryable=True)
            return
        first = nick not in self._waiting
        self._waiting.setdefault(nick, []).append(_Waiting(value, key, now + self._timeout, deadline))
        if first and not self._ask(Message(command="WHOIS", params=(nick,)), now):
            self._end(nick, "too many lines wait", retryable=True)

    def account(self, nick: str, services_account: str) -> None:
        """330: the account of somebody that we have asked for."""
        if nick in self._waiting:
            self._accounts[nick] = services_account

    def answered(self, nick: str, now: float) -> None:
        """318: all is known of somebody."""
        account = self._accounts.pop(nick, "")
        if account != nick:
            worn = f"logged in as {account}" if account else "logged in to no account"
            self._end(nick, f"unverified: who wears this name is {worn}", retryable=False)
            return
        for item in self._waiting.pop(nick, []):
            self._send(item.value, nick, item.key, now, item.deadline)

    def gone(self, nick: str) -> bool:
        """401: nobody wears the name; whether somebody waited for that."""
        if nick not in self._waiting:
            return False
        self._end(nick, "401 ERR_NOSUCHNICK", retryable=False)
        return True

    def next_deadline(self) -> float | None:
        """When the oldest question has had no answer for too long."""
        return min((items[0].until for items in self._waiting.values()), default=None)

    def expire(self, now: float) -> None:
        """Gives up what had no answer: nothing was sent."""
        for nick in [nick for nick, items in self._waiting.items() if items[0].until <= now]:
            self._end(nick, "no answer to WHOIS", retryable=True)

    def lost(self) -> None:
        """The connection is gone."""
        waiting, self._waiting = self._waiting, {}
        self._accounts.clear()
        for items in waiting.values():
            for item in items:
                text = "The connection to the network was lost before the message was sent."
                self._emit(SendDone(key=item.key, result=link_down(text)))

    def _end(self, nick: str, reason: str, *, retryable: bool) -> None:
        self._accounts.pop(nick, None)
        for item in self._waiting.pop(nick, []):
            self._fail(item.key, reason, retryable=retryable)

    def _fail(self, key: Hashable, reason: str, *, retryable: bool) -> None:
        text = "The network does not vouch for this contact's name, so the message was not sent."
        self._emit(SendDone(key=key, result=failed(reason, retryable=retryable, user_text=text)))
