"""What the homeserver asks of us: pushes, which are answered once all in them is on record, and small questions.

Application Service API, "Pushing events" and "Querying". A push that was answered and comes again is known again; one
that could not be recorded is answered 503, and comes again by itself.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from attrs import define, field, frozen

from transports.matrix.machine.config import SessionConfig
from transports.matrix.wire.errors import MatrixSyntaxError
from transports.matrix.wire.events import Transaction, decode_transaction

PREFIX: Final = "/_matrix/app/v1"
KEPT: Final = 1024
"""Pushes that are known again."""
EVENTS_KEPT: Final = 16_384
HELD: Final = 8
"""Pushes that wait for sign-ons: homeservers have one under way."""


@frozen(kw_only=True)
class Asked:
    """A request of the homeserver. ``token``: of its Authorization header, or of its query; None: there is none."""

    id: int
    method: str
    path: str
    token: str | None
    body: bytes


@frozen(kw_only=True)
class Reply:
    """The answer to one."""

    id: int
    status: int
    body: dict[str, str] = field(factory=dict)


@define(eq=False)
class Push:
    """One push on its way. ``open``: how much of it is not done; ``until``: when it is answered at the latest."""

    txn_id: str
    fingerprint: bytes
    asked: list[int]
    until: float
    open: int = 1
    unrecorded: bool = False
    events: list[str] = field(factory=list)
    to_record: int = 0


class Pushes:
    """Answers the homeserver.

    Args:
        config: the session's.
        take: takes the content of a push; calls `hold` and `release`, or `ticket` for what goes on record.
        knows: whether a user is a ghost that somebody is bound to.
        ready: whether pushes can be taken now.
    """

    def __init__(
        self,
        config: SessionConfig,
        take: Callable[[Transaction, Push, float], None],
        knows: Callable[[str], bool],
        ready: Callable[[float], bool],
    ) -> None:
        self._config = config
        self._take = take
        self._knows = knows
        self._ready = ready
        self._done: OrderedDict[str, bytes] = OrderedDict()
        self._recorded: OrderedDict[str, None] = OrderedDict()
        self._open: dict[str, Push] = {}
        self._tickets: dict[int, tuple[Push, str]] = {}
        self._ticket = 0
        self._waiting: deque[tuple[Asked, str, Transaction, float]] = deque()
        self.replies: deque[Reply] = deque()
        self.denied = 0
        self.taken = 0

    def ask(self, asked: Asked, now: float) -> bool:
        """Takes a request; returns whether it was the homeserver's."""
        if asked.token is None or not self.allowed(asked.token):
            self.denied += 1
            status, code = (401, "M_UNAUTHORIZED") if asked.token is None else (403, "M_FORBIDDEN")
            self._refuse(asked.id, status, code, "this is not the token of the registration")
            return False
        path = asked.path.removeprefix(PREFIX)  # servers of before r0.1 ask without it
        kind, _, rest = path.removeprefix("/").partition("/")
        if kind == "transactions" and rest:
            self._method(asked, "PUT", lambda: self._transaction(asked, unquote(rest), now))
        elif kind == "users" and rest:
            self._method(asked, "GET", lambda: self._user(asked, unquote(rest)))
        elif kind == "rooms" and rest:
            self._method(asked, "GET", lambda: self._refuse(asked.id, 404, "M_NOT_FOUND", "no such alias"))
        elif path == "/ping":
            self._method(asked, "POST", lambda: self.replies.append(Reply(id=asked.id, status=200)))
        else:
            self._refuse(asked.id, 404, "M_UNRECOGNIZED", "not known here")
        return True

    def allowed(self, token: str) -> bool:
        """Whether a token is the homeserver's; takes as long whatever is wrong with it."""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self._config.hs_token.encode())

    def _method(self, asked: Asked, method: str, then: Callable[[], None]) -> None:
        if asked.method == method:
            then()
        else:
            self._refuse(asked.id, 405, "M_UNRECOGNIZED", f"only {method} is known here")

    def _refuse(self, asked: int, status: int, code: str, error: str) -> None:
        self.replies.append(Reply(id=asked, status=status, body={"errcode": code, "error": error}))

    def _user(self, asked: Asked, user: str) -> None:
        if self._knows(user):
            self.replies.append(Reply(id=asked.id, status=200))
        else:
            self._refuse(asked.id, 404, "M_NOT_FOUND", "nobody here has this name")

    # Pushes

    def _transaction(self, asked: Asked, txn_id: str, now: float) -> None:
        if len(txn_id) > 255:
            self._refuse(asked.id, 400, "M_INVALID_PARAM", "a transaction id of more than 255 characters")
            return
        try:
            transaction = decode_transaction(asked.body)
        except MatrixSyntaxError as error:
            self._refuse(asked.id, 400, "M_NOT_JSON", str(error))
            return
        if self._ready(now):
            self._begin(asked.id, txn_id, transaction, now)
        elif len(self._waiting) >= HELD:
            self._refuse(asked.id, 503, "M_UNKNOWN", "the bridge is starting")
        else:
            self._waiting.append((asked, txn_id, transaction, now + self._config.push_wait))

    def _begin(self, asked: int, txn_id: str, transaction: Transaction, now: float) -> None:
        if self._done.get(txn_id) == transaction.fingerprint:
            self.replies.append(Reply(id=asked, status=200))
            return
        under_way = self._open.get(txn_id)
        if under_way is not None and under_way.fingerprint == transaction.fingerprint:
            under_way.asked.append(asked)
            return
        push = Push(txn_id, transaction.fingerprint, [asked], now + self._config.push_wait)
        self._open[txn_id] = push
        self.taken += 1
        self._take(transaction, push, now)
        self.release(push)

    def was_recorded(self, event_id: str) -> bool:
        """Whether an event is on record already: its push came again because another of its events was not."""
        return event_id in self._recorded

    def ticket(self, push: Push | None, event_id: str) -> int:
        """Returns what an event of a push is given back with, once it is on record."""
        if push is None:
            return 0
        self._ticket += 1
        push.open += 1
        push.to_record += 1
        self._tickets[self._ticket] = (push, event_id)
        return self._ticket

    def recorded(self, ticket: int, *, ok: bool) -> None:
        """An event of a push is on record, or could not be recorded."""
        held = self._tickets.pop(ticket, None)
        if held is None:
            return
        push, event_id = held
        push.to_record -= 1
        if not ok:
            push.unrecorded = True
        elif event_id:
            self._recorded[event_id] = None
            while len(self._recorded) > EVENTS_KEPT:
                self._recorded.popitem(last=False)
        self.release(push)

    def hold(self, push: Push) -> None:
        """Something of a push is still to be done."""
        push.open += 1

    def release(self, push: Push) -> None:
        """It is done."""
        push.open -= 1
        if push.open == 0:
            self._end(push)

    def _end(self, push: Push) -> None:
        if self._open.get(push.txn_id) is push:
            del self._open[push.txn_id]
        if not push.unrecorded:
            self._done[push.txn_id] = push.fingerprint
            while len(self._done) > KEPT:
                self._done.popitem(last=False)
        for asked in push.asked:
            if push.unrecorded:
                self._refuse(asked, 503, "M_UNKNOWN", "it cannot be put on record now")
            else:
                self.replies.append(Reply(id=asked, status=200))
        push.asked.clear()

    # Time

    def next_deadline(self) -> float | None:
        """When `tick` has something to do."""
        times = [push.until for push in self._open.values() if push.open > push.to_record]
        times += [until for _, _, _, until in self._waiting]
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Takes what has waited for sign-ons, and answers what waits for another server's word too long."""
        while self._waiting:
            asked, txn_id, transaction, until = self._waiting[0]
            if self._ready(now):
                self._waiting.popleft()
                self._begin(asked.id, txn_id, transaction, now)
            elif until <= now:
                self._waiting.popleft()
                self._refuse(asked.id, 503, "M_UNKNOWN", "the bridge is starting")
            else:
                break
        for push in list(self._open.values()):
            if push.until <= now and not push.to_record:
                push.open = 0
                self._end(push)
