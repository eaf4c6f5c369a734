"""Presence that people publish (RFC 3903), one soft state per device.

It is kept with its entity tag, so that after a restart a device refreshes what it has published, and its watchers see
what they saw before. The 200 that tells a tag goes out when the tag is durable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from transports.sip.machine.config import EndpointConfig
from transports.sip.machine.expiry import Expiries
from transports.sip.machine.layer import TransactionLayer
from transports.sip.machine.ports import Done, Entropy, PublicationStore, StoredPublication
from transports.sip.machine.serving import ServerTransaction
from transports.sip.machine.timers import TimerQueue
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.message import Request
from transports.sip.wire.native import SipPublished
from transports.sip.wire.pidf import parse_pidf

PIDF = "application/pidf+xml"


Source: TypeAlias = tuple[str, str, str]
"""Whose it is, the flow that it came by, and the first Via of its way: one client on one socket."""


class Publication:
    """One device's published presence. ``id`` names it while its entity tag changes with each 200."""

    __slots__ = ("aor", "body", "expires_at", "id", "kept", "source", "version")

    def __init__(self, aor: str, publication_id: str, source: Source) -> None:
        self.aor = aor
        self.source = source
        self.id = publication_id
        self.version = 0
        self.body = b""
        self.expires_at = 0.0
        self.kept = False
        """Whether the store has it."""

    @property
    def etag(self) -> str:
        """RFC 3903 section 6: a new one for each change and refresh."""
        return f"{self.id}.{self.version}"

    def stored(self, epoch: float, *, with_device: bool) -> StoredPublication:
        """Returns what is kept of it; ``epoch`` turns the endpoint's clock into seconds since the epoch."""
        return StoredPublication(
            id=self.id, version=self.version, aor=self.aor, source=self.source, with_device=with_device,
            expires_at=self.expires_at + epoch, body=self.body,
        )  # fmt: skip


class Publications:
    """The event state compositor's input side: what is published is handed on; composing is the owner's.

    Args:
        store: keeps them.
        reachable: whether a device of a person is registered now.
        epoch: seconds since the epoch at the endpoint's time 0.
        changed: told of each publication that began, changed or ended. ``entity_tag`` of what it gets is the
            publication's ``id``: the same for as long as the publication lives.
    """

    def __init__(
        self,
        config: EndpointConfig,
        layer: TransactionLayer,
        queue: TimerQueue,
        entropy: Entropy,
        store: PublicationStore,
        reachable: Callable[[str], bool],
        epoch: float,
        changed: Callable[[SipPublished], None],
    ) -> None:
        self._config = config
        self._layer = layer
        self._entropy = entropy
        self._store = store
        self._reachable = reachable
        self._epoch = epoch
        self._changed = changed
        self._by_id: dict[str, Publication] = {}
        self._by_aor: dict[str, set[str]] = {}
        self._by_source: dict[Source, Publication] = {}
        self._expiries: Expiries[str] = Expiries(queue, self._expire)

    def __len__(self) -> int:
        return len(self._by_id)

    def aors(self) -> list[str]:
        """Returns who has published something."""
        return list(self._by_aor)

    def load(self, now: float) -> None:
        """Takes up what the store kept, after the registrations; the owner is told of each.

        What was published by a person whose last device has run out meanwhile is over, as it would have been.
        """
        for row in self._store.load():
            expires_at = row.expires_at - self._epoch
            if expires_at <= now or (row.with_device and not self._reachable(row.aor)):
                self._store.remove(row.id)
                continue
            publication = Publication(row.aor, row.id, row.source)
            publication.version, publication.body, publication.kept = row.version, row.body, True
            publication.expires_at = expires_at
            self._insert(publication, now)

    def publish(self, transaction: ServerTransaction, aor: str, body: bytes, now: float) -> None:
        """Takes an authenticated PUBLISH of a person's own presence; ``body`` is its body, inflated.

        Raises:
            SipSyntaxError: the body is not a presence document, or there are several entity-tags; nothing was changed.
        """
        request = transaction.request
        answer = self._layer.answer
        lifetimes, limits = self._config.lifetimes, self._config.limits
        event = request.event
        if event is None or event[0] != "presence":
            answer(transaction, 489, None, now, headers=(("Allow-Events", "presence"),))
            return
        expires = lifetimes.default if request.expires is None else min(request.expires, lifetimes.maximum)
        if 0 < expires < lifetimes.minimum:
            answer(transaction, 423, None, now, headers=(("Min-Expires", str(lifetimes.minimum)),))
            return
        match = _entity_tag(request)
        if body:
            kind = request.content_type
            if kind is None or kind.media_type != PIDF:
                answer(transaction, 415, None, now, headers=(("Accept", PIDF),))
                return
            if len(body) > limits.max_body:
                answer(transaction, 413, None, now)
                return
            parse_pidf(body)
        elif match is None:
            answer(transaction, 400, "PUBLISH without a body and without SIP-If-Match", now)
            return
        if match is None:
            source = (aor, transaction.flow.key, request.vias[-1].sent_by[: limits.stored_text])
            # A client that begins anew has forgotten what it published, or has never heard of it: baresip begins
            # twice at once, and goes on with either. What is left of the first would speak against the second.
            mine = self._by_source.get(source)
            if mine is None and not self._make_room(aor):
                answer(transaction, 403, "Too many publications", now)
                return
            publication = mine or Publication(aor, self._entropy(9).hex(), source)
        else:
            known = self._by_id.get(match.partition(".")[0])
            if known is None or known.etag != match or known.aor != aor:
                answer(transaction, 412, None, now)
                return
            publication = known
        publication.version += 1
        headers = (("Expires", str(expires)), ("SIP-ETag", publication.etag))
        if expires == 0:
            self._end(publication)
            answer(transaction, 200, None, now, headers=headers)
            return
        publication.expires_at = now + expires
        if body:
            publication.body = body
        self._insert(publication, now)
        # It is in force whether it could be kept or not: what is lost is lost at a restart, and then published anew.
        self._keep(publication, lambda _, at: answer(transaction, 200, None, max(at, now), headers=headers))

    def signed_off(self, aor: str) -> None:
        """Keeps no longer what a person has published whose last device has signed off: it is not shown any more.

        Here it stays for as long as it was published for, and a device that refreshes it is shown again.
        """
        for one in self._by_aor.get(aor, ()):
            self._forget(self._by_id[one])

    def remove(self, aor: str) -> None:
        """Ends all that a person has published."""
        for one in list(self._by_aor.get(aor, ())):
            self._end(self._by_id[one])

    def _make_room(self, aor: str) -> bool:
        """Ends what a person's devices have not renewed for longest, where they have published all that one may.

        libpurple leaves a publication behind at each logout: to refuse the next would shut its user out.
        """
        limits = self._config.limits
        mine = self._by_aor.get(aor, ())
        if len(mine) >= limits.publications_per_aor:
            self._end(min((self._by_id[one] for one in mine), key=lambda publication: publication.expires_at))
        return len(self._by_id) < limits.publications

    def _insert(self, publication: Publication, now: float) -> None:
        self._by_id[publication.id] = publication
        self._by_source[publication.source] = publication
        self._by_aor.setdefault(publication.aor, set()).add(publication.id)
        self._expiries.add(publication.id, publication.expires_at, now)
        self._changed(self._native(publication, publication.body, round(publication.expires_at - now)))

    def _keep(self, publication: Publication, done: Done) -> None:
        if len(publication.body) > self._config.limits.stored_publication:
            self._forget(publication)  # what was kept has another tag
            done(False, 0.0)
            return
        publication.kept = True
        self._store.put(publication.stored(self._epoch, with_device=self._reachable(publication.aor)), done)

    def _forget(self, publication: Publication) -> None:
        if publication.kept:
            publication.kept = False
            self._store.remove(publication.id)

    def _end(self, publication: Publication) -> None:
        if self._by_id.pop(publication.id, None) is None:
            return
        self._expiries.discard(publication.id)
        self._by_source.pop(publication.source, None)
        self._forget(publication)
        mine = self._by_aor[publication.aor]
        mine.discard(publication.id)
        if not mine:
            del self._by_aor[publication.aor]
        self._changed(self._native(publication, None, 0))

    def _native(self, publication: Publication, pidf: bytes | None, expires: int) -> SipPublished:
        count = len(self._by_aor.get(publication.aor, ()))
        return SipPublished(
            aor=publication.aor, pidf=pidf, entity_tag=publication.id, expires=expires, contact_count=count
        )

    def _expire(self, publication_id: str, now: float) -> float | None:
        publication = self._by_id.get(publication_id)
        if publication is None:
            return None
        if publication.expires_at > now:
            return publication.expires_at
        self._end(publication)
        return None


def _entity_tag(request: Request) -> str | None:
    """Returns the one tag of SIP-If-Match (RFC 3903 section 6 step 3), or None where there is no such header."""
    tags = request.lines("SIP-If-Match")
    if len(tags) > 1 or (tags and "," in tags[0]):
        raise SipSyntaxError("SIP-If-Match has more than one entity-tag")
    return tags[0] if tags else None
