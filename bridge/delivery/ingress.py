"""Where the events of one network come in: translated, told apart, and handed to who is concerned."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog
from attrs import define, evolve

from bridge.delivery.ephemeral import EphemeralDelivery
from bridge.delivery.pipeline import Pipeline
from bridge.delivery.ports import Intake, Link, Refusal
from bridge.identity.snapshot import NoRoute
from bridge.model.address import Address
from bridge.model.body import Authorization, PresenceUpdate, Reachability, Receipt, Typing, Watch
from bridge.model.capabilities import LinkChange, LinkState
from bridge.model.envelope import Draft, Unmappable
from bridge.model.ids import SIP, NetworkId, RemoteUserId
from bridge.model.presence import OFFLINE, Basic
from bridge.presence.hub import PresenceHub, Sight, Watcher

log = structlog.get_logger(__name__)

_TAKEN = Intake(event=None, accepted=True)
_FOR_PEOPLE = frozenset({LinkState.AUTH_FAILED, LinkState.SIGNED_ON_ELSEWHERE})
"""States that no time ends: somebody has to do something."""


class Ingress:
    """The sink of one network's transport.

    Args:
        network: its name.
        link: its wire and translation.
        pipeline: takes what is durable.
        ephemeral: takes typing.
        hub: takes presence.

    Attributes:
        states: what was last told of each account's link; ``since``: from when on it is in that state, seconds since
            the epoch.
        changes: how often any link came into each state.
    """

    def __init__(
        self, network: NetworkId, link: Link, pipeline: Pipeline, ephemeral: EphemeralDelivery, hub: PresenceHub
    ) -> None:
        self.network = network
        self.link = link
        self.pipeline = pipeline
        self.ephemeral = ephemeral
        self.hub = hub
        self.states: dict[str, LinkChange] = {}
        self.since: dict[str, float] = {}
        self.changes: Counter[LinkState] = Counter()

    def deliver(self, native: Any, on_recorded: Callable[[Intake], None]) -> None:
        """Takes a native event; ``on_recorded`` gets its answer once, for a durable event after the commit."""
        result = self.link.mapping.to_canonical(native)
        if isinstance(result, Unmappable):
            account = getattr(native, "aor", None) or getattr(native, "account", None) or ""
            self.pipeline.dead_letter(self.network, account, native, result, self._telling(account, on_recorded))
            return
        if len(result) == 1:
            self._take(result[0], on_recorded)
            return
        gather = _Gather(len(result), on_recorded)
        if not result:
            on_recorded(_TAKEN)
        for draft in result:
            self._take(draft, gather)

    def _telling(self, account: str, on_recorded: Callable[[Intake], None]) -> Callable[[Intake], None]:
        """Tells the person behind an account of what came for them and cannot be handed on.

        On ``sip`` the sender hears of it in the answer; a public network has no word for it.
        """
        if self.network == SIP:
            return on_recorded

        def recorded(intake: Intake) -> None:
            on_recorded(intake)
            directory = self.pipeline.judge.directory
            person = directory.person_of(Address(network=self.network, user=RemoteUserId(account)))
            if intake.event is None or person is None:
                return
            self.pipeline.write_notice(
                directory.identity(person),
                f"Something came for you on {self.network} that cannot be handed on. It is on record. "
                f"Reference: {intake.event}",
            )

        return recorded

    def link_changed(self, change: LinkChange) -> None:
        """Takes the news that an account's link has entered a state."""
        tell = log.warning if change.state in _FOR_PEOPLE else log.info
        tell("link", network=change.network, account=change.account, state=change.state.value, reason=change.told)
        before = self.states.get(change.account)
        if before is None or before.state is not change.state:
            self.since[change.account] = self.pipeline.clock()
        self.states[change.account] = change
        self.changes[change.state] += 1
        own = Address(network=self.network, user=RemoteUserId(change.account))
        person = self.pipeline.judge.directory.person_of(own)
        if person is None:
            return
        if change.state is LinkState.UP:
            self.ephemeral.show_on(person, self.network, change.account, self.hub.presence_of(person))
            for request in self.hub.to_tell(person, self.network):
                self.ephemeral.answer(request)
            for contact in self.hub.watched_contacts(person):
                if contact.network == self.network:
                    self.ephemeral.want(person, contact, wanted=True)
            self.pipeline.lanes.wake(self.network, change.account, self.pipeline.clock())
            return
        self.hub.network_lost(person, self.network)
        if change.state in _FOR_PEOPLE and (before is None or before.state is not change.state):
            self.pipeline.write_notice(
                self.pipeline.judge.directory.identity(person),
                f"Your name {change.account} on {self.network} is signed off: {change.reason}. "
                f"{_what_next(change)} What you send there waits.",
            )

    def admits(self, native: Any) -> bool:
        """Whether there is a way for a native event, and policy does not forbid it."""
        result = self.link.mapping.to_canonical(native)
        if isinstance(result, Unmappable):
            return False
        judge = self.pipeline.judge
        for draft in result:
            way = judge.directory.route(draft.origin, draft.sender.address, draft.recipients[0].address)
            if isinstance(way, NoRoute):
                return False
            envelope = self.ephemeral.envelope(draft.origin, draft.conversation, way, draft.body)
            if judge.judge(envelope, way.recipient).effect == "forbid":
                return False
        return True

    def _take(self, draft: Draft, on_recorded: Callable[[Intake], None]) -> None:
        body = draft.body
        if body.durable:
            self.pipeline.accept(draft, on_recorded)
        elif isinstance(body, PresenceUpdate):
            on_recorded(self._presence(draft, body))
        elif isinstance(body, Reachability):
            on_recorded(self._reachability(draft, body))
        elif isinstance(body, Watch):
            on_recorded(self._watch(draft, body))
        elif isinstance(body, Receipt):
            self.pipeline.receipts.came(draft)
            on_recorded(_TAKEN)
        elif isinstance(body, Authorization):
            on_recorded(self._authorization(draft, body))
        elif isinstance(body, Typing):
            why_not = self.ephemeral.forward(draft)
            on_recorded(_TAKEN if why_not is None else _refused("forbidden", why_not))
        else:
            on_recorded(_refused("unsupported", f"a {type(body).__name__} is not taken"))

    def _presence(self, draft: Draft, body: PresenceUpdate) -> Intake:
        directory = self.pipeline.judge.directory
        if draft.recipients:
            owner = directory.person_of(draft.recipients[0].address)
            if owner is not None:
                self.hub.contact(owner, draft.sender.address, body.presence)
                if body.presence.basic is Basic.OPEN:
                    self.pipeline.lanes.wake(self.network, draft.sender.address.user, self.pipeline.clock())
            return _TAKEN
        person = directory.person_of(draft.sender.address)
        if person is None:
            return _refused("not-found", "nobody here has this address")
        over = body.presence == OFFLINE and body.source
        self.hub.published(person, body.source, None if over else body.presence)
        return _TAKEN

    def _reachability(self, draft: Draft, body: Reachability) -> Intake:
        address = draft.sender.address
        person = self.pipeline.judge.directory.person_of(address)
        if person is not None:
            self.hub.reachable(person, body.devices)
        if body.devices:
            self.pipeline.lanes.wake(self.network, address.user, self.pipeline.clock())
        return _TAKEN

    def _watch(self, draft: Draft, body: Watch) -> Intake:
        if body.expires <= 0 and not body.once:
            self.hub.unwatch(body.id)
            return _TAKEN
        way = self.pipeline.judge.directory.route(draft.origin, draft.sender.address, draft.recipients[0].address)
        if isinstance(way, NoRoute):
            return _refused(way.code, way.reason)
        if way.sender.person is None:
            return _refused("forbidden", "presence is shown to people of the company only")
        watcher = Watcher(id=body.id, identity=way.sender, target=way.recipient, by=way.sender.person)
        sight = self.hub.look(watcher) if body.once else self.hub.watch(watcher)
        if sight is None:
            return _refused("unavailable", "you watch too many already")
        if sight is Sight.HIDDEN:  # it is kept all the same: policy may change
            return _refused("forbidden", "policy does not let you see this presence")
        return _TAKEN

    def _authorization(self, draft: Draft, body: Authorization) -> Intake:
        """Takes who asks to see a person of ours, and what a contact says to our asking."""
        directory = self.pipeline.judge.directory
        account = draft.recipients[0].address
        owner = directory.person_of(account)
        if owner is None:
            return _refused("not-found", "nobody here has this address")
        if body.wanted:
            person = directory.person_of(draft.sender.address)
            asking = evolve(draft.sender, person=person)
            self.hub.asked(owner, asking, body.words, account.user)
        else:
            self.hub.consented(owner, draft.sender.address, body.consent)
        return _TAKEN


def _refused(code: str, reason: str) -> Intake:
    return Intake(event=None, accepted=False, refusal=Refusal(code=code, reason=reason))


@define(eq=False)
class _Gather:
    """Gathers the answers to the parts of one native event: it is taken when all of them are."""

    _left: int
    _on_recorded: Callable[[Intake], None]
    _answer: Intake = _TAKEN

    def __call__(self, intake: Intake) -> None:
        if not intake.accepted or self._answer is _TAKEN:
            self._answer = intake
        self._left -= 1
        if not self._left:
            self._on_recorded(self._answer)


def _what_next(change: LinkChange) -> str:
    """Returns what becomes of a link that is signed off."""
    if change.retry_in is None:
        return "It is not tried again by itself."
    minutes = max(1, round(change.retry_in / 60))
    about = f"about {minutes} minutes" if minutes > 1 else "about a minute"
    if change.state is LinkState.AUTH_FAILED:
        return f"It is tried again in {about}."
    return f"It is signed on here again in {about}, which signs the other one off."
