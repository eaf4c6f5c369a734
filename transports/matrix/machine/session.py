"""The session: all ghosts of one application service and their one homeserver.

The owner makes the requests that `next_call` gives and tells what became of each, breaks off those of `next_cancelled`,
hands in what the homeserver asks and sends the answers of `next_reply`, reads `next_event`, gives each ticket back with
`recorded`, and calls `handle_timer` at `next_deadline`. Nothing here blocks, sleeps or looks at a clock.
"""

from __future__ import annotations

import random
from collections.abc import Hashable
from typing import Final

from bridge.model.capabilities import LinkState as Link
from transports.matrix.machine.accounts import Accounts
from transports.matrix.machine.calls import Call, Calls
from transports.matrix.machine.config import SessionConfig
from transports.matrix.machine.context import Context, SendDone, Told
from transports.matrix.machine.conversations import Conversations
from transports.matrix.machine.homeserver import Homeserver, Phase
from transports.matrix.machine.inbound import InboundEvents
from transports.matrix.machine.pushes import Asked, Pushes, Reply
from transports.matrix.machine.results import RELAYED, link_down
from transports.matrix.machine.rooms import Rooms
from transports.matrix.wire.answers import Refusal
from transports.matrix.wire.native import (
    Join,
    Leave,
    MessageSend,
    Outbound,
    OwnPresence,
    ReactionSend,
    ReadSend,
    RedactionSend,
    TypingSend,
    Watch,
)

GRACE: Final = 5.0
"""Seconds after the start for which a push waits for the first account."""


class MatrixSession:
    """An application service.

    Args:
        config: its parameters.
        rng: for backoff and names of pings.
    """

    def __init__(self, config: SessionConfig, *, rng: random.Random) -> None:
        self.config = config
        self._started = 0.0
        calls = Calls(config, self._heard, self._down, self._refused)
        self._context = Context(
            config=config, rng=rng, calls=calls, rooms=Rooms(config.max_rooms),
            is_up=lambda: self.homeserver.phase is Phase.UP,
        )  # fmt: skip
        self._calls = calls
        self.homeserver = Homeserver(config, calls, self._changed, rng)
        self.accounts = Accounts(self._context)
        self._conversations = Conversations(self._context, self.accounts)
        self._inbound = InboundEvents(self._context, self.accounts)
        self.pushes = Pushes(config, self._inbound.take, self._knows, self._ready)
        self._inbound.pushes = self.pushes

    def _knows(self, user: str) -> bool:
        return self.accounts.get(user) is not None

    def _ready(self, now: float) -> bool:
        if not self.accounts.phases():
            return now >= self._started + GRACE
        return not self.accounts.unread

    # -- life

    def start(self, now: float) -> None:
        """Begins."""
        self._started = now
        self.homeserver.start(now)

    def stop(self, now: float) -> None:
        """Ends: what is under way may have arrived. Presences lapse at the homeserver by themselves."""
        self.homeserver.stop()
        self._calls.clear("the bridge stops", now)
        self._conversations.server_down(now)
        self.accounts.stop()

    def sign_on(self, account: str, now: float) -> None:
        """Signs a ghost on; what becomes of it is told as `LinkState`."""
        self.homeserver.knocked(now)
        self.accounts.sign_on(account, now)

    def sign_off(self, account: str, now: float) -> None:
        """Signs a ghost off."""
        self.accounts.sign_off(account, now)

    # -- the homeserver as a whole

    def _heard(self, now: float) -> None:
        self.homeserver.heard(now)

    def _down(self, reason: str, now: float) -> None:
        self.homeserver.lost(reason, now)

    def _refused(self, refusal: Refusal, now: float) -> None:
        self.homeserver.refused(refusal, now)

    def _changed(self, phase: Phase, reason: str, retry_in: float | None, now: float) -> None:
        if phase is Phase.UP:
            self.accounts.server_up(now)
            self.homeserver.ping(now)
            return
        self._calls.clear(reason, now)
        self._conversations.server_down(now)
        state = Link.AUTH_FAILED if phase is Phase.REFUSED else Link.TRANSIENT
        self.accounts.server_down(state, reason, retry_in)

    # -- outwards

    def send(self, native: Outbound, key: Hashable, now: float, deadline: float | None = None) -> None:
        """Does what a native value says. Its end comes once, as `SendDone` of `key`."""
        if isinstance(native, OwnPresence):
            self.accounts.set_presence(native, key, now)
        elif isinstance(native, Watch):
            self.accounts.watch(native, key, now)
        elif self.homeserver.phase is not Phase.UP:
            self._context.done(key, link_down())
        elif isinstance(native, Join | Leave):
            if isinstance(native, Join):
                self._inbound.join(native, now)
            else:
                self._inbound.leave(native, now)
            self._context.done(key, RELAYED)
        elif self.accounts.get(native.account) is None:
            self._context.done(key, link_down("That account is not signed on."))
        elif isinstance(native, MessageSend | RedactionSend | ReactionSend):
            self._conversations.send(native, key, now, deadline)
        elif isinstance(native, TypingSend):
            self._conversations.show_typing(native, key, now)
        else:
            assert isinstance(native, ReadSend)
            self._conversations.show_read(native, key, now, deadline)

    # -- requests of ours

    def next_call(self) -> Call | None:
        """The oldest request that was not yet made."""
        return self._calls.outgoing.popleft() if self._calls.outgoing else None

    def next_cancelled(self) -> int | None:
        """The oldest request that is to be broken off."""
        return self._calls.cancelled.popleft() if self._calls.cancelled else None

    def answered(self, call_id: int, status: int, body: bytes, retry_after: str | None, now: float) -> None:
        """A request has an answer."""
        self._calls.answered(call_id, status, body, retry_after, now)

    def failed(self, call_id: int, reason: str, now: float, *, sent: bool) -> None:
        """A request has none. `sent`: the server may have taken it."""
        self._calls.failed(call_id, reason, now, sent=sent)

    # -- requests of the homeserver

    def ask(self, asked: Asked, now: float) -> None:
        """The homeserver, or somebody who says so, asks something."""
        if self.pushes.ask(asked, now):
            self.homeserver.knocked(now)

    def next_reply(self) -> Reply | None:
        """The oldest answer that was not yet sent."""
        return self.pushes.replies.popleft() if self.pushes.replies else None

    # -- events

    def next_event(self) -> Told | SendDone | None:
        """The oldest event that was not yet taken."""
        return self._context.events.popleft() if self._context.events else None

    def recorded(self, ticket: int, *, ok: bool) -> None:
        """An event is on record, or could not be recorded now."""
        self.pushes.recorded(ticket, ok=ok)

    # -- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None when never."""
        times = (
            self._calls.next_deadline(),
            self.homeserver.next_deadline(),
            self.accounts.next_deadline(),
            self.pushes.next_deadline(),
        )
        return min((each for each in times if each is not None), default=None)

    def handle_timer(self, now: float) -> None:
        """Does what is due."""
        if self._calls.tick(now):
            self.homeserver.probe(now)
        self.homeserver.tick(now)
        self.accounts.tick(now)
        self.pushes.tick(now)

    def settle(self, now: float) -> None:
        """To be called after each of the others: takes the pushes that waited for what is there now."""
        self.pushes.tick(now)

    def counters(self) -> dict[str, int]:
        """For the metrics."""
        return {
            "waiting": self._calls.waiting + self._conversations.waiting(),
            "rooms": len(self._context.rooms),
            "pushes": self.pushes.taken,
            "denied": self.pushes.denied,
            "limited": self._calls.limited,
            "malformed": self._inbound.malformed,
            "skipped": self._inbound.skipped,
            "reached": int(bool(self.homeserver.reached)),
        }
