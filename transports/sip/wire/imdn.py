"""message/imdn+xml: what became of an instant message (RFC 5438 section 7.2.1)."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import attrs

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.xmldoc import read_xml
from transports.sip.wire.xmldoc import text as xml_text

CONTENT_TYPE: Final = "message/imdn+xml"
MAX_SIZE: Final = 16 * 1024
MAX_ID: Final = 256
_NAMESPACE: Final = "{urn:ietf:params:xml:ns:imdn}"

Kind: TypeAlias = Literal["delivery", "display", "processing"]
Status: TypeAlias = Literal["delivered", "failed", "displayed", "processed", "stored", "forbidden", "error"]
STATUSES: Final[dict[Kind, frozenset[str]]] = {
    "delivery": frozenset({"delivered", "failed", "forbidden", "error"}),
    "display": frozenset({"displayed", "forbidden", "error"}),
    "processing": frozenset({"processed", "stored", "forbidden", "error"}),
}


@attrs.frozen(kw_only=True)
class Imdn:
    """One notification.

    Attributes:
        message_id: the Message-ID of the message that it is about.
        kind: which of its notifications: delivery, display or processing.
        status: forbidden means that no word of it is given, not that the message was refused; error that its fate is
            not known.
        datetime: the message's DateTime as text, empty where it is not said.
        recipient: whom the message was for, as a URI; empty where it is not said.
        original_recipient: whom its sender had named, likewise.
    """

    message_id: str
    kind: Kind
    status: Status
    datetime: str = ""
    recipient: str = ""
    original_recipient: str = ""


def parse_imdn(data: bytes) -> Imdn:
    """Reads a notification.

    A status is taken under whichever notification it stands, for clients get that wrong; it tells the kind then.

    Raises:
        SipSyntaxError: larger than 16 KiB (413); no XML, a DTD or entities, no message named, no status known (400).
    """
    root = read_xml(data, "IMDN", MAX_SIZE)
    message_id = (root.findtext(f"{_NAMESPACE}message-id") or "").strip()
    if root.tag != f"{_NAMESPACE}imdn" or not message_id or len(message_id) > MAX_ID or not message_id.isprintable():
        raise SipSyntaxError("IMDN: it names no message")
    for kind, words in STATUSES.items():
        for status in root.iterfind(f"{_NAMESPACE}{kind}-notification/{_NAMESPACE}status/*"):
            word = status.tag.removeprefix(_NAMESPACE)
            if word in words:
                return _imdn(root, message_id, kind, word)
    for status in root.iterfind(f"*/{_NAMESPACE}status/*"):
        word = status.tag.removeprefix(_NAMESPACE)
        for kind, words in STATUSES.items():
            if word in words:
                return _imdn(root, message_id, kind, word)
    raise SipSyntaxError("IMDN: no status that is known")


def _imdn(root: object, message_id: str, kind: Kind, word: str) -> Imdn:
    def said(name: str) -> str:
        found = root.findtext(f"{_NAMESPACE}{name}")  # type: ignore[attr-defined]
        text = (found or "").strip()
        return text if text.isprintable() and len(text) <= MAX_ID * 4 else ""

    return Imdn(
        message_id=message_id,
        kind=kind,
        status=word,  # type: ignore[arg-type]
        datetime=said("datetime"),
        recipient=said("recipient-uri"),
        original_recipient=said("original-recipient-uri"),
    )


def build_imdn(value: Imdn) -> bytes:
    """Writes a notification in UTF-8.

    Raises:
        SipBuildError: no Message-ID or DateTime, which RFC 5438 demands, or a status that its kind does not have.
    """
    if not value.message_id or not value.datetime:
        raise SipBuildError("IMDN: Message-ID and DateTime must be there")
    if value.kind not in get_args(Kind) or value.status not in STATUSES[value.kind]:
        raise SipBuildError(f"IMDN: {value.status} is no status of a {value.kind} notification")
    out = [
        '<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="urn:ietf:params:xml:ns:imdn">\n',
        f"<message-id>{xml_text(value.message_id)}</message-id>\n<datetime>{xml_text(value.datetime)}</datetime>\n",
    ]
    if value.recipient:
        out.append(f"<recipient-uri>{xml_text(value.recipient)}</recipient-uri>\n")
    if value.original_recipient:
        out.append(f"<original-recipient-uri>{xml_text(value.original_recipient)}</original-recipient-uri>\n")
    out.append(f"<{value.kind}-notification><status><{value.status}/></status></{value.kind}-notification>\n</imdn>\n")
    return "".join(out).encode()
