"""SIP's native events and the model: MESSAGE (RFC 3428), typing (RFC 3994), receipts (RFC 5438), watches, presence.

The mapping keeps nothing but bounded memos, of pairs of people and of the way that receipts are to go; its
configuration is the address book. Bodies are read in `sip_content` and written in `sip_bodies`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from typing import Final, Literal

from attrs import evolve

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import (
    ELSEWHERE,
    Edit,
    Message,
    PresenceUpdate,
    Reachability,
    Reaction,
    Receipt,
    Retract,
    Standing,
    TextPart,
    Typing,
    TypingState,
    Watch,
)
from bridge.model.cache import TwoGenerationCache
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Draft, Envelope, Loss, Origin, Translated, Unmappable
from bridge.model.ids import SIP, RemoteConversationId, RemoteMessageId
from bridge.model.presence import OFFLINE, PersonPresence
from mappings.content import ContentError
from mappings.identity import AddressError, SipAddressBook, safe_display_name
from mappings.pidf import from_pidf, to_pidf
from mappings.sip_bodies import RouteMemo, asking, bodies_of, language_of, notifying
from mappings.sip_content import ContentReader, line, plain_text, typing_state
from mappings.text import clean
from mappings.told import told
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.grammar import delta_seconds
from transports.sip.wire.headers import format_date, parse_date
from transports.sip.wire.iscomposing import State
from transports.sip.wire.native import (
    SipMessage,
    SipNative,
    SipPresence,
    SipPublished,
    SipRegistration,
    SipSeen,
    SipTyping,
    SipWatch,
)
from transports.sip.wire.uri import SipUri, parse_uri

MEMO_ENTRIES: Final = 16_384
MEMO_KEY: Final = 512
MEMO_DOCUMENTS: Final = 1024
MAX_REMOTE_ID: Final = 200

_ANONYMOUS: Final = re.compile(r"(?:sips?|im):anonymous@anonymous\.invalid", re.IGNORECASE)
"""Who does not say who they are (RFC 3323 section 4.1.1.3)."""

Parties = tuple[Identity, tuple[Identity, ...], ConversationKey]


class SipMapping:
    """Translates between the SIP transport and the model.

    Args:
        addresses: which SIP domain stands for which network.
        clock: seconds since the epoch; what an Expires header counts from.
    """

    def __init__(self, *, addresses: SipAddressBook, clock: Callable[[], float]) -> None:
        self.addresses = addresses
        self.clock = clock
        self._parties_of: TwoGenerationCache[tuple[str, str, str], Parties] = TwoGenerationCache(MEMO_ENTRIES)
        self._routes = RouteMemo()
        self._documents: TwoGenerationCache[tuple[PersonPresence, str], tuple[bytes, tuple[Loss, ...]]]
        self._documents = TwoGenerationCache(MEMO_DOCUMENTS)

    # From the wire

    def to_canonical(self, native: SipNative) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, or one for each receipt in it (RFC 5438 section 8.3).

        Its account is the authenticated sender. Unmappable where it cannot be read or addressed; ``feature`` is
        ``address``, ``sender``, ``require``, ``content-type``, ``content-encoding``, ``charset``, ``malformed`` or
        ``length``.
        """
        try:
            if isinstance(native, SipMessage):
                return self._message(native)
            return self._other(native)
        except AddressError as error:
            return Unmappable(feature="address", reason=error.reason)
        except ContentError as error:
            return Unmappable(feature=error.feature, reason=error.reason)

    def _other(self, native: SipNative) -> tuple[Draft, ...] | Unmappable:
        if isinstance(native, SipTyping):
            return (self._draft(native.aor, native.peer, Typing(state=typing_state(native.state))),)
        if isinstance(native, SipWatch):
            body = Watch(id=native.id, expires=native.expires, once=native.fetch)
            return (self._draft(native.aor, native.target, body),)
        if isinstance(native, SipRegistration):
            return (self._of_own(native.aor, Reachability(devices=native.contacts), ()),)
        if isinstance(native, SipPublished):
            return (self._published(native),)
        if isinstance(native, SipSeen):
            return (self._seen(native),)
        return Unmappable(feature="presence", reason="a NOTIFY is sent by the bridge, never taken")

    def _parties(self, aor: str, peer: str, name: str) -> Parties:
        key = (aor, peer, name)
        known = self._parties_of.get(key)
        if known is not None:
            return known
        sender = self.addresses.from_aor(aor)
        recipient = self.addresses.from_uri(peer)
        device = _device_in(peer) if recipient.corporate and _GRUU in peer else ""
        shown = safe_display_name(name, sender.user)
        made = (
            Identity(address=sender, display_name=shown),
            (Identity(address=recipient),),
            self._conversation(sender, recipient, device),
        )
        if len(aor) + len(peer) + len(name) <= MEMO_KEY:
            self._parties_of.put(key, made)
        return made

    def _conversation(self, sender: Address, recipient: Address, device: str) -> ConversationKey:
        """SIP's pager mode has no ids of conversations: two users name one, in the same order from either side.

        What is written to one device of a person alone (RFC 5627) is a conversation by itself, which names the device.
        """
        own, other = sender.user, self.addresses.to_aor(recipient)
        if device:
            key = RemoteConversationId(f"{other}{_GRUU}{device}")
            return ConversationKey(network=SIP, remote_id=key, receiver=own)
        if recipient.corporate and other < own:
            own, other = recipient.user, own
        return ConversationKey(network=SIP, remote_id=RemoteConversationId(own), receiver=other)  # type: ignore[arg-type]

    def _message(self, native: SipMessage) -> tuple[Draft, ...]:
        sender, recipients, conversation = self._parties(native.aor, native.peer, native.display_name)
        kind = native.content_type
        if kind == "text/plain" and not native.headers:
            text, body_losses = plain_text(native.body, "")
            draft = Draft(
                origin=Origin(network=SIP, account=sender.address.user, remote_id=_remote_id(native)),
                conversation=conversation,
                sender=sender,
                recipients=recipients,
                body=Message(parts=(TextPart(text=text),), thread=native.call_id),
                losses=body_losses,
            )
            return (draft,)
        return self._message_with_headers(native, sender, recipients, conversation)

    def _message_with_headers(
        self, native: SipMessage, sender: Identity, recipients: tuple[Identity, ...], conversation: ConversationKey
    ) -> tuple[Draft, ...]:
        headers = {name.lower(): value for name, value in reversed(native.headers)}
        reader = ContentReader(lambda uri: self._require_own(uri, sender.address), headers.get("content-language"))
        found = reader.read(native.content_type or "text/plain", native.body, headers.get("content-encoding"))
        draft = Draft(
            origin=Origin(
                network=SIP,
                account=sender.address.user,
                remote_id=_remote_id(native),
                user_agent=clean(headers.get("user-agent", ""))[0][:MAX_REMOTE_ID],
            ),
            conversation=conversation,
            sender=sender,
            recipients=recipients,
            body=Typing(state=TypingState.IDLE),
            claimed_at=found.claimed_at if found.claimed_at is not None else _date(headers.get("date")),
        )
        if found.receipts:
            return tuple(evolve(draft, body=receipt) for receipt in found.receipts)
        if not found.texts:
            assert found.typing is not None
            return (self._draft(native.aor, native.peer, found.typing),)
        losses = found.losses
        if headers.get("priority", "normal").lower() in {"urgent", "emergency"}:
            losses.append(Loss(feature="priority", detail=headers["priority"].lower()))
        body = Message(
            parts=tuple(found.texts),
            thread=native.call_id,
            subject=found.subject or line(headers.get("subject", "")),
            expires_at=self._expiry(headers.get("expires")),
            message_id=found.message_id,
            wants=found.wants,
        )
        if found.message_id is not None and found.record_route:
            self._routes.keep(sender.address.user, found.message_id, found.record_route)
        return (evolve(draft, body=body, losses=tuple(losses)),)

    def _require_own(self, uri: str, sender: Address) -> None:
        """The From inside a CPIM message must be its authenticated sender, or say nothing."""
        if not uri or _ANONYMOUS.fullmatch(uri):
            return
        try:
            claimed = self.addresses.from_uri(f"sip:{uri[3:]}" if uri.lower().startswith("im:") else uri)
        except AddressError:
            claimed = None
        if claimed != sender:
            raise ContentError("sender", "the From of the CPIM message is not its authenticated sender")

    def _expiry(self, value: str | None) -> float | None:
        """RFC 3428 section 8: Expires counts from now; a message is not to be shown afterwards."""
        if value is None:
            return None
        seconds = delta_seconds(value.strip())
        return None if seconds is None else self.clock() + seconds

    def _draft(self, aor: str, peer: str, body: Typing | Watch | PresenceUpdate) -> Draft:
        sender, recipients, conversation = self._parties(aor, peer, "")
        return Draft(
            origin=Origin(network=SIP, account=sender.address.user),
            conversation=conversation,
            sender=sender,
            recipients=recipients,
            body=body,
        )

    def _of_own(self, aor: str, body: Reachability | PresenceUpdate, losses: tuple[Loss, ...]) -> Draft:
        """What somebody says of themselves, to nobody in particular."""
        sender = self.addresses.from_aor(aor)
        return Draft(
            origin=Origin(network=SIP, account=sender.user),
            conversation=ConversationKey(network=SIP, remote_id=RemoteConversationId(sender.user)),
            sender=Identity(address=sender),
            recipients=(),
            body=body,
            losses=losses,
        )

    def _published(self, native: SipPublished) -> Draft:
        if native.pidf is None or native.expires <= 0:
            return self._of_own(native.aor, PresenceUpdate(presence=OFFLINE, source=native.entity_tag), ())
        now = self.clock()
        presence, losses = from_pidf(native.pidf, now)
        presence = evolve(presence, expires_at=now + native.expires)
        return self._of_own(native.aor, PresenceUpdate(presence=presence, source=native.entity_tag), losses)

    def _seen(self, native: SipSeen) -> Draft:
        presence, losses = (OFFLINE, ()) if native.pidf is None else from_pidf(native.pidf, self.clock())
        if native.watcher:
            body = PresenceUpdate(presence=presence)
            return evolve(
                self._draft(native.aor, self.addresses.to_uri(self.addresses.from_aor(native.watcher)), body),
                losses=losses,
            )
        return self._of_own(native.aor, PresenceUpdate(presence=presence, source=ELSEWHERE), losses)

    # To the wire

    def from_canonical(
        self, event: Envelope, recipient: Identity, account: str, caps: Capabilities
    ) -> Translated[SipNative] | Unmappable:
        """Returns the native events that carry an envelope to one SIP user, in order.

        ``account`` is not used: a SIP user is written to by the sender's own URI. Unmappable names as ``feature`` the
        kind of the body, or ``address``.
        """
        body = event.body
        try:
            if isinstance(body, Message):
                return self._send_message(event, body, recipient, caps)
            if isinstance(body, Typing):
                return self._send_typing(event, body, recipient, caps)
            if isinstance(body, PresenceUpdate):
                return self._send_presence(event, body, recipient, caps)
            if isinstance(body, Edit | Retract | Reaction):
                message, loss = told(body)
                sent = self._send_message(event, message, recipient, caps)
                return evolve(sent, losses=(loss, *sent.losses))
            if isinstance(body, Receipt):
                return self._send_receipt(event, body, recipient, caps)
        except AddressError as error:
            return Unmappable(feature="address", reason=error.reason)
        except SipBuildError as error:
            return Unmappable(feature=type(body).__name__.lower(), reason=str(error))
        return Unmappable(feature=type(body).__name__.lower(), reason="SIP's pager mode has no form for it")

    def _send_message(
        self, event: Envelope, body: Message, recipient: Identity, caps: Capabilities
    ) -> Translated[SipNative]:
        peer = self.addresses.to_uri(event.sender.address)
        name = event.sender.display_name
        shown = safe_display_name(name, event.sender.address.user) if name else ""
        headers: tuple[tuple[str, str], ...] = ()
        if body.subject or body.expires_at or event.claimed_at is not None or language_of(body):
            headers = self._headers(event, body)
        bodies, losses = bodies_of(body, caps, headers, len(peer) + len(shown))
        if body.wants and not body.automatic:
            to = self.addresses.to_uri(recipient.address)
            bodies = asking(bodies, event, body, peer, shown, to)
        natives = tuple(
            SipMessage(
                aor=recipient.address.user,
                peer=peer,
                call_id="",
                cseq=0,
                content_type=forms[0].content_type,
                body=forms[0].body,
                headers=headers if index == 0 else _without_subject(headers),
                display_name=shown,
                others=forms[1:],
                device=_device_of(event.conversation, recipient),
            )
            for index, forms in enumerate(bodies)
        )
        return Translated(natives=natives, losses=losses)

    def _headers(self, event: Envelope, body: Message) -> tuple[tuple[str, str], ...]:
        out: list[tuple[str, str]] = []
        subject = line(body.subject or "")
        if subject:
            out.append(("Subject", subject))
        if event.claimed_at is not None:
            date = _format_date(event.claimed_at)
            if date is not None:
                out.append(("Date", date))
        language = language_of(body)
        if language:
            out.append(("Content-Language", language))
        if body.expires_at is not None:
            out.append(("Expires", str(max(0, int(body.expires_at - self.clock())))))
        return tuple(out)

    def _send_receipt(
        self, event: Envelope, body: Receipt, recipient: Identity, caps: Capabilities
    ) -> Translated[SipNative] | Unmappable:
        if caps.delivered_receipts is Support.DROPPED:
            return Unmappable(feature="receipt", reason="this contact takes no receipts")
        if body.sent_at is None:
            return Unmappable(feature="receipt", reason="nobody knows when the message was sent that it is about")
        peer, to = self.addresses.to_uri(event.sender.address), self.addresses.to_uri(recipient.address)
        routes = self._routes.of(recipient.address.user, body.target)
        forms = notifying(event, body, peer, to, routes)
        native = SipMessage(
            aor=recipient.address.user,
            peer=peer,
            call_id="",
            cseq=0,
            content_type=forms[0].content_type,
            body=forms[0].body,
            others=forms[1:],
        )
        return Translated(natives=(native,))

    def _send_typing(
        self, event: Envelope, body: Typing, recipient: Identity, caps: Capabilities
    ) -> Translated[SipNative] | Unmappable:
        if caps.typing is Support.DROPPED:
            return Unmappable(feature="typing", reason="this contact takes no typing notices")
        losses = (Loss(feature="typing", detail="a pause is told as idle"),) if body.state is TypingState.PAUSED else ()
        native = SipTyping(
            aor=recipient.address.user,
            peer=self.addresses.to_uri(event.sender.address),
            state=_STATES_OUT[body.state],
            device=_device_of(event.conversation, recipient),
        )
        return Translated(natives=(native,), losses=losses)

    def _send_presence(
        self, event: Envelope, body: PresenceUpdate, recipient: Identity, caps: Capabilities
    ) -> Translated[SipNative] | Unmappable:
        if caps.presence is Support.DROPPED:
            return Unmappable(feature="presence", reason="this contact takes no presence")
        target = self.addresses.to_uri(event.sender.address)
        document, losses = self._document(body.presence, target) if body.standing is Standing.ACTIVE else (None, ())
        many = len(body.watches) > 1
        native = SipPresence(
            target=target,
            watcher=None if many else recipient.address.user,
            pidf=document,
            state=_STATES[body.standing],
            reason="rejected" if body.standing is Standing.REJECTED else None,
            subscription=body.watches[0] if len(body.watches) == 1 else None,
            subscriptions=body.watches if many else (),
            hidden=body.hidden,
        )
        return Translated(natives=(native,), losses=losses)

    def _document(self, presence: PersonPresence, target: str) -> tuple[bytes, tuple[Loss, ...]]:
        """The same octets for the same state, so that they are written to many watchers once."""
        known = self._documents.get((presence, target))
        if known is None:
            known = to_pidf(presence, target)
            self._documents.put((presence, target), known)
        return known


_STATES: Final[dict[Standing, Literal["active", "pending", "terminated"]]] = {
    Standing.ACTIVE: "active", Standing.PENDING: "pending", Standing.REJECTED: "terminated",
}  # fmt: skip


_GRUU: Final = ";gr="


def _device_in(peer: str) -> str:
    """Returns the device that a GRUU names, or "" where it is none."""
    try:
        uri = parse_uri(peer)
    except SipSyntaxError:
        return ""
    return (uri.param("gr") or "") if isinstance(uri, SipUri) else ""


def _device_of(conversation: ConversationKey, recipient: Identity) -> str | None:
    """Returns the device that a conversation is with, where the recipient was written to at one of theirs alone."""
    own, gruu, device = conversation.remote_id.partition(_GRUU)
    return device if gruu and conversation.network == SIP and own == recipient.address.user else None


def _remote_id(native: SipMessage) -> RemoteMessageId:
    """Call-ID, CSeq and content: with the sender, which the origin's account is, they name a request.

    Call-ID and CSeq alone do not: libpurple makes the same ones anew each time that it starts.
    """
    name = f"{native.call_id}/{native.cseq}/{blake2b(native.body, digest_size=8).hexdigest()}"
    if len(name) > MAX_REMOTE_ID:
        name = f"sha256:{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return RemoteMessageId(name)


_STATES_OUT: Final[dict[TypingState, State]] = {
    TypingState.ACTIVE: "active",
    TypingState.PAUSED: "idle",
    TypingState.IDLE: "idle",
    TypingState.GONE: "gone",
}


def _without_subject(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Of the pieces of a long text the first has the subject."""
    return tuple(header for header in headers if header[0] != "Subject")


def _date(value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return parse_date(value).timestamp()
    except SipSyntaxError:
        return None  # what a client claims of its clock is a note for the record, no reason to refuse a message


def _format_date(moment: float) -> str | None:
    try:
        return format_date(datetime.fromtimestamp(moment, UTC))
    except (OverflowError, OSError, ValueError):
        return None
