"""Requests to see somebody's presence: kept in the store, decided by a command, told to the list of watchers.

A request is a row of the store. An answer is on record in the same transaction, and holds before anybody is told of it.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Protocol

import sqlalchemy
import structlog
from attrs import define, evolve, field
from sqlalchemy import insert, select
from twisted.internet.defer import Deferred

from bridge.app.control import ControlError
from bridge.compliance import record
from bridge.compliance.record import RecordDraft
from bridge.delivery.lanes import Lanes
from bridge.delivery.ports import CommitFailed
from bridge.identity.snapshot import IdentitySnapshot
from bridge.model.address import Address, Identity
from bridge.model.ids import SIP, PersonId, RemoteUserId
from bridge.presence.approvals import Approvals, Request, Verdict
from bridge.presence.hub import PresenceHub
from bridge.store.journal import GroupCommitJournal
from bridge.store.schema import presence_request
from mappings.identity import AddressError, SipAddressBook
from transports.sip.wire.watcherinfo import WatcherEntry

log = structlog.get_logger(__name__)

APPROVE, REFUSE, LIST = "approve", "refuse", "list"
VERDICTS = {APPROVE: Verdict.APPROVED, REFUSE: Verdict.REFUSED}


def put(request: Request) -> Callable[[sqlalchemy.Connection], None]:
    """Returns an operation that keeps a request as it is."""
    row = as_dict(request)

    def operation(connection: sqlalchemy.Connection) -> None:
        connection.execute(insert(presence_request).prefix_with("OR REPLACE"), [row])

    return operation


def load(connection: sqlalchemy.Connection) -> list[Request]:
    """Reads all requests."""
    return [_request(row) for row in connection.execute(select(presence_request)).mappings()]


def as_dict(request: Request) -> dict[str, Any]:
    """Returns a request as plain values."""
    return {
        "target": request.target, "watcher": request.watcher, "verdict": request.verdict.value, "at": request.at,
        "words": request.words, "account": request.account, "told": request.told,
    }  # fmt: skip


def _request(row: Mapping[Any, Any]) -> Request:
    return Request(
        target=PersonId(row["target"]), watcher=row["watcher"], verdict=Verdict(row["verdict"]), at=row["at"],
        words=row["words"], account=row["account"], told=bool(row["told"]),
    )  # fmt: skip


def records(request: Request, *, actor: str, reason: str = "") -> Sequence[RecordDraft]:
    """Returns the record of an answer: who gave it is shown, whom it is about and why is sealed."""
    detail = {"target": request.target, "watcher": request.watcher, "reason": reason}
    fields = {"verdict": request.verdict.value}
    return [record.event(record.PRESENCE_APPROVAL, actor=actor, fields=fields, detail=detail)]


def decided(request: Request, do: str, at: float) -> Request:
    """Returns a request with its answer."""
    return evolve(request, verdict=VERDICTS[do], at=at, told=not request.account)


@define(eq=False)
class StoredApprovals:
    """Keeps requests in the journal of a running daemon."""

    journal: GroupCommitJournal

    def put(self, request: Request) -> None:
        """Keeps a request as it is now."""

        def done(outcome: object) -> None:
            if isinstance(outcome, CommitFailed):
                log.warning("a presence request is not kept", reason=outcome.reason)

        self.journal.submit(put(request), done)


@define(eq=False)
class PresenceRequests:
    """The running daemon's side of ``simplebridge presence``.

    Args:
        journal: the store.
        approvals: what is asked and answered.
        hub: tells the watchers.
        answer: tells those on other networks.
        clock: seconds since the epoch.
    """

    journal: GroupCommitJournal
    approvals: Approvals
    hub: PresenceHub
    answer: Callable[[Request], None]
    clock: Callable[[], float]

    def ask(self, asked: Mapping[str, Any]) -> "Mapping[str, Any] | Deferred[Mapping[str, Any]]":
        """Answers the control socket's ``presence``: ``do``, ``target``, ``watcher``, ``actor``, ``reason``.

        Raises:
            ControlError: it asks for nothing that can be done.
        """
        do = str(asked.get("do"))
        if do == LIST:
            return {"requests": [as_dict(request) for request in self.approvals.all()]}
        if do not in VERDICTS:
            raise ControlError(f"not an answer to a request: {do!r}")
        target, watcher = PersonId(str(asked.get("target"))), str(asked.get("watcher"))
        request = self.approvals.find(target, watcher)
        if request is None:
            raise ControlError(f"{watcher} has not asked to see {target}")
        if not asked.get("actor"):
            raise ControlError("nobody says who decides")
        return self._decide(request, do, str(asked["actor"]), str(asked.get("reason", "")))

    def _decide(self, request: Request, do: str, actor: str, reason: str) -> Deferred[Mapping[str, Any]]:
        answer: Deferred[Mapping[str, Any]] = Deferred()
        answered = decided(request, do, self.clock())

        def done(outcome: object) -> None:
            if isinstance(outcome, CommitFailed):
                answer.errback(ControlError(outcome.reason))
                return
            now = self.approvals.decide(request, answered.verdict)
            self.hub.decided(now)
            self.answer(now)
            answer.callback(as_dict(now))

        made = records(answered, actor=actor, reason=reason)
        self.journal.submit(put(answered), done, records=lambda _: made)
        return answer


class SummaryTransport(Protocol):
    """The SIP transport, as far as waiting messages go."""

    def summary_watchers(self) -> Sequence[str]:
        """Returns whose waiting messages are watched."""

    def summary_changed(self, aor: str) -> None:
        """Takes the news that other messages wait for a person than before."""


@define(eq=False)
class SummaryWatch:
    """Looks now and then whether other messages wait for those who watch that than they were told (RFC 3842)."""

    sip: SummaryTransport
    surroundings: "SipSurroundings"

    def tick(self) -> None:
        """Looks."""
        around = self.surroundings
        watched = self.sip.summary_watchers()
        for aor in around.told.keys() - set(watched):
            del around.told[aor]
        for aor in watched:
            if around.told.get(aor) != around.lanes.waiting_for(SIP, aor):
                self.sip.summary_changed(aor)


@define(eq=False)
class SipSurroundings:
    """What the SIP endpoint is told of a person: who watches by other ways, and what waits for them.

    Args:
        people: returns the people in force.
        approvals: who has asked.
        hub: knows what policy hides.
        lanes: where messages wait.
        addresses: how other networks' people are addressed in SIP.
    """

    people: Callable[[], IdentitySnapshot]
    approvals: Approvals
    hub: PresenceHub
    lanes: Lanes
    addresses: SipAddressBook
    told: dict[str, int] = field(init=False, factory=dict)
    """How many messages somebody was told of last."""

    def watchers(self, aor: str) -> Sequence[WatcherEntry]:
        """Returns those on other networks who may see a person or have asked to, and colleagues who still wait."""
        person = PersonId(aor)
        found: list[WatcherEntry] = []
        for request in self.approvals.of(person):
            entry = self._entry(person, request)
            if entry is not None:
                found.append(entry)
        return found

    def _entry(self, person: PersonId, request: Request) -> WatcherEntry | None:
        if request.verdict is Verdict.REFUSED or (not request.account and request.verdict is not Verdict.WAITS):
            return None
        try:
            watcher = Identity(
                address=request.contact or Address(network=SIP, user=RemoteUserId(request.watcher)),
                person=None if request.account else PersonId(request.watcher),
            )
            uri = self.addresses.to_uri(watcher.address)
        except (AddressError, ValueError):
            return None
        if not self.hub.sees(self.people().identity(person), watcher):
            return None  # what policy hides is on no list either
        name = "a" + blake2b(f"{person}\0{request.watcher}".encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()
        if request.verdict is Verdict.APPROVED:
            return WatcherEntry(id=name, uri=uri, status="active", event="approved")
        if request.account:
            return WatcherEntry(id=name, uri=uri, status="pending", event="subscribe")
        return WatcherEntry(id=name, uri=uri, status="waiting", event="timeout")

    def waiting(self, aor: str) -> tuple[int, int]:
        """Returns how many messages wait for a person; none of them was seen before, so all are new."""
        count = self.told[aor] = self.lanes.waiting_for(SIP, aor)
        return count, 0
