"""What the bridge itself tells a sender: that a message waits, or did not arrive. Never about its own notices."""

from collections.abc import Callable

from attrs import frozen

from bridge.delivery.lanes import Lane
from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Failure, Message, Stage, TextPart
from bridge.model.capabilities import LINK_DOWN, RECIPIENT_OFFLINE
from bridge.model.envelope import Direction, Envelope, Origin
from bridge.model.ids import SIP, EventId, NetworkId, RemoteConversationId, RemoteUserId

Write = Callable[[Identity, str], None]
"""Writes a notice to a person: ``Pipeline.write_notice``."""

_SYSTEM = NetworkId("system")
_QUOTED = 40


@frozen(kw_only=True)
class Notices:
    """Writes notices from one address of the bridge's own.

    Args:
        address: the address-of-record that notices come from, such as ``simplebridge@corp.example``.
    """

    address: str

    def envelope(self, event: EventId, recipient: Identity, text: str, now: float) -> Envelope:
        """Returns the notice as an envelope."""
        sender = Address(network=SIP, user=RemoteUserId(self.address))
        return Envelope(
            id=event,
            origin=Origin(network=_SYSTEM, account=self.address),
            conversation=ConversationKey(network=_SYSTEM, remote_id=RemoteConversationId(recipient.address.user)),
            sender=Identity(address=sender, display_name="simplebridge"),
            recipients=(recipient,),
            direction=Direction.INTERNAL,
            received_at=now,
            body=Message(parts=(TextPart(text=text),), automatic=True),
        )

    def failed(self, write: Write, envelope: Envelope, stage: Stage, failure: Failure) -> None:
        """Tells the sender of a message that it did not arrive, or that nobody knows whether it did."""
        if not self._may_tell(envelope):
            return
        verb = "may not have been delivered" if stage is Stage.UNKNOWN else "was not delivered"
        to = _shown(envelope.recipients[0])
        why = failure.user_text.rstrip(".")
        write(
            envelope.sender,
            f"Your message {_quote(envelope)} to {to} {verb}: {why}. Reference: {envelope.id}",
        )

    def waits(self, write: Write, lane: Lane) -> None:
        """Tells a sender that messages wait, and why as far as it is known."""
        parcel = lane.parcels[0]
        envelope = parcel.envelope
        if not self._may_tell(envelope):
            return
        count = len(lane.parcels)
        what = "Your message" if count == 1 else f"{count} of your messages"
        verb = "waits" if count == 1 else "wait"
        to = _shown(envelope.recipients[0])
        inside = envelope.recipients[0].address.corporate
        why = _WHY.get(parcel.last_reason, _NO_ANSWER if inside else _SLOW)
        write(envelope.sender, f"{what} to {to} {verb}: {why}. Nothing is lost and you need not repeat it.")

    @staticmethod
    def _may_tell(envelope: Envelope) -> bool:
        return (
            envelope.sender.address.corporate
            and envelope.origin.network != _SYSTEM
            and isinstance(envelope.body, Message)
            and not envelope.body.automatic
        )


_WHY = {
    RECIPIENT_OFFLINE: "no device of theirs is signed on",
    LINK_DOWN: "the connection to the network is being restored",
}


_NO_ANSWER = "no device of theirs takes it now"
"""Of a colleague: nobody limits the pace inside."""
_SLOW = "the network takes messages at a limited pace"


def _shown(identity: Identity) -> str:
    return identity.address.user if identity.address.corporate else str(identity.address)


def _quote(envelope: Envelope) -> str:
    text = envelope.body.text if isinstance(envelope.body, Message) else ""
    flat = " ".join(text.split())
    return f"“{flat[:_QUOTED]}…”" if len(flat) > _QUOTED else f"“{flat}”"
