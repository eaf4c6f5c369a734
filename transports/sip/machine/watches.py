"""A watch of presence elsewhere, as `Subscriber` keeps it, and what it tells its owner."""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import frozen

from transports.sip.machine.flow import Target
from transports.sip.machine.timers import Timer
from transports.sip.machine.upstream import Hop

EXPIRES = 3600
AGAIN_AFTER = 60.0


@frozen
class Shown:
    """A NOTIFY: ``pidf`` is None where it had no body: nothing is known, which is told as closed."""

    key: str
    state: Literal["active", "pending"]
    pidf: bytes | None


@frozen
class Denied:
    """The notifier does not let this watcher see the presence, or there is none: it is not tried again."""

    key: str
    reason: str


@frozen
class Lost:
    """Nothing is seen for now. It is tried again by itself, unless ``final``: a fetch, or a watch that was ended."""

    key: str
    reason: str
    final: bool = False


SubscriberEvent: TypeAlias = Shown | Denied | Lost


class Watch:
    """A subscription of ours. ``tag`` is ours, and names the dialog; ``hops`` lead to another server, if there are."""

    __slots__ = (
        "again", "call_id", "cseq", "done", "ending", "expires", "fetch", "hops", "key", "local", "min_expires",
        "notified", "refresh", "remote", "remote_cseq", "routes", "sending", "tag", "target", "uri", "wait", "watcher",
        "way",
    )  # fmt: skip

    def __init__(
        self, key: str, watcher: str, target: str, way: Target | None, hops: tuple[Hop, ...], *, fetch: bool
    ) -> None:
        self.hops = hops
        self.key = key
        self.watcher = watcher
        self.target = target
        self.way = way
        self.fetch = fetch
        self.local = ""
        self.tag = ""
        self.call_id = ""
        self.cseq = 0
        self.remote = ""
        self.remote_cseq = -1
        self.uri = target
        self.routes: tuple[str, ...] = ()
        self.expires = EXPIRES
        self.min_expires = 0
        self.notified = False
        self.ending = False
        self.done = False
        """Its end was told: what still comes is answered, and no more."""
        self.sending = False
        self.again = AGAIN_AFTER
        self.refresh: Timer | None = None
        self.wait: Timer | None = None
