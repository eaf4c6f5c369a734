"""What a subscription is: a dialog with a watcher (RFC 6665), and what it is shown.

There may be hundreds of thousands of them, so what a NOTIFY says of the dialog is kept as one text without what is
usual, and taken apart where it is needed: for NOTIFYs, whose beginning is kept while they go out, at a refresh, and for
the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transports.sip.machine.expiry import Bucket
from transports.sip.machine.flow import Flow, Target
from transports.sip.machine.lists import Listing, Watched
from transports.sip.machine.packages import DEFLATED, PRESENCE
from transports.sip.machine.ports import StoredSubscription
from transports.sip.machine.quirks import DEFAULT, Quirks
from transports.sip.machine.registrar import Binding
from transports.sip.wire.headers import parse_name_addr
from transports.sip.wire.memo import Memo
from transports.sip.wire.message import Request
from transports.sip.wire.uri import SipUri, parse_uri

_LINPHONES_PACKAGE = "Presence"
RESUMED_CSEQ = 10_000
"""Added to the last CSeq that was kept, so that after a restart it is ahead of what was really sent."""
_FROM, _TO, _CALL_ID, _EVENT, _ROUTES = range(5)
_ACCEPTS: Memo[tuple[str, ...]] = Memo(1024)
"""Most clients of a kind send the same Accept: they share it."""


Prefix = tuple[bytes, bytes, bytes, Flow | Target]
"""How a NOTIFY begins: before Via's branch, the branch without its number, after it; and which way it goes."""


class Subscription:
    """One dialog with a watcher, who watches one resource or a list of them. ``id`` is our tag."""

    __slots__ = (
        "accept", "bucket", "busy", "contact", "dirty", "expires_at", "fetch", "flow", "form", "head", "id",
        "local_cseq", "next_at", "over", "package", "planned", "prefix", "remote_cseq", "shows", "watcher",
    )  # fmt: skip

    def __init__(
        self, subscription_id: str, watcher: str, package: str, shows: Watched | Listing, flow: Flow, contact: str
    ) -> None:
        self.id = subscription_id
        self.watcher = watcher
        self.package = package
        self.shows = shows
        self.flow = flow
        self.contact = contact
        """The URI of its remote target."""
        self.head = ""
        """What is the same in all of its NOTIFYs, a line each; "" for what is usual: `set_head`."""
        self.accept: tuple[str, ...] = ()
        self.form = 0
        """Of its documents: see `packages`."""
        self.local_cseq = 0
        self.remote_cseq = 0
        self.expires_at = 0.0
        self.fetch = False
        self.over = ""
        """The reason of termination, once it is decided."""
        self.busy = False
        self.dirty = False
        self.planned: int | None = None
        """Of its next NOTIFY: see `notifies`."""
        self.next_at = 0.0
        self.bucket: Bucket[str] | None = None
        """When it is looked at whether it has run out."""
        self.prefix: Prefix | None = None
        """How a NOTIFY begins, and which way it goes, where that is known beforehand."""

    # -- the dialog ---------------------------------------------------------------------------------------------------

    def set_head(self, local: str, remote: str, call_id: str, event: str, routes: Iterable[str]) -> None:
        """Takes what NOTIFYs say of the dialog: From (without our tag) and To, Call-ID, Event, and the route set."""
        usual = isinstance(self.shows, Watched) and local == f"<{self.shows.uri_text}>"
        remote = remote.removeprefix(self._usual_remote)
        lines = ["" if usual else local, remote, call_id, "" if event == PRESENCE else event]
        self.head = "\r\n".join([*lines, *routes])

    def _line(self, number: int) -> str:
        return self.head.split("\r\n")[number]

    @property
    def local_uri(self) -> str:
        """The From header of our NOTIFYs, without our tag."""
        local = self._line(_FROM)
        if not local:
            assert isinstance(self.shows, Watched)
            local = f"<{self.shows.uri_text}>"
        return local

    @property
    def remote_uri(self) -> str:
        """The To header of our NOTIFYs."""
        return self._remote(self._line(_TO))

    @property
    def _usual_remote(self) -> str:
        return f"<sip:{self.watcher}>"

    def _remote(self, kept: str) -> str:
        """What was the From of the SUBSCRIBE: without an address it is the usual one, with these parameters."""
        return self._usual_remote + kept if not kept or kept.startswith(";") else kept

    @property
    def call_id(self) -> str:
        """The Call-ID of the dialog."""
        return self._line(_CALL_ID)

    @property
    def event(self) -> str:
        """The Event header of our NOTIFYs."""
        return self._line(_EVENT) or PRESENCE

    @property
    def routes(self) -> tuple[str, ...]:
        """The route set."""
        return tuple(self.head.split("\r\n")[_ROUTES:])

    @property
    def dialog(self) -> str:
        """What every NOTIFY says of the dialog, without the route set."""
        _, remote, call_id, event, *_ = self.head.split("\r\n")
        our = f"From: {self.local_uri};tag={self.id}"
        return f"{our}\r\nTo: {self._remote(remote)}\r\nCall-ID: {call_id}\r\nEvent: {event or PRESENCE}"

    @property
    def uri(self) -> SipUri:
        """Its remote target."""
        uri = parse_uri(self.contact)
        assert isinstance(uri, SipUri)
        return uri

    def is_dialog_of(self, request: Request) -> bool:
        """Whether a request is in this dialog, and of its subscription (RFC 6665 section 4.1.2.2): Event as well."""
        lines = self.head.split("\r\n")
        if lines[_CALL_ID] != request.call_id:
            return False
        return (request.from_.tag or "") == _tag(self._remote(lines[_TO])) and _same_event(
            self.event, request.first("Event") or ""
        )

    # -- what it shows ------------------------------------------------------------------------------------------------

    @property
    def listing(self) -> Listing | None:
        """The list that is watched; None where it is one resource."""
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
        """The version of a list's last NOTIFY (RFC 4662 section 5.2): both count the NOTIFYs of this dialog."""
        return self.local_cseq - 1

    @property
    def for_linphone(self) -> bool:
        """Whether a list is told to linphone 5.1, which finds a part only where its Content-ID has no brackets."""
        return self.event.startswith(_LINPHONES_PACKAGE)

    def find(self, watch_id: str) -> Watched | None:
        """Returns the watch of this id."""
        if isinstance(self.shows, Listing):
            return self.shows.find(watch_id)
        return self.shows if self.shows.id == watch_id else None

    def silence(self) -> None:
        """Forgets what was shown and what was still to be: the last NOTIFY says nothing but the end."""
        self.shows.silence()

    def stored(self, epoch: float) -> StoredSubscription:
        """Returns what is kept of it."""
        shows = self.shows
        return StoredSubscription(
            id=self.id, watcher=self.watcher, target=shows.uri if isinstance(shows, Listing) else shows.uri_text,
            event=self.event, accept=self.accept, call_id=self.call_id, local_uri=self.local_uri,
            remote_uri=self.remote_uri, remote_tag=_tag(self.remote_uri), local_cseq=self.local_cseq,
            remote_cseq=self.remote_cseq, contact=self.contact, routes=self.routes, transport=self.flow.transport,
            local=self.flow.local, source=self.flow.remote, expires_at=self.expires_at + epoch,
            entries=shows.texts if isinstance(shows, Listing) else None, form=self.form,
        )  # fmt: skip


class Plans:
    """When subscriptions are looked at whether they have run out, kept with each of them (see `expiry`)."""

    __slots__ = ("_by_id",)

    def __init__(self, by_id: Mapping[str, Subscription]) -> None:
        self._by_id = by_id

    def get(self, key: str, /) -> Bucket[str] | None:
        """The bucket of a subscription, or None."""
        subscription = self._by_id.get(key)
        return None if subscription is None else subscription.bucket

    def pop(self, key: str, default: None, /) -> Bucket[str] | None:
        """The same; there is none from now on."""
        subscription = self._by_id.get(key)
        if subscription is None:
            return default
        bucket, subscription.bucket = subscription.bucket, None
        return bucket

    def __setitem__(self, key: str, bucket: Bucket[str], /) -> None:
        self._by_id[key].bucket = bucket


def _tag(remote: str) -> str:
    return parse_name_addr(remote).tag or ""


def _same_event(ours: str, theirs: str) -> bool:
    """Whether two Event headers name the same package and id; linphone's capital letter is our own doing."""
    mine, other = _event_key(ours), _event_key(theirs)
    return (mine[0].lower(), mine[1]) == (other[0].lower(), other[1])


def _event_key(event: str) -> tuple[str, str]:
    name, *params = event.split(";")
    ids = (param.partition("=") for param in params)
    return name.strip(), next((value.strip() for key, _, value in ids if key.strip().lower() == "id"), "")


def accept_of(request: Request) -> tuple[str, ...]:
    """Returns the media ranges of a request's Accept, as text."""
    accept = tuple(str(kind) for kind in request.accept[:16])
    key = ",".join(accept)
    known = _ACCEPTS.table.get(key)
    if known is None:
        _ACCEPTS.put(key, accept)
        return accept
    return known


def event_of(request: Request, *, listed: bool, quirks: Quirks = DEFAULT) -> str:
    """Returns the Event header of a subscription's NOTIFYs: that of its SUBSCRIBE (RFC 6665 section 8.2.1).

    linphone 5.1 subscribes to "presence" of a list, and of its NOTIFYs takes those of "Presence" alone. Later versions
    take both.
    """
    event = request.first("Event") or PRESENCE
    if listed and event.startswith(PRESENCE) and quirks.of(request.first("User-Agent")).event_in_capitals:
        return _LINPHONES_PACKAGE + event[len(PRESENCE) :]
    return event


def share(subscription: Subscription, bindings: Iterable[Binding]) -> None:
    """Has a subscription hold the same flow and address as its client's registration: there are very many."""
    flow = subscription.flow
    for binding in bindings:
        its = binding.flow
        if its.key == flow.key and its.id == flow.id and its.local == flow.local:
            subscription.flow = its
        if binding.contact == subscription.contact:
            subscription.contact = binding.contact


def package_of(row: StoredSubscription) -> str:
    """Returns the package of a subscription that was kept."""
    name = _event_key(row.event)[0]
    return PRESENCE if name == _LINPHONES_PACKAGE else name


def resumed(row: StoredSubscription, package: str, shows: Watched | Listing, epoch: float) -> Subscription:
    """Returns a subscription as it goes on after a restart."""
    flow = Flow(row.transport, row.local, row.source, -1)
    subscription = Subscription(row.id, row.watcher, package, shows, flow, row.contact)
    subscription.set_head(row.local_uri, row.remote_uri, row.call_id, row.event, row.routes)
    subscription.accept = row.accept
    subscription.form = row.form & (DEFLATED | 1)
    subscription.local_cseq = row.local_cseq + RESUMED_CSEQ
    subscription.remote_cseq = row.remote_cseq
    subscription.expires_at = row.expires_at - epoch
    return subscription
