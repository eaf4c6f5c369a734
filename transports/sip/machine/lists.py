"""Subscriptions to a list in the request (RFC 5367): who is in it, and what its NOTIFYs say (RFC 4662)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Literal

from transports.sip.machine.shown import Shape, shape_of
from transports.sip.wire.native import SipPresence
from transports.sip.wire.pidf import CONTENT_TYPE as PIDF
from transports.sip.wire.rlmi import CONTENT_TYPE as RLMI
from transports.sip.wire.rlmi import Part, Rlmi, RlmiInstance, RlmiResource, build_related, build_rlmi
from transports.sip.wire.xmldoc import attribute

_LIST_OCTETS = 512
"""Of a body, for what is there but once, besides the list's URI."""
_RESOURCE_OCTETS = 40
"""For a resource of a document, besides its URI."""
_INSTANCE_OCTETS = 240
"""For an instance with its Content-ID, besides the domain in it."""
_PART_OCTETS = 320
"""For the delimiter and the headers of a part."""


class Watched:
    """One resource that is shown. ``id`` names the watch to the owner."""

    __slots__ = ("hidden", "id", "shape", "state", "target", "uri_text")

    def __init__(self, watch_id: str, uri_text: str, target: str) -> None:
        self.id = watch_id
        self.uri_text = uri_text
        """Its URI as the bridge knows it."""
        self.target = target
        self.state: Literal["active", "pending", "terminated"] = "pending"
        self.shape: Shape | None = None
        """What it shows: see `pidf`."""
        self.hidden = True
        """Whom it watches is not to learn of it: it is on no list of watchers. So it is until its owner says else."""

    @property
    def pidf(self) -> bytes | None:
        """The document that is shown, made anew each time."""
        return None if self.shape is None else self.shape.octets(self.uri_text)

    @pidf.setter
    def pidf(self, document: bytes | None) -> None:
        self.shape = shape_of(document, self.uri_text)

    def silence(self) -> None:
        """Forgets what was shown."""
        self.shape = None


class Entry(Watched):
    """An entry of a list. One that nobody here can serve has no target, and is terminated from the beginning."""

    __slots__ = ("reason", "text")

    def __init__(self, watch_id: str, text: str, uri_text: str, target: str) -> None:
        super().__init__(watch_id, uri_text, target)
        self.text = text
        """Its URI as the watcher wrote it, who looks for it so."""
        self.reason = ""
        if not target:
            self.end("noresource")

    def end(self, reason: str) -> None:
        """It is watched no more."""
        self.state, self.reason, self.shape = "terminated", reason, None

    def begin(self) -> None:
        """It is watched anew."""
        self.state, self.reason, self.shape = "pending", "", None


class Listing:
    """A list of resources, and what of their state is still to be told.

    Args:
        owner: the id of the subscription; those of its watches begin with it and a dot.
        uri: the list's, as its watcher wrote it.
        names: returns, for an entry's URI, how the bridge knows it and its target; None where it cannot be watched.
    """

    __slots__ = ("_by_id", "_entries", "_full", "_names", "_next", "_owner", "_waiting", "uri")

    def __init__(self, owner: str, uri: str, names: Callable[[str], tuple[str, str] | None]) -> None:
        self.uri = uri
        self._owner = owner
        self._names = names
        self._entries: dict[str, Entry] = {}
        self._by_id: dict[str, Entry] = {}
        """Those that are watched now."""
        self._waiting: dict[str, Entry] = {}
        """Those whose state has changed since it was told, the longest waiting first."""
        self._full = True
        self._next = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def texts(self) -> tuple[str, ...]:
        """The URIs of the entries, as the watcher wrote them."""
        return tuple(self._entries)

    @property
    def watched(self) -> Collection[Entry]:
        """The entries that are watched."""
        return self._by_id.values()

    @property
    def waits(self) -> bool:
        """Whether there is something to tell."""
        return self._full or bool(self._waiting)

    def find(self, watch_id: str) -> Entry | None:
        """Returns the entry of a watch."""
        return self._by_id.get(watch_id)

    def renew(self, texts: Iterable[str] | None) -> tuple[list[Entry], list[Entry]]:
        """Takes the list of a SUBSCRIBE, or None for the same as before; the next NOTIFY tells all.

        What is in both lists is watched on. What had ended begins anew, as it would with a SUBSCRIBE of its own.

        Returns:
            Whose watch begins, and whose is over.
        """
        before = self._entries
        self._entries = {text: before.get(text) or self._make(text) for text in (before if texts is None else texts)}
        over = [entry for text, entry in before.items() if text not in self._entries and entry.id in self._by_id]
        for entry in over:
            del self._by_id[entry.id]
        begun = [entry for entry in self._entries.values() if entry.target and entry.id not in self._by_id]
        for entry in begun:
            entry.begin()
            self._by_id[entry.id] = entry
        self.repeat()
        return begun, over

    def _make(self, text: str) -> Entry:
        self._next += 1
        uri_text, target = self._names(text) or (text, "")
        return Entry(f"{self._owner}.{self._next}", text, uri_text, target)

    def show(self, entry: Watched, presence: SipPresence) -> bool:
        """Sets what an entry shows. Returns whether that is something new; an entry that is terminated is forgotten."""
        assert isinstance(entry, Entry)
        if presence.state == "terminated":
            entry.end(presence.reason or "noresource")
            del self._by_id[entry.id]
        elif entry.state == presence.state and entry.pidf == presence.pidf:
            return False
        else:
            entry.state, entry.pidf = presence.state, presence.pidf
        self._waiting.setdefault(entry.id, entry)
        return True

    def repeat(self) -> None:
        """Has the next NOTIFY tell all: it answers a SUBSCRIBE, or the last one may not have arrived."""
        self._full = True
        self._waiting.clear()

    def silence(self) -> None:
        """Leaves nothing to tell."""
        self._full = False
        self._waiting.clear()
        for entry in self._entries.values():
            entry.shape = None

    def compose(self, version: int, room: int, domain: str, boundary: str, *, bare: bool = False) -> tuple[str, bytes]:
        """Returns the Content-Type and the body of a NOTIFY; empty where there is nothing to tell.

        What does not fit waits for the next one. A full state still names every resource, those that wait without an
        instance, which says that nothing is known of them yet (RFC 4662 section 5).

        Args:
            version: of the document.
            room: octets that the body may have; a single state may go beyond it, or it would wait forever.
            domain: ours, for Content-IDs.
            boundary: random.
            bare: Content-IDs are written without angle brackets.

        Raises:
            SipBuildError: a domain that cannot stand in a Content-ID.
        """
        if not self.waits:
            return "", b""
        full, told = self._full, list((self._entries if self._full else self._waiting).values())
        room -= _LIST_OCTETS + len(self.uri) + (resources_octets(self._entries) if full else 0)
        self._full = False
        self._waiting = {}
        resources: list[RlmiResource] = []
        parts: list[Part] = []
        fits = True
        for entry in told:
            need = _octets(entry, full) + len(domain)
            fits = fits and (need <= room or not resources)
            if fits:
                room -= need
                resources.append(self._tell(entry, version, domain, parts))
            else:
                self._waiting[entry.id] = entry
                if full:
                    resources.append(RlmiResource(uri=entry.text))
        document = Rlmi(uri=self.uri, version=version, full_state=full, resources=tuple(resources))
        root = Part(
            content_type=f'{RLMI};charset="UTF-8"', content_id=f"{self._owner}.{version}@{domain}",
            body=build_rlmi(document),
        )  # fmt: skip
        return build_related(root, parts, boundary, bare=bare)

    @staticmethod
    def _tell(entry: Entry, version: int, domain: str, parts: list[Part]) -> RlmiResource:
        cid = None
        pidf = entry.pidf
        if pidf:
            cid = f"{entry.id}.{version}@{domain}"
            parts.append(Part(content_type=f'{PIDF};charset="UTF-8"', content_id=cid, body=pidf))
        # There is one instance: what a person's devices say is one state by the time that it comes here.
        one = RlmiInstance(id="1", state=entry.state, reason=entry.reason or None, cid=cid)
        return RlmiResource(uri=entry.text, instances=(one,))


def resources_octets(texts: Iterable[str]) -> int:
    """Returns how much of a NOTIFY's body the bare names of a list's resources take."""
    return sum(len(attribute(text).encode()) + _RESOURCE_OCTETS for text in texts)


def _octets(entry: Entry, named: bool) -> int:
    own = 0 if named else resources_octets((entry.text,))
    pidf = entry.pidf
    return own + _INSTANCE_OCTETS + (_PART_OCTETS + len(pidf) if pidf else 0)
