"""YMSG's native events and the model: texts with Yahoo!'s formatting, typing, presence, contacts.

The mapping keeps nothing but a bounded memo of names. YMSG has no ids of messages: the name of one that we send is
derived from the event and its recipient, and is for the transport alone.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from attrs import field, frozen

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import (
    Authorization,
    Body,
    Consent,
    ContactEdit,
    Message,
    PresenceUpdate,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Draft, Envelope, Loss, Origin, Translated, Unmappable
from bridge.model.ids import NetworkId, RemoteConversationId, RemoteMessageId, RemoteUserId
from mappings.identity import AddressError, normalise, safe_display_name
from mappings.richtext import Rich, from_part, plain, split_rich, to_part, to_plain
from mappings.text import utf8_cost
from mappings.ymsg_notices import consent_of, notice_of
from mappings.ymsg_presence import from_buddy, to_own
from mappings.ymsg_text import from_yahoo, losses_of, measured, to_yahoo
from transports.ymsg.wire import native as wire

MEMO_ENTRIES: Final = 16_384
KIND: Final = "ymsg"

YmsgNative = wire.Inbound | wire.Outbound


@frozen(kw_only=True, eq=False)
class YmsgMapping:
    """Translates between a YMSG transport and the model.

    Args:
        network: the configured name of the network (``yahoo``).
        clock: seconds since the epoch; what idle seconds count back from.
    """

    network: NetworkId
    clock: Callable[[], float]
    _identities: dict[str, Identity] = field(factory=dict, init=False)

    # From the wire

    def to_canonical(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, or none where it concerns the link alone.

        What a person should know of and the model has no form for (a buzz, a declined conference) becomes an automatic
        message from whom it is about, in brackets. Unmappable where a name is none (``feature``: ``address``), where a
        message cannot be read (``malformed``), was written in a conference (``room``), or comes from the server itself
        (``system``).
        """
        try:
            return self._read(native)
        except AddressError as error:
            return Unmappable(feature="address", reason=str(error))

    def _read(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        if isinstance(native, wire.ImReceived):
            return (self._message(native),)
        if isinstance(native, wire.TypingReceived):
            state = TypingState.ACTIVE if native.typing else TypingState.IDLE
            return (self._draft(native.account, native.sender, Typing(state=state)),)
        if isinstance(native, wire.BuddyPresence):
            return self._presence(native)
        unmappable = _unmappable(native)
        if unmappable is not None:
            return unmappable
        return self._told(native)

    def _told(self, native: wire.Inbound) -> tuple[Draft, ...]:
        consent, notice = consent_of(native), notice_of(native)
        if notice is None:
            return ()
        drafts: tuple[Draft, ...] = ()
        if consent is not None:
            drafts = (self._draft(native.account, notice.about, consent),)
        body = Message(parts=(to_part(plain(notice.text)),), automatic=True)
        remote_id = None if notice.again is None else RemoteMessageId(notice.again)
        return (*drafts, self._draft(native.account, notice.about, body, remote_id=remote_id))

    def _identity(self, name: str) -> Identity:
        known = self._identities.get(name)
        if known is not None:
            return known
        user = normalise(KIND, name)
        address = Address(network=self.network, user=RemoteUserId(user))
        made = Identity(address=address, display_name="" if name == user else safe_display_name(name, user))
        if len(self._identities) >= MEMO_ENTRIES:
            self._identities.clear()
        self._identities[name] = made
        return made

    def _draft(
        self,
        account: str,
        other: str,
        body: Body,
        *,
        remote_id: RemoteMessageId | None = None,
        claimed_at: float | None = None,
        losses: tuple[Loss, ...] = (),
    ) -> Draft:
        own, sender = self._identity(account), self._identity(other)
        return Draft(
            origin=Origin(network=self.network, account=own.address.user, remote_id=remote_id),
            conversation=ConversationKey(
                network=self.network,
                remote_id=RemoteConversationId(sender.address.user),
                receiver=own.address.user,
            ),
            sender=sender,
            recipients=(own,),
            body=body,
            claimed_at=claimed_at,
            losses=losses,
        )

    def _message(self, native: wire.ImReceived) -> Draft:
        rich = from_yahoo(native.text)
        losses = rich.losses
        if native.lossy:
            detail = "bytes that are none in the encoding they were said to be in"
            losses = (*losses, Loss(feature="charset", detail=detail))
        return self._draft(
            native.account,
            native.sender,
            Message(parts=(to_part(rich),)),
            remote_id=_remote_id(native, self._identity(native.sender).address.user),
            claimed_at=None if native.timestamp is None else float(native.timestamp),
            losses=losses,
        )

    def _presence(self, native: wire.BuddyPresence) -> tuple[Draft, ...]:
        if normalise(KIND, native.name) == normalise(KIND, native.account):
            return ()  # the echo of what we show ourselves
        presence, losses = from_buddy(native, self.clock())
        return (self._draft(native.account, native.name, PresenceUpdate(presence=presence), losses=losses),)

    # To the wire

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[YmsgNative] | Unmappable:
        """Returns the native events that carry an envelope to one Yahoo! ID, from the account that sends.

        Unmappable names as ``feature`` the kind of the body where YMSG has no form for it.
        """
        body = event.body
        to = recipient.address.user
        if isinstance(body, Message):
            return _send_message(event, body, to, account, caps)
        if isinstance(body, Typing):
            return _send_typing(body, to, account, caps)
        if isinstance(body, PresenceUpdate):
            own, losses = to_own(account, body.presence)
            return Translated(natives=(own,), losses=losses)
        if isinstance(body, Authorization):
            accepted = body.consent is Consent.GRANTED
            return Translated(natives=(wire.ContactAnswer(account=account, to=to, accepted=accepted),))
        if isinstance(body, ContactEdit):
            edit = wire.BuddyAdd if body.wanted else wire.BuddyRemove
            return Translated(natives=(edit(account=account, name=to),))
        return Unmappable(feature=type(body).__name__.lower(), reason="YMSG has no form for it")


def _unmappable(native: wire.Inbound) -> Unmappable | None:
    if isinstance(native, wire.ImUnreadable):
        return Unmappable(feature="malformed", reason=f"a message that cannot be read: {native.reason}")
    if isinstance(native, wire.ConferenceMessage):
        return Unmappable(feature="room", reason="a message in a conference, which the bridge takes no part in")
    if isinstance(native, wire.SystemMessage):
        return Unmappable(feature="system", reason="a message of the server itself")
    if isinstance(native, wire.ImRefused) and native.to is None:
        return Unmappable(feature="refused", reason="the network did not send a message, and does not say which")
    return None


def _send_typing(body: Typing, to: str, account: str, caps: Capabilities) -> Translated[YmsgNative] | Unmappable:
    if caps.typing is Support.DROPPED:
        return Unmappable(feature="typing", reason="this contact takes no typing notices")
    losses: tuple[Loss, ...] = ()
    if body.state in {TypingState.PAUSED, TypingState.GONE}:
        losses = (Loss(feature="typing", detail=f"{body.state.value} is told as idle"),)
    typing = body.state is TypingState.ACTIVE
    return Translated(natives=(wire.TypingSend(account=account, to=to, typing=typing),), losses=losses)


def _send_message(event: Envelope, body: Message, to: str, account: str, caps: Capabilities) -> Translated[YmsgNative]:
    rich, losses = _rich(body, keep_style=caps.html is not Support.DROPPED)
    pieces = split_rich(rich, caps.max_text_bytes, utf8_cost, measured)
    natives = tuple(
        wire.ImSend(account=account, to=to, text=to_yahoo(piece), id=message_name(event.id, to, index))
        for index, piece in enumerate(pieces)
    )
    return Translated(natives=natives, losses=losses)


def message_name(event: str, to: str, index: int) -> str:
    """Returns our own name of one piece of one delivery: the same for every attempt."""
    return sha256(f"ymsg\0{event}\0{to}\0{index}".encode()).hexdigest()[:16]


def _rich(body: Message, *, keep_style: bool) -> tuple[Rich, tuple[Loss, ...]]:
    losses: list[Loss] = []
    if body.subject:
        losses.append(Loss(feature="subject", detail="told in the text"))
    losses += [Loss(feature="attachment", detail=part.name) for part in body.parts if not isinstance(part, TextPart)]
    part = body.parts[0] if len(body.parts) == 1 else None
    if isinstance(part, TextPart) and part.html is not None and keep_style:
        rich = from_part(part)
    else:
        rich = plain(body.text)
        if any(isinstance(item, TextPart) and item.html is not None for item in body.parts):
            losses.append(Loss(feature="html", detail="formatting is told as plain text"))
    losses += (*rich.losses, *losses_of(rich))
    if body.subject:
        head = plain(f"{body.subject}\n")
        rich = Rich((*head.runs, *rich.runs) if rich.styled else plain(f"{body.subject}\n{to_plain(rich)}").runs)
    return rich, tuple(losses)


def _remote_id(native: wire.ImReceived, sender: str) -> RemoteMessageId | None:
    if native.message_id is not None:
        return RemoteMessageId(f"{sender}/{native.message_id}")
    if not native.offline:
        return None  # nothing names it, and who writes the same twice means it
    # A stored message has no name either: sender, time and text are all that tells two apart.
    digest = sha256(native.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return RemoteMessageId(f"{sender}/{native.timestamp or 0}/{digest}/{native.nth}")
