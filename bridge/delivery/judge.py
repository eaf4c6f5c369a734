"""Puts an event before the policy: people become parties, the answer stays what the policy said.

A message is judged together with what its sender wrote just before in the same conversation, so that a word that is
split over messages is found, and with the name that its sender goes by, which the recipient reads too.
"""

from collections.abc import Sequence
from sys import intern
from typing import Final, Protocol

from attrs import evolve

from bridge.identity.snapshot import IdentitySnapshot
from bridge.model.address import Identity
from bridge.model.body import Attachment, Edit, Message, PresenceUpdate, Reaction, TextPart
from bridge.model.cache import TwoGenerationCache
from bridge.model.envelope import Direction, Envelope
from bridge.policy.matcher import PRECEDING_LIMIT
from bridge.policy.values import Decision, Effect, Hit, Party, Subject

_PARTIES_KEPT = 32_768
PRECEDING_SECONDS: Final = 3600.0
"""How long what was written counts as written just before."""
_CONVERSATIONS_KEPT = 32_768
_NAMES_KEPT = 16_384
_STRENGTH: Final[dict[Effect, int]] = {"allow": 0, "redact": 1, "hold": 2, "forbid": 3}


class Policy(Protocol):
    """A compiled policy: an immutable snapshot."""

    def decide(self, subject: Subject, preceding: str = "") -> Decision:
        """Judges one event; ``preceding`` is what the same sender wrote just before."""

    def in_force(self, at: float) -> object:
        """Returns what is the same at all times at which the same rules hold."""

    def find(self, text: str, lexicons: Sequence[str] | None = None, preceding: str = "") -> tuple[Hit, ...]:
        """Returns what the lexicons find in a text."""


class Judge:
    """Judges envelopes by the policy and the directory that are in force.

    Args:
        policy: the policy; replaced as a whole when a new one is loaded.
        directory: the people; replaced as a whole when they change.
    """

    def __init__(self, policy: Policy, directory: IdentitySnapshot) -> None:
        self.policy = policy
        self.directory = directory
        self._parties: TwoGenerationCache[Identity, Party] = TwoGenerationCache(_PARTIES_KEPT)
        self._parties_of = -1
        self._written: TwoGenerationCache[tuple[str, str], tuple[float, str]] = TwoGenerationCache(_CONVERSATIONS_KEPT)
        self._names: TwoGenerationCache[str, bool] = TwoGenerationCache(_NAMES_KEPT)
        self._names_of: Policy = policy

    def judge(self, envelope: Envelope, recipient: Identity) -> Decision:
        """Returns what the policy says to one recipient of an envelope."""
        internal = envelope.direction is Direction.INTERNAL
        text, content_type, size = _readable(envelope)
        subject = Subject(
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
        if text is None or subject.kind != "message":
            return self.policy.decide(subject)
        ends = _who(envelope.sender), _who(recipient)
        decision = self.policy.decide(subject, self._written_before(ends, envelope.received_at))
        if envelope.sender.display_name and type(envelope.body) is Message:
            decision = self._with_name(decision, subject, envelope.sender)
        shown = text if decision.redacted_text is None else decision.redacted_text
        # Who was refused has told the recipient nothing; and blank messages must not push out what came before them.
        if decision.effect != "forbid" and shown.strip():
            self._note(ends, envelope.received_at, shown)
        return decision

    # Words that are split over messages

    def _written_before(self, ends: tuple[str, str], now: float) -> str:
        at, text = self._written.get(ends) or (now, "")
        return text if abs(now - at) <= PRECEDING_SECONDS else ""

    def _note(self, ends: tuple[str, str], now: float, text: str) -> None:
        if len(text) < PRECEDING_LIMIT:
            before = self._written_before(ends, now)
            text = f"{before}\n{text}" if before else text
        self._written.put(ends, (now, text[-PRECEDING_LIMIT:]))

    # Names: who writes may call themselves what they must not write

    def given_name(self, sender: Identity) -> str:
        """Returns the name that the directory gives a sender; empty where it gives none."""
        return "" if sender.person is None else self.directory.identity(sender.person).display_name

    def _with_name(self, decision: Decision, subject: Subject, sender: Identity) -> Decision:
        """Returns the decision on a message whose sender goes by a name of their own choice: the stronger one."""
        name = sender.display_name
        if not self._is_suspect(name) or name == self.given_name(sender):
            return decision
        of_name = self.policy.decide(evolve(subject, text=name))
        stronger = of_name if _STRENGTH[of_name.effect] > _STRENGTH[decision.effect] else decision
        if of_name.redacted_text is None and decision.redacted_text is None:
            return stronger
        # Of a name nothing is kept, of the text what may be.
        kept = subject.text if decision.redacted_text is None else decision.redacted_text
        return evolve(stronger, redacted_text=kept)

    def _is_suspect(self, name: str) -> bool:
        """Whether any lexicon finds anything in a name. Remembered: people write much and change their name little."""
        if self._names_of is not self.policy:
            self._names = TwoGenerationCache(_NAMES_KEPT)
            self._names_of = self.policy
        suspect = self._names.get(name)
        if suspect is None:
            suspect = bool(self.policy.find(name))
            self._names.put(name, suspect)
        return suspect

    # People

    def _party(self, identity: Identity) -> Party:
        version = self.directory.version
        if version != self._parties_of:
            self._parties.clear()
            self._parties_of = version
        known = self._parties.get(identity)
        if known is None:
            known = self._make_party(identity)
            self._parties.put(identity, known)
        return known

    def _make_party(self, identity: Identity) -> Party:
        address, person = identity.address, identity.person
        groups = self.directory.groups_of(person) if person is not None else frozenset[str]()
        if address.corporate:
            return Party(
                address=address.user,
                domain=intern(address.user.rpartition("@")[2]),  # few domains, and very many parties
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


def _who(identity: Identity) -> str:
    """Returns whose words these are: a person's, by whatever name of theirs, else an address's."""
    return str(identity.address) if identity.person is None else identity.person


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
        return "\n".join(dict.fromkeys(body.presence.words)) or None, None, None
    return None, None, None
