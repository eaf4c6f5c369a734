"""MSNP's native events and the model: plain text with one format for the whole of it, typing, presence, receipts.

The mapping keeps nothing but a bounded memo of names. A message's cookie is derived from the event and its recipient,
so that a retry has the same.
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
    Failure,
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
from mappings.identity import AddressError, normalise
from mappings.msnp_presence import from_contact, to_own
from mappings.msnp_style import from_format, to_format
from mappings.richtext import plain, split_rich, to_part, to_plain
from mappings.text import clean, utf8_cost
from transports.msnp.wire import codes
from transports.msnp.wire import native as wire

COOKIE_BYTES: Final = 16
MAX_QUOTED: Final = 500
"""Characters of the other side's own words that are repeated."""

MsnpNative = wire.Inbound | wire.Outbound


@frozen(kw_only=True, eq=False)
class MsnpMapping(DirectMapping):
    """Translates between an MSNP transport and the model.

    Args:
        network: the configured name of the network (``msn``).
        clock: seconds since the epoch.
        absent_as, notes: see ``msnp_presence.to_own``.
    """

    KIND = "msnp"
    clock: Callable[[], float]
    absent_as: str = codes.AWAY
    notes: bool = True

    # From the wire

    def to_canonical(self, native: wire.Inbound) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, or none where it concerns the link alone.

        What a person should know of and the model has no form for (a nudge, a declined file) becomes an automatic
        message from whom it is about, in brackets. Unmappable where a name is none (``feature``: ``address``) or a
        message cannot be read (``malformed``).
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
        if isinstance(native, wire.ContactPresence):
            body = PresenceUpdate(presence=from_contact(native, self.clock()))
            return (self._draft(native.account, native.passport, body, shown=native.name),)
        if isinstance(native, wire.ImAck | wire.ImError):
            return (self._draft(native.account, native.to, _receipt(native)),)
        if isinstance(native, wire.ImUnreadable):
            return Unmappable(feature="malformed", reason=f"a message that cannot be read: {native.reason}")
        return self._notices(native)

    def _notices(self, native: wire.Inbound) -> tuple[Draft, ...]:
        if isinstance(native, wire.AddedUs):
            asked = Authorization(consent=Consent.ASKED, wanted=True)
            again = RemoteMessageId(f"{normalise(self.KIND, native.sender)}/added")
            return (
                self._draft(native.account, native.sender, asked, shown=native.name),
                self._notice(native.account, native.sender, "[has put you on their contact list]", again),
            )
        if isinstance(native, wire.Nudged):
            return (self._notice(native.account, native.sender, _nudge(native)),)
        if isinstance(native, wire.InvitationDeclined):
            what = _quoted(native.what) or "a connection"
            named = _quoted(native.file)
            text = f"[proposed {what}{f': {named}' if named else ''}; it is not taken here]"
            return (self._notice(native.account, native.sender, text),)
        if isinstance(native, wire.RoomDeclined) and native.by is not None:
            others = ", ".join(native.members[:10])
            text = f"[a conversation of several people was left: {others}]"
            return (self._notice(native.account, native.by, text),)
        if isinstance(native, wire.RosterEditFailed):
            text = f"[cannot be put on your contact list, or taken off it: {native.name[:MAX_QUOTED]}]"
            again = RemoteMessageId(f"{normalise(self.KIND, native.passport)}/list/{native.code}")
            return (self._notice(native.account, native.passport, text, again),)
        return ()

    def _notice(self, account: str, about: str, text: str, again: RemoteMessageId | None = None) -> Draft:
        body = Message(parts=(to_part(plain(text)),), automatic=True)
        return self._draft(account, about, body, remote_id=again)

    def _message(self, native: wire.ImReceived) -> Draft:
        rich, losses = from_format(native.text, native.look)
        if native.lossy:
            losses = (*losses, Loss(feature="charset", detail="bytes that are none in the charset, shown as U+FFFD"))
        sender = self._identity(native.sender, native.name).address.user
        remote_id = None if native.message_id is None else RemoteMessageId(f"{sender}/{native.message_id}")
        return self._draft(
            native.account,
            native.sender,
            Message(parts=(to_part(rich),)),
            shown=native.name,
            remote_id=remote_id,
            claimed_at=None if native.timestamp is None else float(native.timestamp),
            losses=losses,
        )

    # To the wire

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[MsnpNative] | Unmappable:
        """Returns the native events that carry an envelope to one passport, from the account that sends.

        Unmappable names as ``feature`` the kind of the body where MSNP has no form for it.
        """
        body = event.body
        to = recipient.address.user
        if isinstance(body, Message):
            return self._send_message(event, body, to, account, caps)
        if isinstance(body, Typing):
            if caps.typing is Support.DROPPED:
                return Unmappable(feature="typing", reason="this contact takes no typing notices")
            # MSN knows no pause: who rests for a moment is left to the time-out of the other side
            typing = body.state is TypingState.ACTIVE
            return Translated(natives=(wire.TypingSend(account=account, to=to, typing=typing),))
        if isinstance(body, PresenceUpdate):
            own, losses = to_own(account, body.presence, absent_as=self.absent_as, notes=self.notes)
            return Translated(natives=(own,), losses=losses)
        if isinstance(body, Authorization):
            allowed = body.consent is Consent.GRANTED
            return Translated(natives=(wire.Allow(account=account, passport=to, allowed=allowed),))
        if isinstance(body, ContactEdit):
            edit = wire.ContactAdd if body.wanted else wire.ContactRemove
            return Translated(natives=(edit(account=account, passport=to),))
        return Unmappable(feature=type(body).__name__.lower(), reason="MSNP has no form for it")

    def _send_message(
        self, event: Envelope, body: Message, to: str, account: str, caps: Capabilities
    ) -> Translated[MsnpNative]:
        rich, losses = rich_with_subject(body, keep_style=caps.html is not Support.DROPPED)
        if body.subject:
            rich = plain(to_plain(rich))  # there is one look for the whole text, and it is not the subject's
        look, lost = to_format(rich)
        text = to_plain(rich)
        pieces = [text]
        if wire_cost(text) > caps.max_text_bytes:
            pieces = [to_plain(piece) for piece in split_rich(plain(text), caps.max_text_bytes, wire_cost, to_plain)]
        natives = tuple(
            wire.ImSend(account=account, to=to, text=piece, cookie=cookie(event.id, to, index), look=look)
            for index, piece in enumerate(pieces)
        )
        return Translated(natives=natives, losses=(*losses, *lost))


def wire_cost(text: str) -> int:
    """Bytes of a text on the wire: UTF-8, a line end as CR LF."""
    return utf8_cost(text) + text.count("\n")


def cookie(event: str, to: str, index: int) -> str:
    """Returns the name of one piece of one delivery: the same for every attempt."""
    return sha256(f"msnp\0{event}\0{to}\0{index}".encode()).digest()[:COOKIE_BYTES].hex()


def _receipt(native: wire.ImAck | wire.ImError) -> Receipt:
    target = RemoteMessageId(native.cookie)
    if isinstance(native, wire.ImAck):
        return Receipt(target=target, stage=Stage.RELAYED)
    text = (
        "The network could not hand the message to the contact."
        if native.certain
        else "It is not known whether the message has arrived."
    )
    failure = Failure(reason=native.reason, retryable=native.retryable, certain=native.certain, user_text=text)
    return Receipt(target=target, stage=Stage.FAILED if native.certain else Stage.UNKNOWN, failure=failure)


def _nudge(native: wire.Nudged) -> str:
    if native.what == "action":
        return f"[{_quoted(native.text)}]"
    words = {"nudge": "nudges you", "wink": "sent a wink", "voice": "sent a voice clip"}
    return f"[{words.get(native.what, 'sent something that is not shown here')}]"


def _quoted(words: str) -> str:
    return clean(words)[0].strip()[:MAX_QUOTED]
