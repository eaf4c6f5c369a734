"""OSCAR's native events and the model: AIM's HTML and ICQ's plain text, typing, presence, acknowledgements.

The mapping keeps nothing but a bounded memo of names. An ICBM cookie is derived from the event and its recipient, so
that a retry has the same.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

from attrs import frozen

from bridge.model.address import Identity
from bridge.model.body import (
    Authorization,
    Consent,
    ContactEdit,
    Message,
    PresenceUpdate,
    Receipt,
    Stage,
    Typing,
    TypingState,
)
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Draft, Envelope, Loss, Translated, Unmappable
from bridge.model.ids import RemoteMessageId
from mappings.direct import DirectMapping, rich_with_subject
from mappings.identity import AddressError, is_uin, normalise
from mappings.oscar_errors import failure_of
from mappings.oscar_notices import consent_of, notice_of
from mappings.oscar_presence import from_buddy, to_own
from mappings.richtext import Rich, from_html, plain, split_rich, to_aim, to_part, to_plain
from mappings.text import Cost, latin1_cost, utf16_cost
from transports.oscar.wire import native as wire

COOKIE_BYTES: Final = 8

OscarNative = wire.Inbound | wire.Outbound

_TYPING_IN: Final = {
    wire.Typing.NONE: TypingState.IDLE,
    wire.Typing.TYPED: TypingState.PAUSED,
    wire.Typing.TYPING: TypingState.ACTIVE,
    wire.Typing.CLOSED: TypingState.GONE,
}
_TYPING_OUT: Final = {state: native for native, state in _TYPING_IN.items()}


@frozen(kw_only=True, eq=False)
class OscarMapping(DirectMapping):
    """Translates between an OSCAR transport and the model.

    Args:
        network: the configured name of the network (``aim``).
        clock: seconds since the epoch; what idle minutes count back from.
    """

    KIND = "oscar"
    clock: Callable[[], float]

    # From the wire

    def to_canonical(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, or none where it concerns the link alone.

        What a person should know of and the model has no form for (a missed message, a wish to be authorized) becomes
        an automatic message from whom it is about, in brackets. Unmappable where a name is none (``feature``:
        ``address``) or a message cannot be read (``malformed``).
        """
        try:
            return self._read(native)
        except AddressError as error:
            return Unmappable(feature="address", reason=str(error))

    def _read(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        if isinstance(native, wire.ImReceived):
            return (self._message(native),)
        if isinstance(native, wire.TypingReceived):
            return (self._draft(native.account, native.sender, Typing(state=_TYPING_IN[native.state])),)
        if isinstance(native, wire.BuddyPresence):
            return self._presence(native)
        if isinstance(native, wire.ImAck | wire.ImError | wire.ImQueued):
            return (self._draft(native.account, native.to, _receipt(native)),)
        if isinstance(native, wire.ImUnreadable):
            return Unmappable(feature="malformed", reason=f"a message that cannot be read: {native.reason}")
        consent = consent_of(native)
        notice = notice_of(native)
        drafts: tuple[Draft, ...] = ()
        if consent is not None and notice is not None:
            drafts = (self._draft(native.account, notice.about, consent),)
        if notice is not None:
            body = Message(parts=(to_part(plain(notice.text)),), automatic=True)
            remote_id = None if notice.again is None else RemoteMessageId(notice.again)
            drafts = (*drafts, self._draft(native.account, notice.about, body, remote_id=remote_id))
        return drafts

    def _made(self, name: str, shown: str) -> Identity:
        del shown  # a screen name is shown as it is written
        return super()._made(name, name)

    def _message(self, native: wire.ImReceived) -> Draft:
        rich = from_html(native.text) if native.is_html else plain(native.text)
        losses = rich.losses
        if native.lossy:
            losses = (*losses, Loss(feature="charset", detail="bytes that are none in the charset, shown as U+FFFD"))
        return self._draft(
            native.account,
            native.sender,
            Message(parts=(to_part(rich),), automatic=native.auto_response),
            remote_id=_remote_id(native, self._identity(native.sender).address.user),
            claimed_at=None if native.timestamp is None else float(native.timestamp),
            losses=losses,
        )

    def _presence(self, native: wire.BuddyPresence) -> tuple[Draft, ...]:
        if normalise("oscar", native.screen_name) == normalise("oscar", native.account):
            return ()  # the echo of what we show ourselves
        presence, losses = from_buddy(native, self.clock())
        return (self._draft(native.account, native.screen_name, PresenceUpdate(presence=presence), losses=losses),)

    # To the wire

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[OscarNative] | Unmappable:
        """Returns the native events that carry an envelope to one screen name, from the account that sends.

        Unmappable names as ``feature`` the kind of the body where OSCAR has no form for it.
        """
        body = event.body
        to = recipient.address.user
        if isinstance(body, Message):
            return self._send_message(event, body, to, account, caps)
        if isinstance(body, Typing):
            if caps.typing is Support.DROPPED:
                return Unmappable(feature="typing", reason="this contact takes no typing notices")
            return Translated(natives=(wire.TypingSend(account=account, to=to, state=_TYPING_OUT[body.state]),))
        if isinstance(body, PresenceUpdate):
            own, losses = to_own(account, body.presence, event.received_at)
            return Translated(natives=(own,), losses=losses)
        if isinstance(body, Authorization):
            accepted = body.consent is Consent.GRANTED
            return Translated(natives=(wire.AuthorizationAnswer(account=account, to=to, accepted=accepted),))
        if isinstance(body, ContactEdit):
            edit = wire.BuddyAdd if body.wanted else wire.BuddyRemove
            return Translated(natives=(edit(account=account, screen_name=to),))
        return Unmappable(feature=type(body).__name__.lower(), reason="OSCAR has no form for it")

    def _send_message(
        self, event: Envelope, body: Message, to: str, account: str, caps: Capabilities
    ) -> Translated[OscarNative]:
        is_html = not (is_uin(to) and is_uin(account))  # between two ICQ numbers a text is plain
        rich, losses = rich_with_subject(body, keep_style=is_html and caps.html is not Support.DROPPED)
        written = to_aim(rich)
        cost = wire_cost(written)
        if cost(written) <= caps.max_text_bytes:
            pieces: tuple[Rich, ...] = (rich,)
        else:
            pieces = split_rich(rich, caps.max_text_bytes, cost, to_aim)
        natives = tuple(
            wire.ImSend(
                account=account,
                to=to,
                text=to_aim(piece) if is_html else to_plain(piece),
                is_html=is_html,
                cookie=cookie(event.id, to, index),
                auto_response=body.automatic,
                html=None if is_html else to_aim(piece),  # some of ICQ's clients read all text as HTML
            )
            for index, piece in enumerate(pieces)
        )
        return Translated(natives=natives, losses=losses)


def wire_cost(text: str) -> Cost:
    """Returns what measures the pieces of a text, as the wire writes it: ASCII where that is enough, else UTF-16BE.

    It is chosen by the whole: a piece that turns out to be ASCII takes less than was measured, never more.
    """
    return latin1_cost if text.isascii() else utf16_cost


def cookie(event: str, to: str, index: int) -> bytes:
    """Returns the ICBM cookie of one piece of one delivery: the same for every attempt."""
    return sha256(f"icbm\0{event}\0{to}\0{index}".encode()).digest()[:COOKIE_BYTES]


def _remote_id(native: wire.ImReceived, sender: str) -> RemoteMessageId:
    if native.cookie:
        return RemoteMessageId(f"{sender}/{native.cookie.hex()}")
    # A stored ICQ message has no cookie: sender, time and text are all that tells two apart.
    digest = sha256(native.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return RemoteMessageId(f"{sender}/{native.timestamp or 0}/{digest}")


def _receipt(native: wire.ImAck | wire.ImError | wire.ImQueued) -> Receipt:
    target = RemoteMessageId(native.cookie.hex())
    if isinstance(native, wire.ImAck):
        return Receipt(target=target, stage=Stage.RELAYED)
    if isinstance(native, wire.ImQueued):
        return Receipt(target=target, stage=Stage.ACCEPTED)
    failure = failure_of(native)
    return Receipt(target=target, stage=Stage.FAILED if failure.certain else Stage.UNKNOWN, failure=failure)
