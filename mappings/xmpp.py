"""XMPP's native events and the model (RFC 7572, 7573, 8048): messages, typing, receipts, presence and consent.

The mapping keeps nothing but a bounded memo of names. The id of a message is derived from the event and its recipient,
so that a retry has the same.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from attrs import evolve, frozen

from bridge.model.address import Identity
from bridge.model.body import (
    Authorization,
    Body,
    Consent,
    ContactEdit,
    Edit,
    Message,
    PresenceUpdate,
    Receipt,
    Stage,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Draft, Envelope, Loss, Translated, Unmappable
from bridge.model.ids import RemoteMessageId
from mappings.direct import DirectMapping, rich_of
from mappings.identity import AddressError
from mappings.richtext import Rich, from_html, plain, split_rich, to_html, to_part, to_plain
from mappings.text import clean, utf8_cost
from mappings.xmpp_errors import failure_of, of_failure, type_of
from mappings.xmpp_presence import from_contact, to_own
from transports.xmpp.wire import native as wire
from transports.xmpp.wire.xml import legal

MAX_QUOTED: Final = 500
"""Characters of the other side's own words that are repeated."""

XmppNative = wire.Inbound | wire.Outbound

_TYPING_IN: Final = {
    wire.State.ACTIVE: TypingState.IDLE,
    wire.State.COMPOSING: TypingState.ACTIVE,
    wire.State.PAUSED: TypingState.PAUSED,
    wire.State.INACTIVE: TypingState.IDLE,
    wire.State.GONE: TypingState.GONE,
}
_TYPING_OUT: Final = {
    TypingState.ACTIVE: wire.State.COMPOSING,
    TypingState.PAUSED: wire.State.PAUSED,
    TypingState.IDLE: wire.State.ACTIVE,
    TypingState.GONE: wire.State.GONE,
}
_MARKS_IN: Final = {
    wire.Mark.RECEIVED: Stage.DELIVERED,
    wire.Mark.DISPLAYED: Stage.DISPLAYED,
    wire.Mark.ACKNOWLEDGED: Stage.DISPLAYED,
}
_MARKS_OUT: Final = {Stage.DELIVERED: wire.Mark.RECEIVED, Stage.DISPLAYED: wire.Mark.DISPLAYED}
_CONSENTS: Final = {
    wire.Consent.SUBSCRIBE: Authorization(consent=Consent.ASKED, wanted=True),
    wire.Consent.PROBE: Authorization(consent=Consent.ASKED, wanted=True),
    wire.Consent.SUBSCRIBED: Authorization(consent=Consent.GRANTED),
    wire.Consent.UNSUBSCRIBED: Authorization(consent=Consent.REFUSED),
}


@frozen(kw_only=True, eq=False)
class XmppMapping(DirectMapping):
    """Translates between an XMPP transport and the model.

    Args:
        network: the configured name of the network (``xmpp``).
        component: whether it is a component's; else accounts are clients (see `to_own`).
    """

    KIND = "xmpp"
    component: bool

    # From the wire

    def to_canonical(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, or none where it concerns the link alone.

        What a person should know of and the model has no form for (an invitation to a room, what they wrote with
        another client) becomes an automatic message from whom it is about, in brackets. Unmappable where a name is
        none (``feature``: ``address``) or a message cannot be carried (``malformed``).
        """
        try:
            return self._read(native)
        except AddressError as error:
            return Unmappable(feature="address", reason=str(error))

    def _read(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        if isinstance(native, wire.MessageReceived):
            return (self._message(native),)
        if isinstance(native, wire.StateReceived):
            return (self._draft(native.account, native.sender, Typing(state=_TYPING_IN[native.state])),)
        if isinstance(native, wire.MarkReceived):
            receipt = Receipt(target=RemoteMessageId(native.id), stage=_MARKS_IN[native.mark])
            return (self._draft(native.account, native.sender, receipt),)
        if isinstance(native, wire.MessageFailed):
            return self._failed(native)
        if isinstance(native, wire.ContactPresence):
            update = PresenceUpdate(presence=from_contact(native))
            return (self._draft(native.account, native.contact, update),)
        if isinstance(native, wire.ConsentReceived):
            return self._consent(native)
        if isinstance(native, wire.Asked):
            return (self._draft(native.account, native.contact, Authorization(consent=Consent.ASKED)),)
        if isinstance(native, wire.Unreadable):
            return Unmappable(feature="malformed", reason=native.reason)
        return self._notices(native)

    def _made(self, name: str, shown: str) -> Identity:
        return super()._made(name.partition("/")[0], shown)

    def _message(self, native: wire.MessageReceived) -> Draft:
        rich, losses = _rich_of(native)
        wants: tuple[Stage, ...] = ()
        if native.id and not native.carbon:
            wants = (Stage.FAILED,)
            wants += (Stage.DELIVERED,) if native.wants_receipt else ()
            wants += (Stage.DISPLAYED,) if native.markable else ()
        message = Message(
            parts=(to_part(rich, native.language),),
            thread=native.thread,
            subject=None if native.subject is None else clean(native.subject)[0] or None,
            message_id=RemoteMessageId(native.id) if native.id else None,
            wants=wants,
        )
        body: Body = message
        if native.replaces is not None:
            body = Edit(target=RemoteMessageId(native.replaces), replacement=message)
        return self._draft(
            native.account,
            native.sender,
            body,
            remote_id=_remote_id(native, self._identity(native.sender).address.user),
            claimed_at=native.stamp,
            losses=losses,
        )

    def _failed(self, native: wire.MessageFailed) -> tuple[Draft, ...]:
        if not native.id:
            return ()
        failure = failure_of(native.condition, native.type, clean(native.text)[0])
        # It had been relayed: it is not tried again by itself any more.
        receipt = Receipt(
            target=RemoteMessageId(native.id), stage=Stage.FAILED, failure=evolve(failure, retryable=False)
        )
        return (self._draft(native.account, native.sender, receipt),)

    def _consent(self, native: wire.ConsentReceived) -> tuple[Draft, ...]:
        body = _CONSENTS.get(native.kind)
        if body is None:
            return ()  # who does not want to see us any more is not shown us any more; what was agreed stays agreed
        words = clean(native.words)[0].strip()[:MAX_QUOTED]
        return (self._draft(native.account, native.sender, evolve(body, words=words)),)

    def _notices(self, native: wire.Inbound) -> tuple[Draft, ...]:
        if isinstance(native, wire.RoomInvitation):
            reason = clean(native.reason)[0].strip()[:MAX_QUOTED]
            end = "the bridge does not join rooms" if native.direct else "it was declined"
            text = f"[invites you to the room {native.room}; {end}]" + (f" {reason}" if reason else "")
            return (self._notice(native.account, native.sender, text, None, None),)
        if isinstance(native, wire.SentElsewhere):
            text = f"[you wrote with another client:] {clean(native.text)[0]}"
            again = f"{native.to}/sent/{native.id}/{_digest(native.text)}" if native.id else None
            return (self._notice(native.account, native.to, text, again, native.stamp),)
        return ()

    def _notice(self, account: str, about: str, text: str, again: str | None, stamp: float | None) -> Draft:
        body = Message(parts=(to_part(plain(text)),), automatic=True)
        remote_id = None if again is None else RemoteMessageId(again)
        return self._draft(account, about, body, remote_id=remote_id, claimed_at=stamp)

    # To the wire

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[XmppNative] | Unmappable:
        """Returns the native events that carry an envelope to one address, from the account that sends.

        Unmappable names as ``feature`` the kind of the body where XMPP has no form for it.
        """
        body = event.body
        to = recipient.address.user
        if isinstance(body, Message):
            return _send(event, body, to, account, caps, None)
        if isinstance(body, Edit):
            return _send(event, body.replacement, to, account, caps, body.target)
        if isinstance(body, Typing):
            return Translated(natives=(wire.StateSend(account=account, to=to, state=_TYPING_OUT[body.state]),))
        if isinstance(body, Receipt):
            return _receipt(body, to, account)
        if isinstance(body, PresenceUpdate):
            own, losses = to_own(account, body.presence, always_there=not self.component)
            return Translated(natives=(own,), losses=losses)
        if isinstance(body, Authorization):
            granted = body.consent is Consent.GRANTED
            return Translated(natives=(wire.ConsentSend(account=account, to=to, granted=granted),))
        if isinstance(body, ContactEdit):
            edit = wire.ContactAdd if body.wanted else wire.ContactRemove
            return Translated(natives=(edit(account=account, contact=to),))
        return Unmappable(feature=type(body).__name__.lower(), reason="it is not carried to XMPP")


def message_id(event: str, to: str, index: int) -> str:
    """Returns the id of one piece of one delivery: the same for every attempt."""
    return sha256(f"xmpp\0{event}\0{to}\0{index}".encode()).hexdigest()[:32]


def _send(
    event: Envelope, body: Message, to: str, account: str, caps: Capabilities, replaces: str | None
) -> Translated[XmppNative]:
    rich, losses = rich_of(body, keep_style=caps.html is not Support.DROPPED)
    if (text := to_plain(rich)) != legal(text):
        losses = (*losses, Loss(feature="text", detail="characters that XML cannot hold are left out"))
        rich = plain(legal(text))
    # Split by what the rich form costs, where there is one: it is never shorter than the plain one.
    write = to_html if rich.styled else to_plain
    cost = utf8_cost(write(rich))
    pieces = (rich,) if cost <= caps.max_text_bytes else split_rich(rich, caps.max_text_bytes, utf8_cost, write)
    if replaces is not None and len(pieces) > 1:
        losses = (*losses, Loss(feature="edit", detail="only the first part takes the place of the earlier message"))
    natives = tuple(
        wire.MessageSend(
            account=account,
            to=to,
            id=message_id(event.id, to, index),
            text=to_plain(piece),
            html=to_html(piece) if piece.styled else None,
            subject=body.subject if index == 0 else None,
            thread=body.thread,
            language=_language(body),
            replaces=replaces if index == 0 else None,
            wants_receipt=Stage.DELIVERED in body.wants and not body.automatic,
            markable=Stage.DISPLAYED in body.wants and not body.automatic,
        )
        for index, piece in enumerate(pieces)
    )
    return Translated(natives=natives, losses=losses)


def _language(body: Message) -> str | None:
    return next((part.language for part in body.parts if isinstance(part, TextPart) and part.language), None)


def _receipt(body: Receipt, to: str, account: str) -> Translated[XmppNative] | Unmappable:
    mark = _MARKS_OUT.get(body.stage)
    if mark is not None:
        return Translated(natives=(wire.MarkSend(account=account, to=to, id=body.target, mark=mark),))
    if body.stage is Stage.FAILED:
        condition = of_failure(body.failure)
        text = "" if body.failure is None else body.failure.user_text
        return Translated(
            natives=(
                wire.FailureSend(
                    account=account, to=to, id=body.target, condition=condition, type=type_of(condition), text=text
                ),
            )
        )
    return Unmappable(feature="receipt", reason=f"XMPP has no word for {body.stage.value}")


def _rich_of(native: wire.MessageReceived) -> tuple[Rich, tuple[Loss, ...]]:
    """XHTML-IM is read as every HTML is: what is no formatting is left out, what is no text does not come back."""
    if native.html is None:
        rich = plain(native.text)
        return rich, rich.losses
    rich = from_html(native.html)
    if " ".join(to_plain(rich).split()) != " ".join(clean(native.text)[0].split()):
        # What a person with a plain client is shown is what counts: the two must not say different things.
        return plain(native.text), (Loss(feature="html", detail="the rich form says something else than the text"),)
    return rich, rich.losses


def _remote_id(native: wire.MessageReceived, sender: str) -> RemoteMessageId | None:
    if native.stable_id:
        return RemoteMessageId(f"{sender}/{native.stable_id}/{_digest(native.text)}")
    if native.id:  # some clients count from 1 at each start: the text tells two of the same number apart
        return RemoteMessageId(f"{sender}/{native.id}/{_digest(native.text)}")
    if native.stamp is not None:
        return RemoteMessageId(f"{sender}/{native.stamp:.3f}/{_digest(native.text)}")
    return None


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
