"""Any text as each typed header: a value that reads back the same, or SipSyntaxError."""

from collections.abc import Callable

from transports.sip.wire.auth import Challenge, Credentials
from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.headers import (
    parse_auth,
    parse_content_type,
    parse_cseq,
    parse_date,
    parse_event,
    parse_name_addr,
    parse_params,
    parse_via,
    split_commas,
)

SEEDS: list[bytes] = [
    b'"Mr. J. \\"User\\"" <sip:j.user@example.com;lr>;tag=1;q=0.5;+sip.instance="<urn:uuid:1>"',
    b"sip:a@b;tag=x, Bob <sip:b@c>",
    b"SIP / 2.0 / TLS [2001:db8::1] : 5061 ; branch = z9hG4bK1 ; rport ; received=[::1]",
    b"1826 MESSAGE",
    b'multipart/related; boundary="a b"; type=text/plain',
    b"presence.winfo;id=2",
    b'Digest username="a", realm="r", nonce="n", uri="sip:b", response="x", qop=auth, nc=00000001, cnonce="c"',
    b'Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth,auth-int", stale=true',
    b"Sat, 13 Nov 2010 23:29:00 GMT",
]

DIGEST: tuple[Callable[[str], object], ...] = (Challenge.parse, Credentials.parse)
READ_BACK: tuple[Callable[[str], object], ...] = (
    parse_name_addr,
    parse_via,
    parse_cseq,
    parse_content_type,
    *DIGEST,
)
READ: tuple[Callable[[str], object], ...] = (parse_event, parse_params, parse_auth, parse_date, split_commas)


def one(data: bytes) -> None:
    """Reads a header value in each way."""
    text = data.decode("utf-8", "replace")
    for parse in READ:
        try:
            parse(text)
        except SipSyntaxError:
            continue
    for parse in READ_BACK:
        try:
            value = parse(text)
        except SipSyntaxError:
            continue
        if value is None:
            continue
        try:
            written = str(value)
        except SipBuildError:
            # A NUL inside quotes can be read (RFC 4475 3.1.1.2) and is never written; a qop or algorithm that is no
            # token likewise.
            assert set("\r\n\x00") & set(text) or parse in DIGEST
            continue
        assert not set("\r\n\x00") & set(written)
        assert parse(written) == value
