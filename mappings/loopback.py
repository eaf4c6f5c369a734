"""Loopback's native events and the model. Its text is plain, its presence has two states and a note."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from attrs import frozen

from bridge.model.address import Identity
from bridge.model.body import (
    ContactEdit,
    Message,
    PresenceUpdate,
    Receipt,
    Stage,
    TextPart,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities
from bridge.model.envelope import Draft, Envelope, Loss, Translated, Unmappable
from bridge.model.ids import RemoteMessageId
from bridge.model.presence import OFFLINE, Activity, Basic, PersonPresence
from mappings.direct import DirectMapping
from mappings.identity import AddressError
from mappings.text import clean, split
from transports.loopback.wire import native as wire

LoopbackNative = wire.Inbound | wire.Outbound
CONTROLS: Final = Loss(feature="text", detail="control characters or halves of surrogate pairs are left out")

_TYPING_IN: Final = {
    wire.Typing.ACTIVE: TypingState.ACTIVE,
    wire.Typing.PAUSED: TypingState.PAUSED,
    wire.Typing.IDLE: TypingState.IDLE,
}
_TYPING_OUT: Final = {state: native for native, state in _TYPING_IN.items()} | {TypingState.GONE: wire.Typing.IDLE}
_OPEN: Final = frozenset({Activity.AVAILABLE, Activity.FREE_FOR_CHAT})
_AS_THEY_ARE: Final = frozenset({Activity.AVAILABLE, Activity.AWAY})


def to_own(account: str, presence: PersonPresence) -> tuple[wire.OwnPresence, tuple[Loss, ...]]:
    """How an account of ours shows itself for a person's presence; nobody at home is hidden, so messages still come."""
    if presence.basic is Basic.CLOSED or presence.invisible:
        return wire.OwnPresence(account=account, show=wire.Show.HIDDEN), ()
    show = wire.Show.OPEN if presence.activity in _OPEN else wire.Show.AWAY
    losses: list[Loss] = []
    if presence.activity not in _AS_THEY_ARE:
        losses.append(Loss(feature="activity", detail=f"{presence.activity.value} is shown as {show.value}"))
    note, changed = clean(presence.note)
    if changed:
        losses.append(CONTROLS)
    return wire.OwnPresence(account=account, show=show, note=note), tuple(losses)


@frozen(kw_only=True, eq=False)
class LoopbackMapping(DirectMapping):
    """Translates between a loopback transport and the model.

    Args:
        network: the configured name of the network.
    """

    KIND = "loopback"

    # From the wire

    def to_canonical(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, or none where it concerns the link alone."""
        try:
            return self._read(native)
        except AddressError as error:
            return Unmappable(feature="address", reason=str(error))

    def _read(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        if isinstance(native, wire.MessageReceived):
            return (self._message(native),)
        if isinstance(native, wire.TypingReceived):
            return (self._draft(native.account, native.sender, Typing(state=_TYPING_IN[native.state])),)
        if isinstance(native, wire.PresenceReceived):
            return (self._draft(native.account, native.name, PresenceUpdate(presence=_presence(native))),)
        if isinstance(native, wire.Delivered):
            receipt = Receipt(target=RemoteMessageId(native.id), stage=Stage.DELIVERED)
            return (self._draft(native.account, native.by, receipt),)
        if isinstance(native, wire.Unreadable):
            return Unmappable(feature="malformed", reason=f"a message that cannot be read: {native.reason}")
        return ()

    def _message(self, native: wire.MessageReceived) -> Draft:
        text, changed = clean(native.text)
        return self._draft(
            native.account,
            native.sender,
            Message(parts=(TextPart(text=text),), automatic=native.automatic),
            remote_id=RemoteMessageId(f"{native.sender}/{native.id}"),
            claimed_at=native.sent,
            losses=(CONTROLS,) if changed else (),
        )

    # To the wire

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[LoopbackNative] | Unmappable:
        """Returns the native events that carry an envelope to one user, from the account that sends."""
        body, to = event.body, recipient.address.user
        if isinstance(body, Message):
            return _messages(event, body, to, account, caps)
        if isinstance(body, Typing):
            return Translated(natives=(wire.TypingSend(account=account, to=to, state=_TYPING_OUT[body.state]),))
        if isinstance(body, PresenceUpdate):
            own, losses = to_own(account, body.presence)
            return Translated(natives=(own,), losses=losses)
        if isinstance(body, ContactEdit):
            return Translated(natives=(wire.Watch(account=account, name=to, wanted=body.wanted),))
        return Unmappable(feature=type(body).__name__.lower(), reason="loopback has no form for it")


def _messages(event: Envelope, body: Message, to: str, account: str, caps: Capabilities) -> Translated[LoopbackNative]:
    said = f"{body.subject}\n{body.text}" if body.subject else body.text
    text, changed = clean(said)
    losses = [CONTROLS] if changed else []
    if body.subject:
        losses.append(Loss(feature="subject", detail="told in the text"))
    losses += [Loss(feature="attachment", detail=part.name) for part in body.parts if not isinstance(part, TextPart)]
    if any(isinstance(part, TextPart) and part.html is not None for part in body.parts):
        losses.append(Loss(feature="html", detail="formatting is told as plain text"))
    natives = tuple(
        wire.MessageSend(
            account=account, to=to, text=piece, id=message_id(event.id, to, index), automatic=body.automatic
        )
        for index, piece in enumerate(split(text, caps.max_text_bytes))
    )
    return Translated(natives=natives, losses=tuple(losses))


def message_id(event: str, to: str, index: int) -> str:
    """Returns the network's id of one piece of one delivery: the same for every attempt."""
    return sha256(f"loopback\0{event}\0{to}\0{index}".encode()).hexdigest()[:32]


def _presence(native: wire.PresenceReceived) -> PersonPresence:
    if native.show in {wire.Show.GONE, wire.Show.HIDDEN}:
        return OFFLINE
    activity = Activity.AVAILABLE if native.show is wire.Show.OPEN else Activity.AWAY
    return PersonPresence(basic=Basic.OPEN, activity=activity, note=clean(native.note)[0])
