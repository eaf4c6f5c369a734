"""Presence for old clients: application/xpidf+xml, the form that MSN Messenger and its kin knew before PIDF.

It has no RFC (draft-rosenberg-impp-pidf-00 describes it): one atom with one address, a status of `open`, `inuse` or
`closed`, and Messenger's own word for what the person does. Notes and the rest of RPID have no place in it.
"""

from __future__ import annotations

from typing import Final

import attrs

from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.pidf import Pidf
from transports.sip.wire.xmldoc import attribute, children, local, read_xml

CONTENT_TYPE: Final = "application/xpidf+xml"

_WORDS: Final = {
    "on-the-phone": ("inuse", "onthephone"),
    "busy": ("inuse", "busy"),
    "meeting": ("inuse", "busy"),
    "presentation": ("inuse", "busy"),
    "meal": ("inuse", "outtolunch"),
    "breakfast": ("inuse", "outtolunch"),
    "lunch": ("inuse", "outtolunch"),
    "dinner": ("inuse", "outtolunch"),
    "away": ("inuse", "away"),
    "in-transit": ("inuse", "away"),
    "travel": ("inuse", "away"),
    "appointment": ("inuse", "away"),
    "steering": ("inuse", "away"),
    "vacation": ("inuse", "away"),
    "holiday": ("inuse", "away"),
    "permanent-absence": ("inuse", "away"),
    "sleeping": ("inuse", "away"),
}
"""For an activity of RFC 4480: the status and Messenger's word. Those that are not here leave a person `open`."""


@attrs.frozen(kw_only=True)
class Xpidf:
    """What such a document says: whose presence, its status (`open`, `inuse`, `closed`) and Messenger's word."""

    entity: str
    status: str
    substatus: str


def build_xpidf(document: Pidf) -> bytes:
    """Write what a presence document says in the old form, in UTF-8."""
    status, word = _told(document)
    uri = attribute(f"{document.entity};method=SUBSCRIBE")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE presence PUBLIC "-//IETF//DTD RFCxxxx XPIDF 1.0//EN" "xpidf.dtd">\n'
        f'<presence>\n<presentity uri={uri}/>\n<atom id="a1">\n'
        f'<address uri={attribute(document.entity + ";user=ip")} priority="0.8">\n'
        f'<status status="{status}"/>\n<msnsubstatus substatus="{word}"/>\n'
        "</address>\n</atom>\n</presence>\n"
    ).encode()


def _told(document: Pidf) -> tuple[str, str]:
    if document.basic == "closed":
        return "closed", "offline"
    for activity in document.activities:
        if activity in _WORDS:
            return _WORDS[activity]
    if document.person is not None and document.person.last_input is not None:
        return "inuse", "idle"
    return "open", "online"


def parse_xpidf(data: bytes) -> Xpidf:
    """Read the first address of a document. Its DTD is left out before it is read; entities are refused.

    Raises:
        SipSyntaxError: not well formed, another root, no presentity or no status.
    """
    head, mark, rest = data.partition(b"<!DOCTYPE")
    root = read_xml(head + rest.partition(b">")[2] if mark else data, "xpidf")
    if local(root) != "presence":
        raise SipSyntaxError("xpidf: the root is not 'presence'")
    who = children(root, "presentity")
    statuses = [
        (address, status)
        for atom in children(root, "atom")
        for address in children(atom, "address")
        for status in children(address, "status")
    ]
    if not who or not statuses:
        raise SipSyntaxError("xpidf: no presentity or no status")
    address, status = statuses[0]
    words = children(address, "msnsubstatus")
    return Xpidf(
        entity=(who[0].get("uri") or "").partition(";method=")[0],
        status=status.get("status") or "",
        substatus=(words[0].get("substatus") or "") if words else "",
    )
