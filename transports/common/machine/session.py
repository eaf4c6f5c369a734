"""What a sans-IO session of one account offers to whoever owns its sockets."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Protocol

from transports.common.machine.actions import Connect, Disconnect, SendDone


class Session(Protocol):
    """One account on one network.

    Its owner opens and closes connections as `next_action` says, tells what becomes of them, hands in bytes, writes
    what `to_send` gives, reads `next_event`, and calls `handle_timer` at `next_deadline`. Times are seconds of one
    clock. Every method may be called at any time with any connection id and any bytes: what does not fit is ignored,
    and what the server does wrong is an event, never an exception.
    """

    @property
    def account(self) -> str:
        """The name's normal form, which stands in every event."""

    @property
    def server(self) -> str:
        """Where it signs on (``host:port``): what rates for each server are counted by."""

    @property
    def state(self) -> str:
        """Where it stands, for people."""

    @property
    def attempt_at(self) -> float | None:
        """When it tries to sign on again of itself; then `handle_timer` waits for its turn among all accounts."""

    def waiting(self) -> int:
        """How many values wait for their turn."""

    def start(self, now: float) -> None:
        """Signs on, also again where it had given up. Nothing while signed on, on the way, or waiting to try again."""

    def set_credential(self, credential: str) -> None:
        """Takes another password for the next sign-on."""

    def set_presence(self, presence: Any) -> None:
        """How to be seen from the next sign-on on (while up, it is sent as any value is)."""

    def stop(self, now: float) -> None:
        """Signs off, without return. Each send that is under way ends."""

    def connected(self, conn_id: int, now: float) -> None:
        """A connection stands."""

    def connection_lost(self, conn_id: int, now: float, reason: str) -> None:
        """A connection could not be had, or has ended."""

    def receive(self, conn_id: int, data: bytes, now: float) -> None:
        """Bytes have come."""

    def send(self, value: Any, key: Hashable, now: float, deadline: float | None) -> None:
        """Sends a native value. Its end comes exactly once, as `SendDone` of `key`.

        `deadline`: a value that has not had its turn by then is not sent any more.
        """

    def recorded(self, event: Any, now: float) -> None:
        """An event that this session gave is recorded: it may be acknowledged, where the protocol has a way."""

    def to_send(self) -> Iterable[tuple[int, bytes]]:
        """What is to be written, by connection."""

    def next_action(self) -> Connect | Disconnect | None:
        """The oldest action that was not yet taken."""

    def next_event(self) -> SendDone | Any | None:
        """The oldest event that was not yet taken."""

    def next_deadline(self) -> float | None:
        """When `handle_timer` has something to do; None when never."""

    def handle_timer(self, now: float) -> None:
        """Does what is due."""
