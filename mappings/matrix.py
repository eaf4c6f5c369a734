"""Matrix's native events and the model: texts and their HTML, corrections, reactions, typing, receipts, presence.

The mapping keeps nothing but a bounded memo of names. A transaction id is derived from the event and its recipient, so
that a retry has the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from attrs import frozen

from bridge.model.address import Identity
from bridge.model.body import (
    Body,
    ContactEdit,
    Edit,
    Membership,
    MembershipChange,
    Message,
    PresenceUpdate,
    Reaction,
    Receipt,
    Retract,
    Stage,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Draft, Envelope, Loss, Translated, Unmappable
from bridge.model.ids import RemoteMessageId, RemoteUserId
from mappings.direct import DirectMapping, rich_with_subject
from mappings.identity import AddressError
from mappings.matrix_html import from_matrix, to_matrix, unsaid, without_quote
from mappings.matrix_presence import from_seen, to_own
from mappings.richtext import Rich, plain, split_rich, to_part, to_plain
from mappings.told import told
from transports.matrix.wire import native as wire

MAX_RECEIPT_TEXT: Final = 300
EMOTE: Final = "/me "
"""How a text says what its writer does: Matrix has a type of its own for it, and everybody else writes it so."""
WANTED: Final = (Stage.DISPLAYED, Stage.FAILED)
"""What Matrix can show the sender of a message: that it was read; and that it failed, in words."""

MatrixNative = wire.Inbound | wire.Outbound

_MEDIA: Final = {
    "m.image": "an image",
    "m.file": "a file",
    "m.audio": "a sound",
    "m.video": "a video",
    "m.location": "a place",
    "m.sticker": "a sticker",
}


@frozen(kw_only=True, eq=False)
class MatrixMapping(DirectMapping):
    """Translates between a Matrix transport and the model.

    Args:
        network: the configured name of the network (``matrix``).
        clock: seconds since the epoch; what idle times count back from.
    """

    KIND = "matrix"
    clock: Callable[[], float]

    # From the wire

    def to_canonical(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, or none where it concerns the link alone.

        Unmappable: a name is none (``address``), it cannot be read (``malformed``), is encrypted (``encrypted``), or
        belongs to a room of several people (``room``).
        """
        try:
            return self._read(native)
        except AddressError as error:
            return Unmappable(feature="address", reason=str(error))

    def _read(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        if isinstance(native, wire.MessageReceived):
            return (self._message(native),)
        if isinstance(native, wire.RedactionReceived):
            return (self._event(native, Retract(target=RemoteMessageId(native.target))),)
        if isinstance(native, wire.ReactionReceived):
            return (self._event(native, Reaction(target=RemoteMessageId(native.target), emoji=native.key)),)
        if isinstance(native, wire.TypingReceived):
            state = TypingState.ACTIVE if native.typing else TypingState.IDLE
            return (self._draft(native.account, native.sender, Typing(state=state), room=native.room),)
        if isinstance(native, wire.ReadReceived):
            receipt = Receipt(target=RemoteMessageId(native.event_id), stage=Stage.DISPLAYED)
            return (self._draft(native.account, native.sender, receipt, room=native.room),)
        if isinstance(native, wire.PresenceReceived):
            presence = from_seen(native, self.clock())
            return (self._draft(native.account, native.user, PresenceUpdate(presence=presence), room=native.user),)
        if isinstance(native, wire.Invited):
            change = Membership(member=RemoteUserId(native.account), change=MembershipChange.INVITED)
            return (self._event(native, change),)
        if isinstance(native, wire.RoomLeft):
            return self._left(native)
        if isinstance(native, wire.Unreadable):
            feature = "encrypted" if native.kind.startswith("m.room.encrypt") else "malformed"
            return Unmappable(feature=feature, reason=f"{native.kind} of {native.sender or 'nobody'}: {native.reason}")
        return ()

    def _left(self, native: wire.RoomLeft) -> tuple[Draft, ...] | Unmappable:
        if native.ours:
            return Unmappable(feature="room", reason=f"{native.sender}: {native.reason}; the room was left")
        body = Message(parts=(to_part(plain(f"[{native.sender} {native.reason}]")),), automatic=True)
        return (self._event(native, body),)

    def _event(
        self,
        native: wire.MessageReceived | wire.RedactionReceived | wire.ReactionReceived | wire.Invited | wire.RoomLeft,
        body: Body,
        losses: tuple[Loss, ...] = (),
    ) -> Draft:
        """A draft of an event of a room, which has an id and a time."""
        return self._draft(
            native.account,
            native.sender,
            body,
            room=native.room,
            remote_id=RemoteMessageId(native.event_id) if native.event_id else None,
            claimed_at=None if native.timestamp is None else native.timestamp / 1000,
            losses=losses,
        )

    def _message(self, native: wire.MessageReceived) -> Draft:
        part, losses = _read_text(native)
        automatic = native.msgtype == "m.notice"
        message = Message(
            parts=(part,),
            reply_to=RemoteMessageId(native.reply_to) if native.reply_to else None,
            automatic=automatic,
            message_id=RemoteMessageId(native.event_id),
            wants=() if automatic else WANTED,
        )
        if native.replaces:
            edit = Edit(target=RemoteMessageId(native.replaces), replacement=message)
            return self._event(native, edit, losses)
        return self._event(native, message, losses)

    # To the wire

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[MatrixNative] | Unmappable:
        """Returns the native events that carry an envelope to one user, from the ghost that sends.

        Unmappable names as ``feature`` the kind of the body where Matrix has no form for it.
        """
        body = event.body
        to = recipient.address.user
        if isinstance(body, Message):
            return self._send_message(event, body, to, account, caps)
        if isinstance(body, Typing):
            if caps.typing is Support.DROPPED:
                return Unmappable(feature="typing", reason="this contact takes no typing notices")
            typing = body.state is TypingState.ACTIVE
            return Translated(natives=(wire.TypingSend(account=account, to=to, typing=typing),))
        if isinstance(body, PresenceUpdate):
            own, losses = to_own(account, body.presence)
            return Translated(natives=(own,), losses=losses)
        if isinstance(body, ContactEdit):
            return Translated(natives=(wire.Watch(account=account, user=to, wanted=body.wanted),))
        if isinstance(body, Receipt):
            return self._receipt(event, body, to, account)
        if isinstance(body, Edit | Retract | Reaction):
            return self._about(event, body, to, account, caps)
        return Unmappable(feature=type(body).__name__.lower(), reason="Matrix has no form for it here")

    def _send_message(
        self, event: Envelope, body: Message, to: str, account: str, caps: Capabilities, losses: tuple[Loss, ...] = ()
    ) -> Translated[MatrixNative]:
        rich, more = rich_with_subject(body, keep_style=caps.html is not Support.DROPPED, written=_written)
        pieces = split_rich(rich, caps.max_text_bytes, cost, to_matrix)
        natives = tuple(
            self._text(event, body, piece, to=to, account=account, index=index) for index, piece in enumerate(pieces)
        )
        return Translated(natives=natives, losses=(*losses, *more))

    def _text(
        self, event: Envelope, body: Message, rich: Rich, *, to: str, account: str, index: int
    ) -> wire.MessageSend:
        text = to_plain(rich)
        msgtype = "m.notice" if body.automatic else "m.text"
        if not index and text.startswith(EMOTE) and not body.automatic and not rich.styled:
            text, msgtype = text.removeprefix(EMOTE), "m.emote"
        return wire.MessageSend(
            account=account,
            to=to,
            txn_id=txn_id(event.id, to, index),
            body=text,
            html=to_matrix(rich) if rich.styled else None,
            msgtype=msgtype,
            display_name=event.sender.display_name,
        )

    def _receipt(self, event: Envelope, body: Receipt, to: str, account: str) -> Translated[MatrixNative] | Unmappable:
        room = event.conversation.remote_id if event.conversation.network == self.network else ""
        if not room:
            return Unmappable(feature="receipt", reason="the message did not come from Matrix")
        if body.stage is Stage.DISPLAYED:
            return Translated(natives=(wire.ReadSend(account=account, to=to, room=room, event_id=body.target),))
        if body.stage in {Stage.FAILED, Stage.UNKNOWN}:
            return Translated(natives=(self._failure(event, body, to=to, account=account, room=room),))
        return Unmappable(feature="receipt", reason="Matrix shows what was read, and nothing less")

    def _failure(self, event: Envelope, body: Receipt, *, to: str, account: str, room: str) -> wire.MessageSend:
        verb = "could not be delivered" if body.stage is Stage.FAILED else "may not have been delivered"
        why = "" if body.failure is None else f": {body.failure.user_text.rstrip('.')}"
        text = f"[Your message {verb}{why}]"[:MAX_RECEIPT_TEXT]
        return notice(account, to, room, text, key=f"{event.id}/{body.target}")

    def _about(
        self, event: Envelope, body: Edit | Retract | Reaction, to: str, account: str, caps: Capabilities
    ) -> Translated[MatrixNative] | Unmappable:
        """What is about an earlier message: as it is where it is Matrix's own; else its name says nothing here."""
        own = event.conversation.network == self.network
        if own or body.target.startswith(
            "$"
        ):  # the other side's word for it is known: it is an event of the shared room
            room, target = event.conversation.remote_id if own else "", body.target
            txn = txn_id(event.id, to, 0)
            if isinstance(body, Edit):
                rich, losses = rich_with_subject(
                    body.replacement, keep_style=caps.html is not Support.DROPPED, written=_written
                )
                native: MatrixNative = wire.MessageSend(
                    account=account, to=to, txn_id=txn, body=to_plain(rich), replaces=target, room=room,
                    html=to_matrix(rich) if rich.styled else None,
                )  # fmt: skip
                return Translated(natives=(native,), losses=losses)
            if isinstance(body, Retract):
                native = wire.RedactionSend(account=account, to=to, room=room, txn_id=txn, target=target)
                return Translated(natives=(native,))
            if not body.removed:
                native = wire.ReactionSend(account=account, to=to, room=room, txn_id=txn, target=target, key=body.emoji)
                return Translated(natives=(native,))
        message, loss = told(body)
        return self._send_message(event, message, to, account, caps, (loss,))


def notice(account: str, to: str, room: str, text: str, *, key: str) -> wire.MessageSend:
    """Returns a notice in a room, in the bridge's own words; ``key`` names it."""
    return wire.MessageSend(account=account, to=to, txn_id=txn_id(key, to, 0), body=text, msgtype="m.notice", room=room)


def txn_id(event: str, to: str, index: int) -> str:
    """Returns the transaction id of one piece of one delivery: the same for every attempt."""
    return "s" + sha256(f"matrix\0{event}\0{to}\0{index}".encode()).hexdigest()[:40]


def cost(text: str) -> int:
    """Bytes of a text as a string of JSON: what counts against the 65,536 of an event."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")) - 2


def _read_text(native: wire.MessageReceived) -> tuple[TextPart, tuple[Loss, ...]]:
    """Returns what a message says as text, whatever it is."""
    if native.media is not None:
        return _told_media(native, native.media)
    body = without_quote(native.body) if native.reply_to else native.body
    rich = plain(body) if native.html is None else from_matrix(native.html)
    if native.msgtype == "m.emote":
        runs = (*plain(EMOTE).runs, *rich.runs) if rich.styled else plain(EMOTE + to_plain(rich)).runs
        rich = Rich(runs, rich.losses)
    losses = rich.losses
    if native.reply_to:
        losses = (*losses, Loss(feature="reply", detail="the message that it answers is named on record alone"))
    if native.msgtype not in {"m.text", "m.notice", "m.emote"}:
        losses = (*losses, Loss(feature="msgtype", detail=f"{native.msgtype[:60]} is told as its text"))
    return to_part(rich), losses


def _told_media(native: wire.MessageReceived, media: wire.Media) -> tuple[TextPart, tuple[Loss, ...]]:
    """A file is told as what it is, in words: files are not carried."""
    what = _MEDIA.get(native.msgtype, "a file")
    name = media.name or native.body
    caption = native.body if media.name and native.body != media.name else ""
    details = [detail for detail in (media.media_type, "" if media.size is None else f"{media.size} bytes") if detail]
    if native.msgtype == "m.location":
        details = [media.url]
    told_as = f"[{what}: {name}" + (f" ({', '.join(details)})" if details else "") + "; files are not carried]"
    if native.msgtype in {"m.location", "m.sticker"}:
        told_as = told_as.replace("; files are not carried", "")
    rich = plain(f"{told_as}\n{caption}" if caption else told_as)
    return to_part(rich), (*rich.losses, Loss(feature="attachment", detail=f"{what}: {name[:80]}"))


def _written(rich: Rich) -> tuple[Rich, tuple[Loss, ...]]:
    lost = Loss(feature="html", detail="sizes, fonts and links of other schemes are not shown")
    return rich, (lost,) if unsaid(rich) else ()
