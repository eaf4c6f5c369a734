"""Any text as a URI: one that reads back the same, or SipSyntaxError."""

from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.uri import SipUri, escape_user, parse_uri

SEEDS: list[bytes] = [
    b"sip:alice@example.com",
    b"sips:al%69ce:pw@[2001:db8::1]:5061;transport=tls;lr?Subject=a%20b&x=",
    b"tel:+1-201-555-0123;phone-context=x",
    b"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
    b"sip:user;par=u%40example.net@example.com",
    b"sip:a@192.0.2.1:5060",
    "sip:fü@example.com".encode(),
]


def one(data: bytes) -> None:
    """Reads a URI and, where it has a user, writes that user anew."""
    text = data.decode("utf-8", "replace")
    try:
        uri = parse_uri(text)
    except SipSyntaxError:
        return
    assert str(uri) == text
    assert parse_uri(str(uri)) == uri
    assert uri.equivalent(uri)
    assert not set('\r\n\x00 <>"') & set(str(uri))
    if isinstance(uri, SipUri) and uri.user_decoded is not None:
        again = parse_uri(f"sip:{escape_user(uri.user_decoded)}@{uri.host}")
        assert isinstance(again, SipUri)
        assert again.user_decoded == uri.user_decoded
        assert again.aor == uri.aor
