"""SIP's native events and the model: MESSAGE (RFC 3428), typing (RFC 3994), receipts (RFC 5438), watches, presence.

The mapping keeps nothing but a bounded memo of pairs of people; its configuration is the address book.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from typing import Final, Literal

from attrs import evolve, frozen

from bridge.model.address import Address, ConversationKey, Identity
from bridge.model.body import Message, PresenceUpdate, Reachability, Standing, TextPart, Typing, TypingState, Watch
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Draft, Envelope, Loss, Origin, Translated, Unmappable
from bridge.model.ids import SIP, RemoteConversationId, RemoteMessageId
from bridge.model.presence import OFFLINE, PersonPresence
from mappings.content import ContentError, decode, inflate, media_type
from mappings.cpim import parse_cpim
from mappings.identity import AddressError, SipAddressBook, safe_display_name
from mappings.imdn import parse_imdn
from mappings.pidf import from_pidf, to_pidf
from mappings.richtext import from_html, from_part, split_rich, to_html, to_part, to_plain
from mappings.text import clean, split, utf8_cost
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.headers import format_date, parse_date
from transports.sip.wire.iscomposing import parse_iscomposing
from transports.sip.wire.native import (
    SipMessage,
    SipNative,
    SipPresence,
    SipPublished,
    SipRegistration,
    SipTyping,
    SipWatch,
)

MEMO_ENTRIES: Final = 16_384
MEMO_KEY: Final = 512
MEMO_DOCUMENTS: Final = 1024
MAX_REMOTE_ID: Final = 200
MAX_SUBJECT: Final = 1024

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
        self._parties_of: dict[tuple[str, str, str], Parties] = {}
        self._documents: dict[tuple[PersonPresence, str], tuple[bytes, tuple[Loss, ...]]] = {}

    # From the wire

    def to_canonical(self, native: SipNative) -> tuple[Draft, ...] | Unmappable:
        """Returns what a native event means: one draft, whose account is the authenticated sender.

        Unmappable where it cannot be read or addressed; ``feature`` is ``address``, ``sender``, ``content-type``,
        ``content-encoding``, ``charset`` or ``length``.
        """
        try:
            if isinstance(native, SipMessage):
                return (self._message(native),)
            return self._other(native)
        except AddressError as error:
            return Unmappable(feature="address", reason=error.reason)
        except ContentError as error:
            return Unmappable(feature=error.feature, reason=error.reason)

    def _other(self, native: SipNative) -> tuple[Draft, ...] | Unmappable:
        if isinstance(native, SipTyping):
            state = TypingState.ACTIVE if native.state == "active" else TypingState.IDLE
            return (self._draft(native.aor, native.peer, Typing(state=state)),)
        if isinstance(native, SipWatch):
            body = Watch(id=native.id, expires=native.expires, once=native.fetch)
            return (self._draft(native.aor, native.target, body),)
        if isinstance(native, SipRegistration):
            return (self._of_own(native.aor, Reachability(devices=native.contacts), ()),)
        if isinstance(native, SipPublished):
            return (self._published(native),)
        return Unmappable(feature="presence", reason="a NOTIFY is sent by the bridge, never taken")

    def _parties(self, aor: str, peer: str, name: str) -> Parties:
        key = (aor, peer, name)
        known = self._parties_of.get(key)
        if known is not None:
            return known
        sender = self.addresses.from_aor(aor)
        recipient = self.addresses.from_uri(peer)
        shown = safe_display_name(name, sender.user)
        made = (
            Identity(address=sender, display_name=shown),
            (Identity(address=recipient),),
            self._conversation(sender, recipient),
        )
        if len(aor) + len(peer) + len(name) <= MEMO_KEY:
            if len(self._parties_of) >= MEMO_ENTRIES:
                self._parties_of.clear()
            self._parties_of[key] = made
        return made

    def _conversation(self, sender: Address, recipient: Address) -> ConversationKey:
        """SIP's pager mode has no ids of conversations: two users name one, in the same order from either side."""
        own, other = sender.user, self.addresses.to_aor(recipient)
        if recipient.corporate and other < own:
            own, other = recipient.user, own
        return ConversationKey(network=SIP, remote_id=RemoteConversationId(own), receiver=other)  # type: ignore[arg-type]

    def _message(self, native: SipMessage) -> Draft:
        sender, recipients, conversation = self._parties(native.aor, native.peer, native.display_name)
        kind = native.content_type
        if kind == "text/plain" and not native.headers:
            text, body_losses = _plain_text(native.body, "")
            return Draft(
                origin=Origin(network=SIP, account=sender.address.user, remote_id=_remote_id(native)),
                conversation=conversation,
                sender=sender,
                recipients=recipients,
                body=Message(parts=(TextPart(text=text),), thread=native.call_id),
                losses=body_losses,
            )
        return self._message_with_headers(native, sender, recipients, conversation)

    def _message_with_headers(
        self, native: SipMessage, sender: Identity, recipients: tuple[Identity, ...], conversation: ConversationKey
    ) -> Draft:
        headers = {name.lower(): value for name, value in reversed(native.headers)}
        content = native.body
        coding = headers.get("content-encoding")
        if coding is not None:
            content = inflate(content, coding)
        origin = Origin(
            network=SIP,
            account=sender.address.user,
            remote_id=_remote_id(native),
            user_agent=clean(headers.get("user-agent", ""))[0][:MAX_REMOTE_ID],
        )
        kind = media_type(native.content_type)
        found = _Content(claimed_at=_date(headers.get("date")), language=headers.get("content-language"))
        if kind.name == "message/cpim":
            cpim = parse_cpim(content)
            self._require_own(cpim.sender, sender.address)
            found = _Content(
                claimed_at=cpim.sent_at if cpim.sent_at is not None else found.claimed_at,
                language=cpim.language or found.language,
                subject=cpim.subject or None,
            )
            kind, content = media_type(cpim.content_type), cpim.body
        if kind.name == "message/imdn+xml":
            receipt = parse_imdn(content)
            return Draft(origin=origin, conversation=conversation, sender=sender, recipients=recipients, body=receipt)
        if kind.name == "application/im-iscomposing+xml":
            return self._draft(native.aor, native.peer, _typing(content))
        part, losses = _text_part(kind.name, content, kind.charset, found.language)
        if headers.get("priority", "normal").lower() in {"urgent", "emergency"}:
            losses = (*losses, Loss(feature="priority", detail=headers["priority"].lower()))
        return Draft(
            origin=origin,
            conversation=conversation,
            sender=sender,
            recipients=recipients,
            body=Message(
                parts=(part,),
                thread=native.call_id,
                subject=found.subject or _subject(headers.get("subject")),
                expires_at=self._expiry(headers.get("expires")),
            ),
            claimed_at=found.claimed_at,
            losses=losses,
        )

    def _require_own(self, uri: str, sender: Address) -> None:
        """The From inside a CPIM message must be its authenticated sender, or say nothing."""
        if not uri or "anonymous.invalid" in uri.lower():
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
        digits = value.strip()
        return self.clock() + int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None

    def _draft(self, aor: str, peer: str, body: Typing | Watch) -> Draft:
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
        except AddressError as error:
            return Unmappable(feature="address", reason=error.reason)
        return Unmappable(feature=type(body).__name__.lower(), reason="SIP's pager mode has no form for it")

    def _send_message(
        self, event: Envelope, body: Message, recipient: Identity, caps: Capabilities
    ) -> Translated[SipNative]:
        peer = self.addresses.to_uri(event.sender.address)
        name = event.sender.display_name
        shown = safe_display_name(name, event.sender.address.user) if name else ""
        texts, kind, losses = _texts(body, caps)
        headers: tuple[tuple[str, str], ...] = ()
        if body.subject or body.expires_at or event.claimed_at is not None or _language(body):
            headers = self._headers(event, body)
        natives = tuple(
            SipMessage(
                aor=recipient.address.user,
                peer=peer,
                call_id="",
                cseq=0,
                content_type=kind,
                body=text.encode("utf-8", "replace"),
                headers=headers,
                display_name=shown,
                plain=None if plain is None else plain.encode("utf-8", "replace"),
            )
            for text, plain in texts
        )
        return Translated(natives=natives, losses=losses)

    def _headers(self, event: Envelope, body: Message) -> tuple[tuple[str, str], ...]:
        out: list[tuple[str, str]] = []
        if body.subject:
            out.append(("Subject", " ".join(clean(body.subject)[0].split())[:MAX_SUBJECT]))
        if event.claimed_at is not None:
            date = _format_date(event.claimed_at)
            if date is not None:
                out.append(("Date", date))
        language = _language(body)
        if language:
            out.append(("Content-Language", language))
        if body.expires_at is not None:
            out.append(("Expires", str(max(0, int(body.expires_at - self.clock())))))
        return tuple(out)

    def _send_typing(
        self, event: Envelope, body: Typing, recipient: Identity, caps: Capabilities
    ) -> Translated[SipNative] | Unmappable:
        if caps.typing is Support.DROPPED:
            return Unmappable(feature="typing", reason="this contact takes no typing notices")
        losses = (Loss(feature="typing", detail="a pause is told as idle"),) if body.state is TypingState.PAUSED else ()
        native = SipTyping(
            aor=recipient.address.user,
            peer=self.addresses.to_uri(event.sender.address),
            state="active" if body.state is TypingState.ACTIVE else "idle",
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
            if len(self._documents) >= MEMO_DOCUMENTS:
                self._documents.clear()
            self._documents[presence, target] = known
        return known


_STATES: Final[dict[Standing, Literal["active", "pending", "terminated"]]] = {
    Standing.ACTIVE: "active", Standing.PENDING: "pending", Standing.REJECTED: "terminated",
}  # fmt: skip


@frozen(kw_only=True)
class _Content:
    """What headers say of a text, be they SIP's or CPIM's."""

    claimed_at: float | None
    language: str | None
    subject: str | None = None


def _remote_id(native: SipMessage) -> RemoteMessageId:
    """Call-ID, CSeq and content: with the sender, which the origin's account is, they name a request.

    Call-ID and CSeq alone do not: libpurple makes the same ones anew each time that it starts.
    """
    name = f"{native.call_id}/{native.cseq}/{blake2b(native.body, digest_size=8).hexdigest()}"
    if len(name) > MAX_REMOTE_ID:
        name = f"sha256:{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return RemoteMessageId(name)


_REPLACED: Final = Loss(feature="charset", detail="bytes that are none in the charset, shown as U+FFFD")
_CONTROLS: Final = Loss(feature="control-characters", detail="taken out")


def _plain_text(body: bytes, charset: str) -> tuple[str, tuple[Loss, ...]]:
    text, replaced = decode(body, charset)
    if text.isprintable():
        return text, (_REPLACED,) if replaced else ()
    text, cleaned = clean(text)
    return text, (*((_REPLACED,) if replaced else ()), *((_CONTROLS,) if cleaned else ()))


def _text_part(kind: str, body: bytes, charset: str, language: str | None) -> tuple[TextPart, tuple[Loss, ...]]:
    language = language if language and _is_language(language) else None
    if kind == "text/plain":
        text, losses = _plain_text(body, charset)
        return TextPart(text=text, language=language), losses
    if kind == "text/html":
        source, replaced = decode(body, charset)
        rich = from_html(source)
        return to_part(rich, language), (*rich.losses, *((_REPLACED,) if replaced else ()))
    raise ContentError("content-type", f"{kind[:80]} is not taken")


def _typing(body: bytes) -> Typing:
    try:
        composing = parse_iscomposing(body)
    except SipSyntaxError as error:
        raise ContentError("malformed", error.reason) from error
    return Typing(state=TypingState.ACTIVE if composing.state == "active" else TypingState.IDLE)


def _is_language(text: str) -> bool:
    """Whether it looks like one language tag (RFC 5646)."""
    return len(text) <= 35 and text.isascii() and text.replace("-", "").isalnum()


def _language(body: Message) -> str | None:
    for part in body.parts:
        if isinstance(part, TextPart) and part.language and _is_language(part.language):
            return part.language
    return None


def _subject(value: str | None) -> str | None:
    return (" ".join(clean(value)[0].split())[:MAX_SUBJECT] or None) if value else None


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


def _texts(body: Message, caps: Capabilities) -> tuple[tuple[tuple[str, str | None], ...], str, tuple[Loss, ...]]:
    """Returns the bodies of the MESSAGEs, each with its plain form where it is not plain; their type; what is lost."""
    limit = caps.max_text_bytes
    part = body.parts[0] if len(body.parts) == 1 else None
    if isinstance(part, TextPart) and part.html is None:
        text = part.text
        return _alone((text,) if len(text) * 4 <= limit else split(text, limit, utf8_cost)), "text/plain", ()
    losses = tuple(
        Loss(feature="attachment", detail=item.name) for item in body.parts if not isinstance(item, TextPart)
    )
    if isinstance(part, TextPart) and caps.html is not Support.DROPPED:
        rich = from_part(part)
        pieces = split_rich(rich, limit, utf8_cost, to_html)
        forms = tuple((to_html(piece), to_plain(piece)) for piece in pieces)
        return forms, "text/html", (*losses, *rich.losses)
    if any(isinstance(item, TextPart) and item.html is not None for item in body.parts):
        losses = (*losses, Loss(feature="html", detail="formatting is told as plain text"))
    return _alone(split(body.text, limit, utf8_cost)), "text/plain", losses


def _alone(texts: tuple[str, ...]) -> tuple[tuple[str, None], ...]:
    return tuple((text, None) for text in texts)
