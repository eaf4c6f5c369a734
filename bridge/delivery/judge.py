"""Puts an event before the policy: people become parties, the answer stays what the policy said."""

from typing import Protocol

from bridge.identity.snapshot import IdentitySnapshot
from bridge.model.address import Identity
from bridge.model.body import Attachment, Edit, Message, PresenceUpdate, Reaction, TextPart
from bridge.model.envelope import Direction, Envelope
from bridge.policy.values import Decision, Party, Subject

_PARTIES_KEPT = 50_000


class Policy(Protocol):
    """A compiled policy: an immutable snapshot."""

    def decide(self, subject: Subject) -> Decision:
        """Judges one event."""


class Judge:
    """Judges envelopes by the policy and the directory that are in force.

    Args:
        policy: the policy; replaced as a whole when a new one is loaded.
        directory: the people; replaced as a whole when they change.
    """

    def __init__(self, policy: Policy, directory: IdentitySnapshot) -> None:
        self.policy = policy
        self.directory = directory
        self._parties: dict[Identity, Party] = {}
        self._parties_of = -1

    def judge(self, envelope: Envelope, recipient: Identity) -> Decision:
        """Returns what the policy says to one recipient of an envelope."""
        internal = envelope.direction is Direction.INTERNAL
        text, content_type, size = _readable(envelope)
        return self.policy.decide(
            Subject(
                kind=envelope.body.kind,
                direction=envelope.direction.value,
                sender=self._party(envelope.sender),
                recipient=self._party(recipient),
                at=envelope.received_at,
                text=text,
                content_type=content_type,
                size=size,
                conversation="internal" if internal else "external",
                user_agent=envelope.origin.user_agent or None,
            )
        )

    def _party(self, identity: Identity) -> Party:
        version = self.directory.version
        if version != self._parties_of or len(self._parties) > _PARTIES_KEPT:
            self._parties.clear()
            self._parties_of = version
        known = self._parties.get(identity)
        if known is None:
            known = self._parties[identity] = self._make_party(identity)
        return known

    def _make_party(self, identity: Identity) -> Party:
        address, person = identity.address, identity.person
        groups = self.directory.groups_of(person) if person is not None else frozenset[str]()
        if address.corporate:
            return Party(
                address=address.user,
                domain=address.user.rpartition("@")[2],
                person=person,
                groups=groups,
                assurance="authenticated" if person is not None else "unverified",
            )
        return Party(
            address=str(address),
            network=address.network,
            person=person,
            groups=groups,
            assurance="bound" if person is not None else "asserted",
        )


def _readable(envelope: Envelope) -> tuple[str | None, str | None, int | None]:
    """Returns all that a person would read of an envelope, its media type and its size in bytes."""
    body = envelope.body
    if type(body) is Message:
        if len(body.parts) == 1 and not body.subject and isinstance(part := body.parts[0], TextPart):
            text = part.text
            return text, "text/plain", len(text) if text.isascii() else len(text.encode())
        text = body.text
        extra = [part.name for part in body.parts if isinstance(part, Attachment)]
        if body.subject:
            extra.append(body.subject)
        media = next((part.media_type for part in body.parts if isinstance(part, Attachment)), "text/plain")
        return ("\n".join([text, *extra]) if extra else text), media, len(text.encode())
    if isinstance(body, Edit):
        return body.replacement.text, "text/plain", len(body.replacement.text.encode())
    if isinstance(body, Reaction):
        return body.emoji, None, None
    if isinstance(body, PresenceUpdate):
        return body.presence.note or None, None, None
    return None, None, None
