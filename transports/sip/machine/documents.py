"""What the packages tell that the endpoint knows by itself: watchers (RFC 3857), contacts (RFC 3680), waiting messages.

Presence is its owner's to say and comes ready. These are written when a NOTIFY leaves, so each tells the last state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Protocol

from transports.sip.machine.dialogs import Subscription
from transports.sip.machine.lists import Watched
from transports.sip.machine.packages import MESSAGE_SUMMARY, PRESENCE, REG, WINFO
from transports.sip.machine.registrar import Binding
from transports.sip.wire import messagesummary, reginfo, watcherinfo
from transports.sip.wire.messagesummary import MessageSummary
from transports.sip.wire.reginfo import RegContact, RegInfo
from transports.sip.wire.watcherinfo import WatcherEntry, WatcherEvent, WatcherInfo, WatcherStatus

MAX_CHANGES = 1000
"""Of a list of watchers, kept one by one; beyond it the whole list is told."""
_ENDED: dict[str, WatcherEvent] = {
    "rejected": "rejected", "deactivated": "deactivated", "probation": "probation", "giveup": "giveup",
    "noresource": "noresource",
}  # fmt: skip


class Surroundings(Protocol):
    """What the owner of the endpoint knows besides. Answers from memory, at once."""

    def watchers(self, aor: str) -> Sequence[WatcherEntry]:
        """Returns who watches a person, or asks to, by other ways than a subscription here."""

    def waiting(self, aor: str) -> tuple[int, int]:
        """Returns how many messages wait for a person: new ones, old ones."""


class NothingKnown:
    """Surroundings without anything."""

    def watchers(self, aor: str) -> Sequence[WatcherEntry]:
        """Nobody."""
        del aor
        return ()

    def waiting(self, aor: str) -> tuple[int, int]:
        """None."""
        del aor
        return 0, 0


class Document(Watched):
    """A resource whose state the endpoint knows. Only who may see it subscribes to it: it is active at once.

    ``version`` counts its documents; ``told`` is what the last of them said, as far as the next one needs it.
    """

    __slots__ = ("changes", "full", "told", "version")

    def __init__(self, watch_id: str, uri_text: str, target: str) -> None:
        super().__init__(watch_id, uri_text, target)
        self.hidden = False
        self.state = "active"
        self.version = -1
        self.full = True
        """Whether the next document names everything."""
        self.changes: dict[str, WatcherEntry] = {}
        self.told: dict[str, tuple[str, float]] = {}

    def repeat(self) -> None:
        """Has the next document name everything: it answers a SUBSCRIBE, or the last one may not have arrived."""
        self.full = True
        self.changes.clear()

    def change(self, watcher: WatcherEntry) -> None:
        """Takes the news of one watcher."""
        if not self.full:
            self.changes[watcher.id] = watcher
            if len(self.changes) > MAX_CHANGES:
                self.repeat()

    def silence(self) -> None:
        """Leaves nothing to tell."""
        self.state = "terminated"


class Documents:
    """Writes the documents.

    Args:
        watching: returns who watches the presence of a target: an entry for each that may be told.
        contacts: returns the bindings of an address-of-record.
        surroundings: what the owner knows.
    """

    def __init__(
        self,
        watching: Callable[[str, float], Iterable[WatcherEntry]],
        contacts: Callable[[str], Sequence[Binding]],
        surroundings: Surroundings,
    ) -> None:
        self._watching = watching
        self._contacts = contacts
        self._surroundings = surroundings

    def compose(self, package: str, shown: Document, now: float) -> tuple[str, bytes]:
        """Returns the type and the octets of the next document; empty where nothing is told any more.

        Raises:
            SipBuildError: it cannot be written.
        """
        if shown.state == "terminated":
            return "", b""
        shown.version += 1
        if package == WINFO:
            return watcherinfo.CONTENT_TYPE, self._watchers(shown, now)
        if package == REG:
            return reginfo.CONTENT_TYPE, self._registration(shown, now)
        assert package == MESSAGE_SUMMARY
        new, old = self._surroundings.waiting(shown.target)
        summary = MessageSummary(
            waiting=new > 0, account=shown.uri_text, counts=((messagesummary.PAGER, new, old),) if new or old else ()
        )
        return messagesummary.CONTENT_TYPE, messagesummary.build_summary(summary)

    def _watchers(self, shown: Document, now: float) -> bytes:
        full = shown.full
        told: Iterable[WatcherEntry] = shown.changes.values()
        if full:
            live = {entry.uri: entry for entry in self._watching(shown.target, now)}
            others = (entry for entry in self._surroundings.watchers(shown.target) if entry.uri not in live)
            told = (*live.values(), *others)
        document = WatcherInfo(
            version=shown.version, full=full, resource=shown.uri_text, package=PRESENCE, watchers=tuple(told)
        )
        shown.full = False
        shown.changes = {}
        return watcherinfo.build_watcherinfo(document)

    def _registration(self, shown: Document, now: float) -> bytes:
        """All contacts each time, and once those that have gone since the last time (RFC 3680 section 5.1)."""
        bindings = self._contacts(shown.target)
        entries = [_contact(binding, now) for binding in bindings]
        here = {entry.id for entry in entries}
        gone = [
            RegContact(id=name, uri=uri, state="terminated", event="expired" if until <= now else "unregistered")
            for name, (uri, until) in shown.told.items()
            if name not in here
        ]
        state: reginfo.RegistrationState = "active" if entries else "terminated" if gone else "init"
        shown.told = {name_of("c", one.contact): (one.contact, one.expires_at) for one in bindings}
        return reginfo.build_reginfo(
            RegInfo(
                version=shown.version, aor=shown.uri_text, id=name_of("r", shown.target), state=state,
                contacts=(*entries, *gone),
            )
        )  # fmt: skip


def _contact(binding: Binding, now: float) -> RegContact:
    return RegContact(
        id=name_of("c", binding.contact), uri=binding.contact, state="active",
        event="refreshed" if binding.renewed else "registered", expires=max(round(binding.expires_at - now), 0),
        q=binding.q, call_id=binding.call_id, cseq=binding.cseq,
    )  # fmt: skip


def watcher_entry(
    subscription: Subscription, watched: Watched, status: WatcherStatus, event: WatcherEvent, now: float
) -> WatcherEntry:
    """Returns what a list of watchers says of one."""
    left = max(round(subscription.expires_at - now), 0)
    return WatcherEntry(
        id=name_of("w", watched.id), uri=f"sip:{subscription.watcher}", status=status, event=event,
        expiration=None if status == "terminated" else left,
    )  # fmt: skip


def name_of(kind: str, secret: str) -> str:
    """Returns a name that others may see for what has one that they must not: ids of watches are tags of dialogs."""
    return kind + blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def ended_by(reason: str) -> WatcherEvent:
    """Returns what of RFC 3857 section 4.7.1 a subscription's end is; it ran out where it is none of the others."""
    return _ENDED.get(reason, "timeout")
