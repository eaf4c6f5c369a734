"""What a subscription is: a dialog with a watcher (RFC 6665), and whom it watches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from transports.sip.machine.flow import Flow
from transports.sip.machine.lists import Listing, Watched
from transports.sip.machine.ports import StoredSubscription
from transports.sip.machine.quirks import DEFAULT, Quirks
from transports.sip.machine.timers import Timer
from transports.sip.wire.message import Request
from transports.sip.wire.uri import SipUri

PACKAGE = "presence"
_LINPHONES_PACKAGE = "Presence"
RESUMED_CSEQ = 10_000
"""Added to the last CSeq that was kept, so that after a restart it is ahead of what was really sent."""


class Subscription:
    """One dialog with a watcher, who watches one person or a list of them. ``id`` is our tag."""

    __slots__ = (
        "accept", "busy", "call_id", "contact", "dirty", "event", "expires_at", "fetch", "flow", "id", "local_cseq",
        "local_uri", "next_at", "over", "remote_cseq", "remote_tag", "remote_uri", "routes", "shows", "timer",
        "uri_text", "watcher",
    )  # fmt: skip

    def __init__(
        self, subscription_id: str, watcher: str, uri_text: str, shows: Watched | Listing, flow: Flow, contact: SipUri
    ) -> None:
        self.id = subscription_id
        self.watcher = watcher
        self.uri_text = uri_text
        """What was subscribed to: a person, or the server of the list."""
        self.shows = shows
        self.flow = flow
        self.contact = contact
        self.event = PACKAGE
        self.accept: tuple[str, ...] = ()
        self.call_id = ""
        self.local_uri = ""
        self.remote_uri = ""
        self.remote_tag = ""
        self.local_cseq = 0
        self.remote_cseq = 0
        self.routes: tuple[str, ...] = ()
        self.expires_at = 0.0
        self.fetch = False
        self.over = ""
        """The reason of termination, once it is decided."""
        self.busy = False
        self.dirty = False
        self.timer: Timer | None = None
        self.next_at = 0.0

    @property
    def listing(self) -> Listing | None:
        """The list that is watched; None where it is one person."""
        return self.shows if isinstance(self.shows, Listing) else None

    @property
    def watched(self) -> Iterable[Watched]:
        """Whom it watches: each is a watch of its own to the owner."""
        return self.shows.watched if isinstance(self.shows, Listing) else (self.shows,)

    @property
    def size(self) -> int:
        """How much of a watcher's subscriptions it takes: a list counts by its entries."""
        return max(1, len(self.shows)) if isinstance(self.shows, Listing) else 1

    @property
    def version(self) -> int:
        """The version of a list's last NOTIFY (RFC 4662 section 5.1): both count the NOTIFYs of this dialog."""
        return self.local_cseq - 1

    @property
    def for_linphone(self) -> bool:
        """Whether a list is told to linphone 5.1, which finds a part only where its Content-ID has no brackets."""
        return self.event.startswith(_LINPHONES_PACKAGE)

    @property
    def subscription_state(self) -> Literal["active", "pending", "terminated"]:
        """The state to tell. That of a list says nothing of those in it (RFC 4662 section 4.5)."""
        return "active" if isinstance(self.shows, Listing) else self.shows.state

    def find(self, watch_id: str) -> Watched | None:
        """Returns the watch of this id."""
        if isinstance(self.shows, Listing):
            return self.shows.find(watch_id)
        return self.shows if self.shows.id == watch_id else None

    def silence(self) -> None:
        """Forgets what was shown and what was still to be: the last NOTIFY says nothing but the end."""
        if isinstance(self.shows, Listing):
            self.shows.silence()
        else:
            self.shows.pidf = None

    def stored(self, epoch: float) -> StoredSubscription:
        """Returns what is kept of it."""
        return StoredSubscription(
            id=self.id, watcher=self.watcher, target=self.uri_text, event=self.event, accept=self.accept,
            call_id=self.call_id, local_uri=self.local_uri, remote_uri=self.remote_uri, remote_tag=self.remote_tag,
            local_cseq=self.local_cseq, remote_cseq=self.remote_cseq, contact=str(self.contact), routes=self.routes,
            transport=self.flow.transport, local=self.flow.local, source=self.flow.remote,
            expires_at=self.expires_at + epoch,
            entries=self.shows.texts if isinstance(self.shows, Listing) else None,
        )  # fmt: skip


def event_of(request: Request, *, listed: bool, quirks: Quirks = DEFAULT) -> str:
    """Returns the Event header of a subscription's NOTIFYs: that of its SUBSCRIBE (RFC 6665 section 8.2.1).

    linphone 5.1 subscribes to "presence" of a list, and of its NOTIFYs takes those of "Presence" alone. Later versions
    take both.
    """
    event = request.first("Event") or PACKAGE
    if listed and event.startswith(PACKAGE) and quirks.of(request.first("User-Agent")).event_in_capitals:
        return _LINPHONES_PACKAGE + event[len(PACKAGE) :]
    return event


def resumed(row: StoredSubscription, shows: Watched | Listing, contact: SipUri, epoch: float) -> Subscription:
    """Returns a subscription as it goes on after a restart."""
    flow = Flow(row.transport, row.local, row.source, -1)
    subscription = Subscription(row.id, row.watcher, row.target, shows, flow, contact)
    subscription.event, subscription.accept = row.event, row.accept
    subscription.call_id, subscription.remote_tag = row.call_id, row.remote_tag
    subscription.local_uri, subscription.remote_uri = row.local_uri, row.remote_uri
    subscription.local_cseq = row.local_cseq + RESUMED_CSEQ
    subscription.remote_cseq, subscription.routes = row.remote_cseq, row.routes
    subscription.expires_at = row.expires_at - epoch
    return subscription
