"""Who has asked to see whose presence, and what was answered (RFC 3857, RFC 8048 section 5).

Policy alone settles most of it. Where a rule holds presence, the watcher waits for the person: their answer is kept,
and holds for later watches too, until they answer otherwise. A refusal of theirs holds whatever policy allows. Each
direction stands for itself: that bob may see alice says nothing of what alice may see of bob.
"""

from collections.abc import Callable, Iterable
from enum import Enum
from typing import Protocol

from attrs import define, evolve, field, frozen

from bridge.model.address import Address, Identity
from bridge.model.ids import PersonId

MAX_WAITING_PER_PERSON = 500
MAX_PER_PERSON = 5000
MAX_WORDS = 300


class Verdict(Enum):
    """What became of a request."""

    WAITS = "waits"
    APPROVED = "approved"
    REFUSED = "refused"


@frozen(kw_only=True)
class Request:
    """A wish to see a person's presence.

    Attributes:
        target: whose.
        watcher: who asks: a person, or an address on a network, as text (`watcher_key`).
        verdict: the answer.
        at: of the last change, seconds since the epoch.
        words: what the watcher has said to it.
        account: the person's account on the watcher's network; empty for a colleague.
        told: whether the watcher's network has been told the answer.
    """

    target: PersonId
    watcher: str
    verdict: Verdict
    at: float
    words: str = ""
    account: str = ""
    told: bool = True

    @property
    def contact(self) -> Address | None:
        """The watcher, where it is an address on a network."""
        return Address.parse(self.watcher) if self.account else None


class ApprovalStore(Protocol):
    """Keeps requests."""

    def put(self, request: Request) -> None:
        """Keeps a request as it is now."""


def watcher_key(identity: Identity) -> str:
    """Returns how a watcher is known: a person by whatever name of theirs, everybody else by their address."""
    return identity.person if identity.person is not None else str(identity.address)


@define(eq=False)
class Approvals:
    """All requests.

    Args:
        store: keeps them.
        clock: seconds since the epoch.
        changed: told of a person whose requests have changed.
    """

    _store: ApprovalStore
    _clock: Callable[[], float]
    changed: Callable[[PersonId], None] = field(default=lambda _: None)
    _of: dict[PersonId, dict[str, Request]] = field(init=False, factory=dict)

    def load(self, requests: Iterable[Request]) -> None:
        """Takes up what was kept."""
        for request in requests:
            self._of.setdefault(request.target, {})[request.watcher] = request

    def verdict(self, target: PersonId, watcher: Identity) -> Verdict | None:
        """Returns what was answered to a watcher; None where they have not asked."""
        mine = self._of.get(target)
        request = None if mine is None else mine.get(watcher_key(watcher))
        return None if request is None else request.verdict

    def of(self, target: PersonId) -> list[Request]:
        """Returns a person's requests, the oldest first."""
        return sorted(self._of.get(target, {}).values(), key=lambda request: request.at)

    def all(self) -> list[Request]:
        """Returns all requests, the oldest first."""
        return sorted((one for mine in self._of.values() for one in mine.values()), key=lambda request: request.at)

    def find(self, target: PersonId, watcher: str) -> Request | None:
        """Returns a person's request from one watcher."""
        return self._of.get(target, {}).get(watcher)

    def ask(self, target: PersonId, watcher: Identity, words: str = "", account: str = "") -> Verdict:
        """Takes a wish to see a person. Returns how it stands: one that was answered before is not asked again.

        Who asks when too many wait already is not noted, and waits all the same: nobody learns of the number.
        """
        mine = self._of.setdefault(target, {})
        key = watcher_key(watcher)
        known = mine.get(key)
        if known is not None and known.verdict is not Verdict.WAITS:
            return known.verdict
        waiting = sum(one.verdict is Verdict.WAITS for one in mine.values())
        if known is None and (waiting >= MAX_WAITING_PER_PERSON or len(mine) >= MAX_PER_PERSON):
            return Verdict.WAITS
        request = Request(
            target=target, watcher=key, verdict=Verdict.WAITS, at=self._clock(), words=words[:MAX_WORDS],
            account=account,
        )  # fmt: skip
        if known is None or (known.words, known.account) != (request.words, request.account):
            self._put(request)
        return Verdict.WAITS

    def decide(self, request: Request, verdict: Verdict) -> Request:
        """Notes an answer that is kept already. Returns the request as it is then."""
        decided = evolve(request, verdict=verdict, at=self._clock(), told=not request.account)
        self._of.setdefault(decided.target, {})[decided.watcher] = decided
        self.changed(decided.target)
        return decided

    def was_told(self, request: Request) -> None:
        """Notes that the watcher's network has taken the answer."""
        known = self.find(request.target, request.watcher)
        if known is not None and known.verdict is request.verdict and not known.told:
            self._put(evolve(known, told=True))

    def to_tell(self, target: PersonId, network: str) -> list[Request]:
        """Returns a person's answers that a network has not taken yet."""
        return [
            request
            for request in self.of(target)
            if not request.told and request.contact is not None and request.contact.network == network
        ]

    def _put(self, request: Request) -> None:
        self._of.setdefault(request.target, {})[request.watcher] = request
        self._store.put(request)
        self.changed(request.target)
