"""Who is registered where: application/reginfo+xml (RFC 3680), read and written."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, cast, get_args
from xml.etree.ElementTree import Element

import attrs

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.xmldoc import attribute, child_text, children, local, number, read_xml
from transports.sip.wire.xmldoc import text as xml_text

CONTENT_TYPE: Final = "application/reginfo+xml"
MAX_SIZE: Final = 256 * 1024

RegistrationState: TypeAlias = Literal["init", "active", "terminated"]
ContactState: TypeAlias = Literal["active", "terminated"]
ContactEvent: TypeAlias = Literal[
    "registered", "created", "refreshed", "shortened", "expired", "deactivated", "probation", "unregistered", "rejected"
]
STATES: Final = frozenset(get_args(RegistrationState))
CONTACT_STATES: Final = frozenset(get_args(ContactState))
EVENTS: Final = frozenset(get_args(ContactEvent))
_Q: Final = re.compile(r"[01](?:\.[0-9]{1,3})?")


@attrs.frozen(kw_only=True)
class RegContact:
    """One contact (RFC 3680 section 5.2.2).

    Attributes:
        id: names it, and is the same in later documents.
        uri: where.
        state: whether it is bound.
        event: what brought it there.
        expires: seconds that it is still bound, where known.
        q: its preference, 0 to 1.
        call_id, cseq: of the REGISTER that bound it last.
    """

    id: str
    uri: str
    state: ContactState
    event: ContactEvent
    expires: int | None = None
    q: float | None = None
    call_id: str = ""
    cseq: int | None = None


@attrs.frozen(kw_only=True)
class RegInfo:
    """What one NOTIFY tells of one address-of-record. All its contacts are named: ``state="full"``."""

    version: int
    aor: str
    id: str
    state: RegistrationState
    contacts: tuple[RegContact, ...] = ()


def build_reginfo(document: RegInfo) -> bytes:
    """Write the document in UTF-8.

    Raises:
        SipBuildError: a version below 0, a q beyond 0 to 1, or a state or event that RFC 3680 does not know.
    """
    if document.version < 0 or document.state not in STATES:
        raise SipBuildError(f"reginfo: version {document.version}, state {document.state!r}"[:200])
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n<reginfo xmlns="urn:ietf:params:xml:ns:reginfo"']
    out.append(f' version="{document.version}" state="full">\n')
    out.append(f'<registration aor={attribute(document.aor)} id={attribute(document.id)} state="{document.state}">\n')
    out += [_write(contact) for contact in document.contacts]
    out.append("</registration>\n</reginfo>\n")
    return "".join(out).encode()


def _write(contact: RegContact) -> str:
    if contact.state not in CONTACT_STATES or contact.event not in EVENTS:
        raise SipBuildError(f"reginfo: no such state or event: {contact.state!r}, {contact.event!r}"[:200])
    more = ""
    if contact.expires is not None:
        more += f' expires="{contact.expires}"'
    if contact.q is not None:
        if not 0 <= contact.q <= 1:
            raise SipBuildError(f"reginfo: q is {contact.q!r}")
        more += f' q="{contact.q:.3f}"'
    if contact.call_id:
        more += f" callid={attribute(contact.call_id)}"
    if contact.cseq is not None:
        more += f' cseq="{contact.cseq}"'
    return (
        f'<contact id={attribute(contact.id)} state="{contact.state}" event="{contact.event}"{more}>'
        f"<uri>{xml_text(contact.uri)}</uri></contact>\n"
    )


def parse_reginfo(data: bytes, limit: int = MAX_SIZE) -> RegInfo:
    """Read a document with one registration.

    Raises:
        SipSyntaxError: too large (413); not well formed, a DTD or entities, another root, no registration or several,
            or what RFC 3680 asks for is missing (400).
    """
    root = read_xml(data, "reginfo", limit)
    found = children(root, "registration")
    if local(root) != "reginfo" or len(found) != 1:
        raise SipSyntaxError("reginfo: not a document with one registration")
    (element,) = found
    state = element.get("state")
    if state not in STATES or not element.get("aor") or not element.get("id"):
        raise SipSyntaxError("reginfo: a registration without aor, id or a known state")
    version = number(root, "version", "reginfo")
    return RegInfo(
        version=0 if version is None else version,
        aor=element.get("aor") or "",
        id=element.get("id") or "",
        state=cast(RegistrationState, state),
        contacts=tuple(_read(contact) for contact in children(element, "contact")),
    )


def _read(element: Element) -> RegContact:
    state, event, uri = element.get("state"), element.get("event"), child_text(element, "uri")
    if state not in CONTACT_STATES or event not in EVENTS or not element.get("id") or uri is None:
        raise SipSyntaxError("reginfo: a contact without id or URI, or with a state or event that is not known")
    q = element.get("q")
    return RegContact(
        id=element.get("id") or "",
        uri=uri,
        state=cast(ContactState, state),
        event=cast(ContactEvent, event),
        expires=number(element, "expires", "reginfo"),
        q=min(float(q), 1.0) if q is not None and _Q.fullmatch(q) else None,
        call_id=element.get("callid") or "",
        cseq=number(element, "cseq", "reginfo"),
    )
