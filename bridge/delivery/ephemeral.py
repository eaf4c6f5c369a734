"""What is not kept: typing, receipts and presence. Judged like messages, delivered at once or not at all.

An envelope whose body is durable cannot pass here: ``Ephemeral`` refuses to hold one, and the sends below take nothing
else. A message has one way out, with a licence from the log (bridge.delivery.lanes).
"""

from collections.abc import Callable, Sequence

from attrs import Attribute, define, evolve, field, frozen

from bridge.delivery.judge import Judge
from bridge.delivery.ports import Link
from bridge.identity.snapshot import NoRoute, Route
from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Authorization, Body, Consent, ContactEdit, PresenceUpdate, Receipt, Standing
from bridge.model.capabilities import SendResult
from bridge.model.envelope import Direction, Draft, Envelope, Origin, Unmappable
from bridge.model.ids import EventId, IdempotencyKey, NetworkId, PersonId, RemoteConversationId, RemoteUserId
from bridge.model.presence import OFFLINE, Basic, PersonPresence
from bridge.presence.approvals import Request, Verdict
from bridge.presence.hub import Sight, Watcher

_BACK = {
    Direction.OUTBOUND: Direction.INBOUND,
    Direction.INBOUND: Direction.OUTBOUND,
    Direction.INTERNAL: Direction.INTERNAL,
}
SEND_SECONDS = 30.0
"""How long a notification may take before nobody waits for it any more."""


def _not_durable(_: object, __: "Attribute[Envelope]", value: Envelope) -> None:
    if value.body.durable:
        raise TypeError(f"a {type(value.body).__name__} goes on record before it is delivered")


@frozen
class Ephemeral:
    """An envelope that needs no record.

    Raises:
        TypeError: its body is durable.
    """

    envelope: Envelope = field(validator=_not_durable)


@define(eq=False)
class EphemeralDelivery:
    """Sends what is not kept, and is the presence hub's outlet.

    Args:
        links: the networks.
        judge: policy and directory.
        mint: makes event ids.
        clock: seconds since the epoch.
        monotonic: seconds for deadlines.
    """

    links: dict[NetworkId, Link]
    judge: Judge
    mint: Callable[[], EventId]
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    answered: Callable[[Request], None] = field(init=False, default=lambda _: None)
    """Told of each answer to a request that its network has taken."""
    looked: Callable[[Identity, PersonId, bool], None] = field(init=False, default=lambda _, __, ___: None)
    """Told of targets that are watched from now on, or by nobody any more (`looked_at`)."""
    asked: Callable[[Watcher, Callable[[], None]], bool] = field(init=False, default=lambda _, __: False)
    """Asks for the state of a target elsewhere, once (`ask`)."""
    failures: int = field(init=False, default=0)

    def forward(self, draft: Draft) -> str | None:
        """Sends a typing notice on to where its recipient is. Returns why not, if it was not sent."""
        for recipient in draft.recipients:
            way = self.judge.directory.route(draft.origin, draft.sender.address, recipient.address)
            if isinstance(way, NoRoute):
                return way.reason
            envelope = self.envelope(draft.origin, draft.conversation, way, draft.body)
            decision = self.judge.judge(envelope, way.recipient)
            if decision.effect not in {"allow", "redact"}:
                return decision.reason
            self._send(Ephemeral(envelope), way.recipient, way.account)
        return None

    def tell_back(self, about: Envelope, receipt: Receipt) -> None:
        """Tells the sender of a message what became of it, as far as policy lets receipts go that way."""
        teller, asker = about.recipients[0], about.sender
        way = Route(
            sender=teller,
            recipient=asker,
            account="" if asker.address.corporate else about.origin.account,
            direction=_BACK[about.direction],
        )
        origin = Origin(network=teller.address.network, account=teller.address.user)
        envelope = self.envelope(origin, about.conversation, way, receipt)
        if self.judge.judge(envelope, asker).effect in {"allow", "redact"}:
            self._send(Ephemeral(envelope), asker, way.account)

    def envelope(self, origin: Origin, conversation: ConversationKey, way: Route, body: Body) -> Envelope:
        """Returns the envelope of an event that goes a known way."""
        return Envelope(
            id=self.mint(),
            origin=origin,
            conversation=conversation,
            sender=way.sender,
            recipients=(way.recipient,),
            direction=way.direction,
            received_at=self.clock(),
            body=body,
        )

    def sight(self, watcher: Identity, target: Identity) -> Sight:
        """Returns what policy lets ``watcher`` see of ``target`` now. The state flows from target to watcher."""
        envelope = self._told(target, watcher, PresenceUpdate(presence=_NOTHING), _way(target, watcher))
        decision = self.judge.judge(envelope, watcher)
        if decision.effect in {"allow", "redact"}:
            return Sight.SEEN
        if decision.effect == "hold":
            return Sight.ASKS
        return Sight.POLITE if decision.polite else Sight.HIDDEN

    def age(self) -> object:
        """Returns what is another value when `sight` may answer otherwise: for policy, hours or people are others."""
        policy = self.judge.policy
        return id(policy), policy.in_force(self.clock()), self.judge.directory.version

    # The outlet of the presence hub

    def notify(
        self, watchers: Sequence[Watcher], presence: PersonPresence, standing: Standing, *, hidden: bool
    ) -> None:
        """Tells watchers of one target; not every note may go to each of them."""
        if not presence.words or not self.judge.policy.find("\n".join(presence.words)):
            # No lexicon finds anything in it, so that the words of it change nothing: who may see it sees them too.
            self._notify(watchers, presence, standing, hidden)
            return
        groups: dict[PersonPresence, list[Watcher]] = {}
        for watcher in watchers:
            way = _way(watcher.target, watcher.identity)
            shown = self._let_through(watcher.target, watcher.identity, way, presence)
            groups.setdefault(shown, []).append(watcher)
        for shown, group in groups.items():
            self._notify(group, shown, standing, hidden)

    def _notify(self, watchers: Sequence[Watcher], presence: PersonPresence, standing: Standing, hidden: bool) -> None:
        body = PresenceUpdate(
            presence=presence, watches=tuple([watcher.id for watcher in watchers]), standing=standing, hidden=hidden
        )
        envelope = self._told(watchers[0].target, watchers[0].identity, body)
        self._send(Ephemeral(envelope), watchers[0].identity, "")

    def answer(self, request: Request) -> None:
        """Tells somebody on a network whether they may see a person, and notes when the network has taken it."""
        contact = request.contact
        if contact is None or request.verdict is Verdict.WAITS:
            return
        to = Identity(address=contact)
        consent = Consent.GRANTED if request.verdict is Verdict.APPROVED else Consent.REFUSED
        sender = self.judge.directory.identity(request.target)
        envelope = self._told(sender, to, Authorization(consent=consent), Direction.OUTBOUND)

        def sent(result: SendResult) -> None:
            self._result(result)
            if result.failure is None:
                self.answered(request)

        self._send(Ephemeral(envelope), to, request.account, sent)

    def show(self, person: PersonId, presence: PersonPresence) -> None:
        """Shows a person's presence on each account of theirs on the networks, as far as policy lets it out."""
        for binding in self.judge.directory.names_of(person):
            self.show_on(person, binding.network, binding.account, presence)

    def show_on(self, person: PersonId, network: NetworkId, account: str, presence: PersonPresence) -> None:
        """Shows a person's presence on one account, as far as policy lets it out."""
        own = _own(person, network, account)
        body = PresenceUpdate(presence=self.let_out(person, network, account, presence))
        envelope = self._told(self.judge.directory.identity(person), own, body, Direction.OUTBOUND)
        self._send(Ephemeral(envelope), own, account)

    def let_out(self, person: PersonId, network: NetworkId, account: str, presence: PersonPresence) -> PersonPresence:
        """Returns what policy lets a network know of a person's presence: all of it, it without its note, or nothing.

        Nothing is the same as not being there, so that the network cannot tell one from the other.
        """
        own, sender = _own(person, network, account), self.judge.directory.identity(person)
        return self._let_through(sender, own, Direction.OUTBOUND, presence)

    def _let_through(
        self, sender: Identity, recipient: Identity, direction: Direction, presence: PersonPresence
    ) -> PersonPresence:
        """Returns what of a presence may be shown to one recipient: all of it, it without its notes, or nothing."""
        candidates = (presence, _without_notes(presence)) if presence.words else (presence,)
        for candidate in candidates:
            envelope = self._told(sender, recipient, PresenceUpdate(presence=candidate), direction)
            decision = self.judge.judge(envelope, recipient)
            if decision.effect == "allow":
                return candidate
            if decision.effect == "redact":
                return evolve(_without_notes(candidate), note=decision.redacted_text or "")
        return OFFLINE

    def want(self, person: PersonId, contact: Address, *, wanted: bool) -> None:
        """Puts a contact on a person's list on the contact's network, or takes it off."""
        binding = self.judge.directory.account_of(person, contact.network)
        if binding is None:
            return
        target = Identity(address=contact)
        sender = self.judge.directory.identity(person)
        envelope = self._told(sender, target, ContactEdit(wanted=wanted), Direction.OUTBOUND)
        self._send(Ephemeral(envelope), target, binding.account)

    def looked_at(self, target: Identity, by: PersonId, *, wanted: bool) -> None:
        """Tells who wants to know of targets that somebody watches now, or nobody any more."""
        self.looked(target, by, wanted)

    def ask(self, watcher: Watcher, then: Callable[[], None]) -> bool:
        """Asks for the state of a target that is elsewhere; ``then`` is called when it is known. Returns whether."""
        return self.asked(watcher, then)

    def _told(
        self, sender: Identity, recipient: Identity, body: Body, direction: Direction = Direction.INTERNAL
    ) -> Envelope:
        return Envelope(
            id=self.mint(),
            origin=Origin(network=sender.address.network, account=sender.address.user),
            conversation=ConversationKey(
                network=recipient.address.network, remote_id=RemoteConversationId(recipient.address.user)
            ),
            sender=sender,
            recipients=(recipient,),
            direction=direction,
            received_at=self.clock(),
            body=body,
        )

    def _send(
        self,
        ephemeral: Ephemeral,
        recipient: Identity,
        account: str,
        on_result: Callable[[SendResult], None] | None = None,
    ) -> None:
        link = self.links.get(recipient.address.network)
        if link is None:
            return
        envelope = ephemeral.envelope
        translated = link.mapping.from_canonical(
            envelope, recipient, account, link.transport.capabilities_of(recipient.address.user)
        )
        if isinstance(translated, Unmappable):
            return
        deadline = self.monotonic() + SEND_SECONDS
        for index, native in enumerate(translated.natives):
            key = IdempotencyKey(f"{envelope.id}/{index}")
            link.transport.send(native, key=key, deadline=deadline, on_result=on_result or self._result)

    def _result(self, result: SendResult) -> None:
        if result.failure is not None:
            self.failures += 1


def _way(target: Identity, watcher: Identity) -> Direction:
    """Which way a target's state goes to who watches it."""
    if not (target.person is not None and target.address.corporate):
        return Direction.INBOUND
    return Direction.INTERNAL if watcher.address.corporate else Direction.OUTBOUND


def _without_notes(presence: PersonPresence) -> PersonPresence:
    return evolve(presence, note="", devices=(), moods=(), places=(), sphere="", time_offset=None)


def _own(person: PersonId, network: NetworkId, account: str) -> Identity:
    return Identity(address=Address(network=network, user=RemoteUserId(account)), person=person)


_NOTHING = PersonPresence(basic=Basic.CLOSED)
