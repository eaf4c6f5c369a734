"""One account of ours: who may see it, whom it may see, and how they are (RFC 6121 sections 3 and 4)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from attrs import define, field

from transports.xmpp.machine.config import StreamConfig
from transports.xmpp.wire import encode
from transports.xmpp.wire.decode import consent, place, status
from transports.xmpp.wire.jid import bare, resource
from transports.xmpp.wire.native import Asked, Consent, ConsentReceived, ContactPresence, Inbound, Place

_STATES = frozenset({None, "unavailable", "error"})


@define(eq=False)
class Person:
    """An account of ours on a stream.

    A component's stream leaves subscriptions to it (XEP-0114 knows no roster); an account's own server keeps them.

    Attributes:
        shown: how we are; None: as not there.
        watchers: bare addresses of who may see us, in a component; a server knows its own.
        seen: of who lets us see them; asked: of whom we have asked.
        out, events: what is to be sent, what is to be told.
    """

    account: str
    config: StreamConfig
    out: list[Element]
    events: list[Inbound]
    shown: Place | None = None
    watchers: dict[str, None] = field(factory=dict)
    seen: set[str] = field(factory=set)
    asked: set[str] = field(factory=set)
    places: dict[str, dict[str, Place]] = field(factory=dict)

    @property
    def full(self) -> str:
        """Our address with the resource that is the bridge."""
        return f"{self.account}/{self.config.resource}"

    # Ours

    def show(self, shown: Place | None) -> None:
        """Shows us so from now on."""
        self.shown = shown
        for watcher in self.watchers if self.config.component else ("",):
            self._tell(watcher)

    def _tell(self, watcher: str) -> None:
        self.out.append(encode.presence(self.full, watcher, self.shown))

    def gone(self) -> None:
        """Says that we are not there any more, before the account leaves its stream."""
        self.show(None)

    def consent(self, to: str, *, granted: bool) -> None:
        """Lets somebody see us from now on, or not any more."""
        watcher = bare(to)
        self.out.append(encode.plain_presence(self.account, watcher, "subscribed" if granted else "unsubscribed"))
        if not self.config.component:
            return
        if not granted:
            if self.watchers.pop(watcher, "") is None:
                self.out.append(encode.presence(self.full, watcher, None))
        elif watcher in self.watchers or len(self.watchers) < self.config.max_contacts:
            self.watchers[watcher] = None
            self._tell(watcher)

    def want(self, contact: str) -> None:
        """Sees somebody from now on, and asks them for it where they have not agreed."""
        other = bare(contact)
        if other in self.seen:
            if self.config.component:
                self.out.append(encode.plain_presence(self.account, other, "probe"))
            return
        if len(self.asked) >= self.config.max_contacts:
            return
        self.asked.add(other)
        self.out.append(encode.plain_presence(self.account, other, "subscribe"))
        self.events.append(Asked(account=self.account, contact=other))

    def unwant(self, contact: str) -> None:
        """Does not see somebody any more. Whether they see us stays as it was."""
        other = bare(contact)
        self.seen.discard(other)
        self.asked.discard(other)
        self.places.pop(other, None)
        self.out.append(encode.plain_presence(self.account, other, "unsubscribe"))

    # Theirs

    def presence(self, element: Element) -> None:
        """Takes a presence stanza."""
        said = consent(element, self.account)
        if said is not None:
            self._consent(said)
            return
        sender = element.get("from", "")
        contact = bare(sender)
        kind = element.get("type")
        if contact == self.account or kind not in _STATES:
            return
        if contact not in self.seen and contact not in self.asked:
            return  # we have not asked to see them
        here = place(element)
        known = self.places.get(contact, {})
        if here is None or kind == "error":
            here = None
            known.pop(resource(sender), None)
            if not resource(sender) or kind == "error":
                known.clear()
        elif here.resource in known or len(known) < self.config.max_places:
            self._room_for(contact)
            known[here.resource] = here
            self.places[contact] = known
        self._tell_of(contact, known, status(element) if here is None else "")

    def _room_for(self, contact: str) -> None:
        if contact not in self.places and len(self.places) >= self.config.max_contacts:
            del self.places[next(iter(self.places))]

    def _tell_of(self, contact: str, known: dict[str, Place], last_words: str) -> None:
        if not known:
            self.places.pop(contact, None)
        # RFC 6121 section 8.5.2.1.1: a message goes to the resource of the highest priority; a negative one gets none.
        best = tuple(sorted(known.values(), key=lambda one: -one.priority))
        self.events.append(ContactPresence(account=self.account, contact=contact, places=best, status=last_words))

    def _consent(self, said: ConsentReceived) -> None:
        other = bare(said.sender)
        kind = said.kind
        if kind is Consent.PROBE:
            if other in self.watchers:
                self._tell(said.sender)
            elif self.config.component:
                self.events.append(said)
        elif kind is Consent.SUBSCRIBE:
            if other in self.watchers:
                self.consent(other, granted=True)
            else:
                self.events.append(said)
        elif kind is Consent.UNSUBSCRIBE:
            if self.config.component:
                self.consent(other, granted=False)
            self.events.append(said)
        elif kind is Consent.SUBSCRIBED:
            if other in self.asked:
                self.asked.discard(other)
                self.seen.add(other)
                self.events.append(said)
                if self.config.component:
                    # Whose server has known long ago that they agree does not tell how they are without being asked;
                    # and before they agree, a probe is answered with `unsubscribed` (RFC 6121 section 4.3.2).
                    self.out.append(encode.plain_presence(self.account, other, "probe"))
        elif other in self.asked or other in self.seen:
            self.asked.discard(other)
            self.seen.discard(other)
            self.places.pop(other, None)
            self.events.append(said)

    def roster(self, contact: str, subscription: str, *, ask: bool) -> None:
        """Takes what our server knows of a contact (RFC 6121 section 2.1.2)."""
        other = bare(contact)
        self.seen.discard(other)
        self.asked.discard(other)
        if subscription in {"to", "both"} and len(self.seen) < self.config.max_contacts:
            self.seen.add(other)
        elif ask and len(self.asked) < self.config.max_contacts:
            self.asked.add(other)

    def forget(self) -> None:
        """The stream is gone, and what is known of others with it; what was agreed stays."""
        self.places.clear()
