"""Values for tests: people, envelopes, licences to deliver."""

from bridge.compliance import record
from bridge.compliance.record import Recorded
from bridge.delivery.ports import OutboxItem
from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Body, Message, TextPart
from bridge.model.envelope import Direction, Draft, Envelope, Origin
from bridge.model.ids import (
    SIP,
    EventId,
    IdempotencyKey,
    NetworkId,
    PersonId,
    RemoteConversationId,
    RemoteMessageId,
    RemoteUserId,
)

AIM = NetworkId("aim")


def address(text: str) -> Address:
    """``sip/alice@corp.example`` or ``aim/theboogyman``."""
    return Address.parse(text)


def person(user: str) -> Identity:
    """A colleague: ``alice`` or ``alice@corp.example``."""
    full = user if "@" in user else f"{user}@corp.example"
    return Identity(address=Address(network=SIP, user=RemoteUserId(full)), person=PersonId(full))


def contact(name: str, network: NetworkId = AIM) -> Identity:
    """Somebody outside."""
    return Identity(address=Address(network=network, user=RemoteUserId(name)))


def message(text: str) -> Message:
    return Message(parts=(TextPart(text=text),))


def draft(
    sender: Identity, recipient: Identity, body: Body | None = None, *, remote_id: str | None = None, account: str = ""
) -> Draft:
    """What a mapping would make of a native event."""
    network = sender.address.network
    return Draft(
        origin=Origin(
            network=network,
            account=account or sender.address.user,
            remote_id=RemoteMessageId(remote_id) if remote_id else None,
        ),
        conversation=ConversationKey(network=network, remote_id=RemoteConversationId("c")),
        sender=Identity(address=sender.address),
        recipients=(Identity(address=recipient.address),),
        body=body or message("hello"),
    )


def envelope(number: int = 1, text: str = "hello", *, sender: str = "alice", to: str = "theboogyman") -> Envelope:
    """An outbound message from a colleague to an AIM contact."""
    return Envelope(
        id=EventId(f"01a208c9-1e16-7000-9e01-{number:012d}"),
        origin=Origin(network=SIP, account=f"{sender}@corp.example", remote_id=RemoteMessageId(f"m{number}")),
        conversation=ConversationKey(network=SIP, remote_id=RemoteConversationId("c1")),
        sender=person(sender),
        recipients=(contact(to),),
        direction=Direction.OUTBOUND,
        received_at=1_000_000.0,
        body=message(text),
    )


def recorded(event: Envelope, seq: int = 0) -> Recorded:
    """A licence such as the log hands out after the commit."""
    return Recorded(record._LICENCE, seq, bytes(32), record.INTAKE, event.id, event)


def outbox_item(event: Envelope, *, lane: str = "", expires_at: float = 2_000_000.0) -> OutboxItem:
    """The delivery of an envelope to its first recipient."""
    recipient = event.recipients[0].address
    return OutboxItem(
        key=IdempotencyKey(f"{event.id}.0"),
        event=event.id,
        lane=lane or f"{event.sender.address}>{recipient}",
        network=recipient.network,
        account="alicework",
        recipient=recipient.user,
        expires_at=expires_at,
    )
