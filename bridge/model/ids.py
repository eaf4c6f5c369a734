"""Identifiers. Each is an opaque string; only the mapping of its own network looks inside a remote one."""

from collections.abc import Callable
from typing import NewType

EventId = NewType("EventId", str)
"""A UUIDv7 (RFC 9562), minted at ingress; orders by the time of intake."""
NetworkId = NewType("NetworkId", str)
"""The configured name of a network, such as ``aim``; the corporate side is ``sip``."""
AccountId = NewType("AccountId", str)
"""An account of ours on a network: a screen name in normal form, or an address-of-record on ``sip``."""
RemoteUserId = NewType("RemoteUserId", str)
"""A user of a network, in that network's normal form."""
RemoteConversationId = NewType("RemoteConversationId", str)
RemoteMessageId = NewType("RemoteMessageId", str)
PersonId = NewType("PersonId", str)
"""A corporate person: the canonical corporate address, such as ``alice@corp.example``."""
IdempotencyKey = NewType("IdempotencyKey", str)
"""Names one delivery to one recipient; the same for every retry of it."""

SIP = NetworkId("sip")
"""The corporate network. It is a transport like any other; that it is ours is known to identity and routing alone."""

_ENTROPY_CHUNK = 4096
_COUNTER_BITS = 12


class EventIdMint:
    """Mints event ids that strictly increase, also within a millisecond and when the clock steps back.

    RFC 9562 section 6.2, method 1: the 12 bits after the version are a counter that is reset each millisecond.

    Args:
        clock: the time of day in seconds since the epoch.
        entropy: returns as many random bytes as asked (``os.urandom``).
    """

    __slots__ = ("_clock", "_counter", "_entropy", "_last_ms", "_pool", "_pool_at")

    def __init__(self, clock: Callable[[], float], entropy: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._entropy = entropy
        self._last_ms = 0
        self._counter = 0
        self._pool = ""
        self._pool_at = 0

    def __call__(self) -> EventId:
        """Returns a new id, greater than every one before it."""
        ms = int(self._clock() * 1000)
        if ms > self._last_ms:
            self._last_ms = ms
            self._counter = 0
        else:
            self._counter += 1
            if self._counter >> _COUNTER_BITS:
                self._last_ms += 1
                self._counter = 0
        at = self._pool_at
        if at >= len(self._pool):
            self._pool = self._entropy(_ENTROPY_CHUNK).hex()
            at = 0
        self._pool_at = at + 16
        tail = self._pool[at : at + 16]
        variant = "89ab"[int(tail[0], 16) & 3]
        head = f"{self._last_ms:012x}"
        return EventId(f"{head[:8]}-{head[8:]}-7{self._counter:03x}-{variant}{tail[1:4]}-{tail[4:]}")


def mint_time(event: EventId) -> float:
    """Returns the time of intake that an event id holds, in seconds since the epoch.

    Raises:
        ValueError: it is not a UUIDv7.
    """
    plain = event.replace("-", "")
    if len(plain) != 32 or plain[12] != "7":
        raise ValueError(f"not a UUIDv7: {event!r}")
    return int(plain[:12], 16) / 1000
