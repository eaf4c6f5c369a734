"""Any octets as documents of event packages: values that read back the same, or SipSyntaxError."""

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.messagesummary import build_summary, parse_summary
from transports.sip.wire.pidf import parse_pidf
from transports.sip.wire.reginfo import build_reginfo, parse_reginfo
from transports.sip.wire.watcherinfo import build_watcherinfo, parse_watcherinfo
from transports.sip.wire.xpidf import build_xpidf, parse_xpidf

SEEDS: list[bytes] = [
    (
        b'<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="0" state="full">'
        b'<watcher-list resource="sip:a@b" package="presence"><watcher status="active" id="x" event="approved"'
        b' display-name="N" expiration="5">sip:c@d</watcher></watcher-list></watcherinfo>'
    ),
    (
        b'<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="1" state="full"><registration aor="sip:a@b" id="r"'
        b' state="active"><contact id="c" state="active" event="registered" expires="9" q="0.5" callid="i" cseq="2">'
        b"<uri>sip:a@h</uri></contact></registration></reginfo>"
    ),
    b"Messages-Waiting: yes\r\nMessage-Account: sip:a@b\r\nPager-Message: 1/2 (0/0)\r\n\r\nTo: x\r\n",
    (
        b'<?xml version="1.0"?><!DOCTYPE presence PUBLIC "-//X//DTD" "x.dtd"><presence>'
        b'<presentity uri="sip:a@b;method=S"/><atom id="1"><address uri="sip:a@b;user=ip"><status status="open"/>'
        b'<msnsubstatus substatus="online"/></address></atom></presence>'
    ),
    (
        b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:a@b"><tuple id="t">'
        b"<status><basic>open</basic></status></tuple></presence>"
    ),
]


def one(data: bytes) -> None:
    """Reads octets as each of the documents."""
    room = 20 * len(data) + 10_000
    try:
        watchers = parse_watcherinfo(data)
    except SipSyntaxError:
        pass
    else:
        assert parse_watcherinfo(build_watcherinfo(watchers), room) == watchers
    try:
        registration = parse_reginfo(data)
    except SipSyntaxError:
        pass
    else:
        again = parse_reginfo(build_reginfo(registration), room)
        assert (again.aor, again.state, len(again.contacts)) == (
            registration.aor, registration.state, len(registration.contacts),
        )  # fmt: skip
    try:
        summary = parse_summary(data)
        assert parse_summary(build_summary(summary), room) == summary
    except (SipSyntaxError, SipBuildError):
        pass
    try:
        parse_xpidf(data)
    except SipSyntaxError:
        pass
    try:
        presence = parse_pidf(data)
    except SipSyntaxError:
        return
    told = parse_xpidf(build_xpidf(presence))
    assert told.status in {"open", "inuse", "closed"}
