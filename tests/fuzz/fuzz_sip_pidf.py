"""Any octets as presence and typing documents: values that read back the same, or SipSyntaxError."""

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.iscomposing import build_iscomposing, parse_iscomposing
from transports.sip.wire.pidf import build_pidf, parse_pidf

_PRESENCE = b'<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" '
_OPEN = (
    b'<tuple id="t1"><status><basic>open</basic></status><contact priority="1">sip:a@b</contact><note>n</note></tuple>'
)
_AWAY = b'<dm:person id="p"><r:activities><r:away/><r:other>x</r:other></r:activities><dm:note>n</dm:note></dm:person>'
SEEDS: list[bytes] = [
    b'<?xml version="1.0"?>' + _PRESENCE + b'entity="sip:a@b">' + _OPEN + b"</presence>",
    _PRESENCE + b'entity="sip:a@b" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid">' + _OPEN + _AWAY + b"</presence>",
    _PRESENCE
    + b'entity="x" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid"><dm:person id="p"><r:activities from="2026-11-28'
    b'T07:00:00Z" until="2026-11-28T09:00:00+01:00"><r:away/></r:activities></dm:person></presence>',
    b'<!DOCTYPE p [<!ENTITY a "b">]><presence entity="&a;"/>',
    b'<isComposing xmlns="urn:x"><state>active</state><refresh>90</refresh></isComposing>',
    '<?xml version="1.0" encoding="UTF-16"?><presence entity="ü"/>'.encode("utf-16"),
]


def one(data: bytes) -> None:
    """Reads a document as presence and as typing."""
    try:
        typing = parse_iscomposing(data)
    except SipSyntaxError:
        pass
    else:
        assert parse_iscomposing(build_iscomposing(typing)) == typing
    try:
        document = parse_pidf(data)
    except SipSyntaxError:
        return
    try:
        built = build_pidf(document)
    except SipBuildError:
        return  # ids that no XML document may have
    assert len(parse_pidf(data, now=1e9).tuples) == len(document.tuples)
    again = parse_pidf(built, 10 * len(data) + 10_000)
    assert (again.entity, again.basic, again.notes) == (document.entity, document.basic, document.notes)
    assert {item.id: item for item in again.tuples} == {item.id: item for item in document.tuples}
    # A person that says nothing but its id is kept as well.
    assert again.person == document.person
