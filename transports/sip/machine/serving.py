"""A server transaction (RFC 3261 section 17.2): a request that waits for its answer, and what is known of it."""

from __future__ import annotations

from transports.sip.machine.flow import Flow
from transports.sip.machine.matching import Key
from transports.sip.machine.timers import Timer
from transports.sip.machine.transactions import Action, Machine, State
from transports.sip.wire.message import Request


def tag_of(key: Key) -> str:
    """Returns the To tag of what answers a request: the same for the same request (RFC 3261 8.2.7)."""
    return f"{key[1] & 0xFFFFFFFFFFFFFFFF:016x}"


class ServerTransaction:
    """A request that we have to answer. Give it to `TransactionLayer.answer` once."""

    __slots__ = (
        "flow",
        "key",
        "last",
        "machine",
        "merge",
        "reply_flow",
        "request",
        "starts",
        "state",
        "timers",
        "user",
    )

    def __init__(self, key: Key, flow: Flow, request: Request, machine: Machine, reply_flow: Flow) -> None:
        self.key = key
        self.flow = flow
        self.request = request
        self.machine = machine
        self.state = State.INIT
        self.reply_flow = reply_flow
        self.last: bytes | None = None
        self.timers: dict[Action, Timer] | None = None
        self.starts = 0
        self.merge: int | None = None
        self.user: str = ""
        """The address-of-record that the request proved to come from; empty before."""

    @property
    def tag(self) -> str:
        """Our To tag: the same for the same request (RFC 3261 8.2.7)."""
        return tag_of(self.key)
