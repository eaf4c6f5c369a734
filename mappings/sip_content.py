"""What the body of a MESSAGE says, whatever it is wrapped in: text, HTML, CPIM, multipart, receipts, typing.

The best part that can be carried is chosen (RFC 2046 section 5.1, RFC 5621), the rest is told as losses. Nesting, the
number of parts and what compressed parts unfold to are bounded for a message as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bridge.model.body import Receipt, Stage, TextPart, Typing, TypingState
from bridge.model.envelope import Loss
from bridge.model.ids import RemoteMessageId
from mappings.content import MAX_INFLATED, ContentError, decode, inflate, media_type
from mappings.imdn import parse_imdn
from mappings.richtext import from_html, to_part
from mappings.text import clean
from transports.sip.wire import cpim, imdn
from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.headers import parse_content_type
from transports.sip.wire.iscomposing import CONTENT_TYPE as ISCOMPOSING
from transports.sip.wire.iscomposing import parse_iscomposing
from transports.sip.wire.mime import Entity, read_multipart

MAX_DEPTH: Final = 5
MAX_ENTITIES: Final = 64
MAX_SUBJECT: Final = 1024
MAX_MESSAGE_ID: Final = 256
_NOT_CARRIED: Final = frozenset({"content-type", "content-encoding", "charset"})
"""Why a part is left out. What is malformed, too long, or another's, makes the whole message be refused."""
_WANTED: Final = {
    "positive-delivery": Stage.DELIVERED,
    "negative-delivery": Stage.FAILED,
    "processing": Stage.RELAYED,
    "display": Stage.DISPLAYED,
}
REPLACED: Final = Loss(feature="charset", detail="bytes that are none in the charset, shown as U+FFFD")
CONTROLS: Final = Loss(feature="control-characters", detail="taken out")


class Content:
    """What was read.

    Attributes:
        texts: the texts, in order.
        receipts: what the message tells of earlier ones (RFC 5438): then it is no message for people.
        typing: what it tells of its sender's keyboard (RFC 3994).
        losses: what could not be carried.
        subject, language, claimed_at: as CPIM says; None where it says nothing.
        message_id, wants: the receipts that are asked for; both are there or none.
        record_route: where receipts are to pass, the nearest first (RFC 5438 section 6.3).
    """

    def __init__(self) -> None:
        self.texts: list[TextPart] = []
        self.receipts: list[Receipt] = []
        self.typing: Typing | None = None
        self.losses: list[Loss] = []
        self.subject: str | None = None
        self.language: str | None = None
        self.claimed_at: float | None = None
        self.message_id: RemoteMessageId | None = None
        self.wants: tuple[Stage, ...] = ()
        self.record_route: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it that could be carried."""
        return not self.texts and not self.receipts and self.typing is None


class ContentReader:
    """Reads one body.

    Args:
        require_own: raises ContentError where a URI is not the authenticated sender's.
        language: of the message as a whole, where its headers say.
    """

    def __init__(self, require_own: Callable[[str], None], language: str | None) -> None:
        self._require_own = require_own
        self._language = language
        self._entities = MAX_ENTITIES
        self._unfolded = MAX_INFLATED
        self.found = Content()

    def read(self, content_type: str, body: bytes, coding: str | None) -> Content:
        """Returns what a body says.

        Raises:
            ContentError: it cannot be read, nothing in it can be carried, or it is another's.
        """
        try:
            self._entity(content_type, body, coding, 0)
        except SipSyntaxError as error:
            raise ContentError("length" if error.status == 413 else "malformed", error.reason) from error
        if self.found.empty:
            raise ContentError("content-type", f"nothing in {content_type[:80]} is taken")
        return self.found

    def _entity(self, content_type: str, body: bytes, coding: str | None, depth: int) -> None:
        self._entities -= 1
        if depth > MAX_DEPTH or self._entities < 0:
            raise ContentError("malformed", f"more than {MAX_DEPTH} levels or {MAX_ENTITIES} parts")
        kind = media_type(content_type)
        if coding:
            body = inflate(body, coding, self._unfolded)
            self._unfolded -= len(body)
        name = kind.name
        if name in {"text/plain", "text/html"}:
            self._text(name, body, kind.charset)
        elif name == cpim.CONTENT_TYPE:
            self._cpim(body, depth)
        elif name == imdn.CONTENT_TYPE:
            self.found.receipts.append(parse_imdn(body))
        elif name == ISCOMPOSING:
            self.found.typing = Typing(state=_STATES[parse_iscomposing(body).state])
        elif name == "multipart/alternative":
            self._alternative(read_multipart(content_type, body), depth)
        elif name == "multipart/related":
            self._related(content_type, read_multipart(content_type, body), depth)
        elif name.startswith("multipart/"):  # RFC 2046 section 5.1.3: what is not known is read as mixed
            for part in read_multipart(content_type, body):
                self._part(part, depth)
        else:
            raise ContentError("content-type", f"{name[:80]} is not taken")

    def _text(self, kind: str, body: bytes, charset: str) -> None:
        language = self.found.language or self._language
        language = language if language and is_language(language) else None
        if kind == "text/plain":
            text, losses = plain_text(body, charset)
            self.found.texts.append(TextPart(text=text, language=language))
            self.found.losses += losses
            return
        source, replaced = decode(body, charset)
        rich = from_html(source)
        self.found.texts.append(to_part(rich, language))
        self.found.losses += (*rich.losses, *((REPLACED,) if replaced else ()))

    # Multiparts

    def _inside(self, part: Entity, depth: int) -> None:
        outer = self._language
        self._language = part.headers.get("content-language", outer)
        try:
            self._entity(part.content_type, part.body, part.headers.get("content-encoding"), depth + 1)
        finally:
            self._language = outer

    def _part(self, part: Entity, depth: int) -> None:
        """One part of several that are all meant to be read."""
        mark = self._mark()
        try:
            self._inside(part, depth)
        except ContentError as error:
            self._back_to(mark)
            # RFC 3261 section 20.11 takes a part for required that says nothing of it. Composers of mail never say, and
            # a text that arrives with a word of what was left out is more than none.
            required = (part.disposition_param("handling") or "").lower() == "required"
            if error.feature not in _NOT_CARRIED or required:
                raise
            self.found.losses.append(_left_out(part))

    def _alternative(self, parts: tuple[Entity, ...], depth: int) -> None:
        """The last that can be carried is the best (RFC 2046 section 5.1.4)."""
        for part in reversed(parts):
            mark = self._mark()
            try:
                self._inside(part, depth)
            except ContentError as error:
                if error.feature not in _NOT_CARRIED:
                    raise
                self._back_to(mark)
                continue
            if part is not parts[-1]:
                better = media_type(parts[-1].content_type).name
                self.found.losses.append(Loss(feature="alternative", detail=f"{better[:80]} is not carried"))
            return
        raise ContentError("content-type", "none of the alternatives is taken")

    def _related(self, content_type: str, parts: tuple[Entity, ...], depth: int) -> None:
        """The root is what is read (RFC 2387); what it refers to, such as the images of a page, is left out."""
        start = (parse_content_type(content_type).param("start") or "").strip('"<>')
        root = next((part for part in parts if start and part.content_id == start), parts[0])
        self._inside(root, depth)
        self.found.losses += [_left_out(part) for part in parts if part is not root]

    def _mark(self) -> tuple[int, int, int, Typing | None]:
        found = self.found
        return len(found.texts), len(found.receipts), len(found.losses), found.typing

    def _back_to(self, mark: tuple[int, int, int, Typing | None]) -> None:
        """Forgets what a part said before it turned out that it cannot be carried."""
        found = self.found
        del found.texts[mark[0] :], found.receipts[mark[1] :], found.losses[mark[2] :]
        found.typing = mark[3]

    # CPIM

    def _cpim(self, body: bytes, depth: int) -> None:
        message = cpim.parse_cpim(body)
        for header in message.all("From"):
            self._require_own(cpim.uri_of(header.value))
        unknown = message.unknown()
        if unknown:
            raise ContentError("require", f"the CPIM message requires {unknown[0][:80]!a}, which is not known here")
        found = self.found
        if found.claimed_at is None:
            found.claimed_at = message.sent_at
        subject = self._subject(message)
        if subject is not None and found.subject is None:
            found.subject = line(subject.value)
            found.language = found.language or (subject.lang or None)
        self._asked(message)
        coding = message.content.headers.get("content-encoding")
        self._entity(message.content.content_type, message.content.body, coding, depth + 1)

    def _subject(self, message: cpim.Cpim) -> cpim.CpimHeader | None:
        """Of a subject in several languages (RFC 3862 sections 3.3, 4.5) the message's own, else the first."""
        subjects = message.all("Subject")
        own = [one for one in subjects if one.lang and one.lang == self._language]
        return next(iter(own or subjects), None)

    def _asked(self, message: cpim.Cpim) -> None:
        """RFC 5438 section 6: a message that asks for notifications must have a Message-ID and a DateTime."""
        asked = message.first("Disposition-Notification", cpim.IMDN)
        if not asked or imdn.CONTENT_TYPE in message.content.content_type.lower():
            return  # none is ever sent of a notification (section 8)
        words = [word.partition(";")[0].strip().lower() for word in asked.split(",")]
        wants = tuple(dict.fromkeys(_WANTED[word] for word in words if word in _WANTED))
        message_id = message.first("Message-ID", cpim.IMDN)
        if not message_id or len(message_id) > MAX_MESSAGE_ID or not message_id.isprintable():
            self.found.losses.append(Loss(feature="receipts", detail="asked for without a Message-ID"))
        elif message.sent_at is None:
            self.found.losses.append(Loss(feature="receipts", detail="asked for without a DateTime"))
        elif wants:
            self.found.message_id = RemoteMessageId(message_id)
            self.found.wants = wants
            routes = message.all("IMDN-Record-Route", cpim.IMDN)
            self.found.record_route = tuple(one.value for one in routes)


_STATES: Final = {"active": TypingState.ACTIVE, "idle": TypingState.IDLE, "gone": TypingState.GONE}


def typing_state(word: str) -> TypingState:
    """Returns the state of an is-composing document; what is not known counts as idle (RFC 3994 section 3)."""
    return _STATES.get(word, TypingState.IDLE)


def _left_out(part: Entity) -> Loss:
    kind = media_type(part.content_type).name
    name = part.disposition_param("filename") or ""
    detail = f"{kind[:80]} {name[:80]!r}, {len(part.body)} bytes" if name else f"{kind[:80]}, {len(part.body)} bytes"
    return Loss(feature="attachment", detail=clean(detail)[0])


def plain_text(body: bytes, charset: str) -> tuple[str, tuple[Loss, ...]]:
    """Returns a text without control characters, and what was lost of it."""
    text, replaced = decode(body, charset)
    if text.isprintable():
        return text, (REPLACED,) if replaced else ()
    text, cleaned = clean(text)
    return text, (*((REPLACED,) if replaced else ()), *((CONTROLS,) if cleaned else ()))


def line(value: str) -> str | None:
    """Returns a text as one line of bounded length; None where nothing is left."""
    return " ".join(clean(value)[0].split())[:MAX_SUBJECT] or None


def is_language(text: str) -> bool:
    """Whether it looks like one language tag (RFC 5646)."""
    return len(text) <= 35 and text.isascii() and text.replace("-", "").isalnum()
