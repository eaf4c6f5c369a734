"""What is in a MESSAGE on its way out: the forms of a text, requests for receipts, and receipts (RFC 3428, 3862, 5438).

A body has several forms, the best first: a device gets the first that it takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bridge.model.body import Message, Receipt, Stage, TextPart
from bridge.model.capabilities import Capabilities, Support
from bridge.model.envelope import Envelope, Loss
from mappings.imdn import notification_of
from mappings.richtext import from_part, split_rich, to_html, to_plain
from mappings.sip_content import is_language, line
from mappings.text import split, utf8_cost
from transports.sip.wire.cpim import CONTENT_TYPE as CPIM
from transports.sip.wire.cpim import IMDN, CpimHeader, build_cpim, format_address, format_moment
from transports.sip.wire.errors import SipBuildError
from transports.sip.wire.imdn import CONTENT_TYPE as IMDN_TYPE
from transports.sip.wire.imdn import build_imdn
from transports.sip.wire.native import SipForm

PLAIN: Final = "text/plain"
PLAIN_UTF8: Final = "text/plain; charset=utf-8"
USUAL_NAMES: Final = 150
"""Octets of the sender's URI and name that a limit of ``Capabilities.max_text_bytes`` leaves room for."""
LEAST_PIECE: Final = 200
"""A text is cut into no smaller pieces to make room for long headers."""
ROUTES_KEPT: Final = 1024
_ASKS: Final = {
    Stage.DELIVERED: "positive-delivery",
    Stage.FAILED: "negative-delivery",
    Stage.DISPLAYED: "display",
}
"""What is asked of a recipient's device. ``processing`` is of those between, and answered here (RFC 5438 section 8)."""

Forms = tuple[SipForm, ...]


class RouteMemo:
    """By which way receipts of a message are to go (RFC 5438 section 6.3). Bounded; the oldest are forgotten."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._routes)

    def keep(self, account: str, message_id: str, routes: tuple[str, ...]) -> None:
        """Keeps the way for the receipts of one message."""
        if len(self._routes) >= ROUTES_KEPT:
            del self._routes[next(iter(self._routes))]
        self._routes[account, message_id] = routes

    def of(self, account: str, message_id: str) -> tuple[str, ...]:
        """Returns the way, nothing where none was asked for."""
        return self._routes.get((account, message_id), ())


def bodies_of(
    body: Message, caps: Capabilities, headers: Sequence[tuple[str, str]], names: int
) -> tuple[tuple[Forms, ...], tuple[Loss, ...]]:
    """Returns the bodies of the MESSAGEs that carry a message, each in its forms, and what is lost.

    Args:
        body: what is said.
        caps: what the recipient's devices take; a text longer than they take is cut between grapheme clusters.
        headers: that go with the first: they take from the room that there is.
        names: octets of the sender's URI and name.
    """
    limit = caps.max_text_bytes
    extra = sum(len(name) + utf8_cost(value) + 4 for name, value in headers) if headers else 0
    if extra or names > USUAL_NAMES:
        limit = max(limit - extra - max(0, names - USUAL_NAMES), min(LEAST_PIECE, limit))
    part = body.parts[0] if len(body.parts) == 1 else None
    if isinstance(part, TextPart) and part.html is None:
        text = part.text
        return _plain((text,) if len(text) * 4 <= limit else split(text, limit, utf8_cost)), ()
    losses = tuple(
        Loss(feature="attachment", detail=item.name) for item in body.parts if not isinstance(item, TextPart)
    )
    if isinstance(part, TextPart) and caps.html is not Support.DROPPED:
        rich = from_part(part)
        pieces = split_rich(rich, limit, utf8_cost, to_html)
        forms = tuple(
            (SipForm("text/html", _octets(to_html(piece))), SipForm(PLAIN_UTF8, _octets(to_plain(piece))))
            for piece in pieces
        )
        return forms, (*losses, *rich.losses)
    if any(isinstance(item, TextPart) and item.html is not None for item in body.parts):
        losses = (*losses, Loss(feature="html", detail="formatting is told as plain text"))
    return _plain(split(body.text, limit, utf8_cost)), losses


def _plain(texts: tuple[str, ...]) -> tuple[Forms, ...]:
    return tuple((SipForm(PLAIN, _octets(text)),) for text in texts)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def asking(
    bodies: tuple[Forms, ...], event: Envelope, body: Message, sender: str, name: str, recipient: str
) -> tuple[Forms, ...]:
    """Puts before each body's forms one in CPIM that asks for the receipts that the sender wants.

    The Message-ID is the event's id, with the number of the piece behind it where there are several: receipts name it.
    """
    asks = [_ASKS[stage] for stage in body.wants if stage in _ASKS]
    if not asks:
        return bodies
    out: list[Forms] = []
    for index, forms in enumerate(bodies):
        piece = event.id if len(bodies) == 1 else f"{event.id}.{index}"
        headers = _envelope(event, sender, name, recipient)
        subject = line(body.subject or "") if index == 0 else None
        if subject:
            headers.append(CpimHeader("Subject", subject, lang=language_of(body) or ""))
        headers.append(CpimHeader("Message-ID", piece, IMDN))
        headers.append(CpimHeader("Disposition-Notification", ", ".join(asks), IMDN))
        out.append((SipForm(CPIM, build_cpim(headers, PLAIN_UTF8, forms[-1].body)), *forms))
    return tuple(out)


def notifying(event: Envelope, receipt: Receipt, sender: str, recipient: str, routes: tuple[str, ...]) -> Forms:
    """Returns the forms of a receipt: in CPIM as RFC 5438 section 7 has it, and bare as Linphone has it.

    Args:
        event: the receipt's; its id is the Message-ID of the notification.
        receipt: what is told; ``sent_at`` is there.
        sender: the URI of whoever the notified message was for.
        recipient: the URI of whoever asked.
        routes: the IMDN-Record-Route of the notified message.
    """
    assert receipt.sent_at is not None
    document = build_imdn(notification_of(receipt, format_moment(receipt.sent_at), sender))
    headers = _envelope(event, sender, "", recipient)
    headers.append(CpimHeader("Message-ID", event.id, IMDN))
    headers += [CpimHeader("IMDN-Route", route, IMDN) for route in routes]
    wrapped = build_cpim(headers, IMDN_TYPE, document, disposition="notification")
    return SipForm(CPIM, wrapped), SipForm(IMDN_TYPE, document)


def _envelope(event: Envelope, sender: str, name: str, recipient: str) -> list[CpimHeader]:
    try:
        sent_at = format_moment(event.received_at if event.claimed_at is None else event.claimed_at)
    except SipBuildError:  # a clock that is beyond all years
        sent_at = format_moment(event.received_at)
    return [
        CpimHeader("From", format_address(sender, name)),
        CpimHeader("To", format_address(recipient)),
        CpimHeader("DateTime", sent_at),
    ]


def language_of(body: Message) -> str | None:
    """Returns the language of a message's text; None where it names none that can be written."""
    for part in body.parts:
        if isinstance(part, TextPart) and part.language and is_language(part.language):
            return part.language
    return None
