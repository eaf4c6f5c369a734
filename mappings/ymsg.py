"""YMSG's native events and the model: texts with Yahoo!'s formatting, typing, presence, contacts.

The mapping keeps nothing but a bounded memo of names. YMSG has no ids of messages: the name of one that we send is
derived from the event and its recipient, and is for the transport alone.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from attrs import frozen

from bridge.model.address import Identity
from bridge.model.body import (
    Authorization,
    Consent,
    ContactEdit,
    Message,
    PresenceUpdate,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Draft, Envelope, Loss, Translated, Unmappable
from bridge.model.ids import RemoteMessageId
from mappings.direct import DirectMapping, rich_with_subject
from mappings.identity import AddressError, normalise
from mappings.richtext import plain, split_rich, to_part
from mappings.text import utf8_cost
from mappings.ymsg_notices import consent_of, notice_of
from mappings.ymsg_presence import from_buddy, to_own
from mappings.ymsg_text import from_yahoo, losses_of, measured, to_yahoo
from transports.ymsg.wire import native as wire

YmsgNative = wire.Inbound | wire.Outbound


@frozen(kw_only=True, eq=False)
class YmsgMapping(DirectMapping):
    """Translates between a YMSG transport and the model.

    Args:
        network: the configured name of the network (``yahoo``).
        clock: seconds since the epoch; what idle seconds count back from.
    """

    KIND = "ymsg"
    clock: Callable[[], float]

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

    def _made(self, name: str, shown: str) -> Identity:
        del shown  # an ID is shown as it is written
        return super()._made(name, name)

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
        if normalise(self.KIND, native.name) == normalise(self.KIND, native.account):
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
    rich, losses = rich_with_subject(body, keep_style=caps.html is not Support.DROPPED)
    pieces = split_rich(rich, caps.max_text_bytes, utf8_cost, measured)
    natives = tuple(
        wire.ImSend(account=account, to=to, text=to_yahoo(piece), id=message_name(event.id, to, index))
        for index, piece in enumerate(pieces)
    )
    return Translated(natives=natives, losses=(*losses, *losses_of(rich)))


def message_name(event: str, to: str, index: int) -> str:
    """Returns our own name of one piece of one delivery: the same for every attempt."""
    return sha256(f"ymsg\0{event}\0{to}\0{index}".encode()).hexdigest()[:16]


def _remote_id(native: wire.ImReceived, sender: str) -> RemoteMessageId | None:
    if native.message_id is not None:
        return RemoteMessageId(f"{sender}/{native.message_id}")
    if not native.offline:
        return None  # nothing names it, and who writes the same twice means it
    # A stored message has no name either: sender, time and text are all that tells two apart.
    digest = sha256(native.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return RemoteMessageId(f"{sender}/{native.timestamp or 0}/{digest}/{native.nth}")
