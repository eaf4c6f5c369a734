"""What real clients said can be read, means what it says, and is the same when written again."""

from __future__ import annotations

import pytest

from tests.wire.sip.transcript import FILES, Captured, read
from transports.sip.wire.auth import Challenge, Credentials, ha1
from transports.sip.wire.framing import StreamFramer
from transports.sip.wire.headers import NameAddr
from transports.sip.wire.iscomposing import CONTENT_TYPE as TYPING
from transports.sip.wire.iscomposing import parse_iscomposing
from transports.sip.wire.message import Request, Response, parse_message, validate_request, validate_response
from transports.sip.wire.pidf import CONTENT_TYPE as PIDF
from transports.sip.wire.pidf import parse_pidf

ALL = [captured for path in FILES for captured in read(path)]
PASSWORD = "secret"


def of(word: str) -> list[Captured]:
    return [captured for captured in ALL if word in captured.file]


def test_nothing_is_left_out() -> None:
    assert {captured.file for captured in ALL} == {path.name for path in FILES}
    marks = sum(path.read_text().count("\n--- ") + path.read_text().startswith("--- ") for path in FILES)
    assert len(ALL) == marks > 200


@pytest.mark.parametrize("captured", ALL, ids=lambda c: f"{c.file}@{c.at}")
def test_message(captured: Captured) -> None:
    message = parse_message(captured.data)
    if isinstance(message, Request):
        validate_request(message)
    elif len(message.vias) == 1:
        assert isinstance(message, Response)
        validate_response(message)
    else:
        # An answer on its way back through a proxy: the endpoint that gets it drops it.
        with pytest.raises(ValueError, match="more than one"):
            validate_response(message)
    again = parse_message(message.to_bytes())
    assert again.start_line() == message.start_line()
    assert [h for h in again.headers if h[0] != "Content-Length"] == [
        h for h in message.headers if h[0] != "Content-Length"
    ]
    assert again.body == message.body
    assert (again.from_, again.to, again.call_id, again.cseq) == (
        message.from_,
        message.to,
        message.call_id,
        message.cseq,
    )
    assert again.vias == message.vias
    assert again.contacts == message.contacts


@pytest.mark.parametrize("captured", ALL, ids=lambda c: f"{c.file}@{c.at}")
def test_typed_values_read_back(captured: Captured) -> None:
    message = parse_message(captured.data)
    for value in (*message.contacts, message.from_, message.to):
        if value != "*":
            again = parse_message(message.to_bytes())
            again.set("From", str(value))
            assert again.from_ == value


def test_streams_are_cut_where_they_were_joined() -> None:
    streams: dict[tuple[str, int, int], list[bytes]] = {}
    for captured in ALL:
        if captured.transport == "TCP" and b"Content-Length:" in captured.data:
            streams.setdefault((captured.file, captured.source, captured.destination), []).append(captured.data)
    assert len(streams) > 10
    for messages in streams.values():
        framer = StreamFramer()
        assert framer.feed(b"".join(messages)) == messages
        assert framer.error is None


@pytest.mark.parametrize("captured", ALL, ids=lambda c: f"{c.file}@{c.at}")
def test_digest(captured: Captured) -> None:
    """Every response that a client computed is the one that we expect, save those for a wrong password."""
    message = parse_message(captured.data)
    for name in ("Authorization", "Proxy-Authorization"):
        text = message.first(name)
        if text is None:
            continue
        credentials = Credentials.parse(text)
        assert credentials is not None
        assert isinstance(message, Request)
        algorithm = credentials.algorithm or "MD5"
        secret = ha1(credentials.username, credentials.realm, PASSWORD, algorithm)
        assert credentials.response == credentials.expected(secret, message.method, algorithm)
    for name in ("WWW-Authenticate", "Proxy-Authenticate"):
        for text in message.lines(name):
            challenge = Challenge.parse(text)
            assert challenge is not None
            assert Challenge.parse(str(challenge)) == challenge


def test_presence_documents() -> None:
    seen = set()
    for captured in ALL:
        message = parse_message(captured.data)
        if message.content_type is not None and message.content_type.media_type == PIDF and message.body:
            document = parse_pidf(message.body)
            assert document.entity.startswith("sip:")
            seen.add((document.basic, document.activities))
    assert ("open", ()) in seen
    assert any(basic == "closed" for basic, _ in seen)


def test_typing_documents() -> None:
    states = {
        parse_iscomposing(message.body).state
        for message in map(parse_message, (c.data for c in ALL))
        if message.content_type is not None and message.content_type.media_type == TYPING
    }
    assert states <= {"active", "idle"}


def test_linphone() -> None:
    register = parse_message(of("linphone")[0].data)
    assert str(register.to) == "<sip:alice@example.test>"
    assert [item.media_type for item in register.accept] == [
        "application/sdp",
        "text/plain",
        "application/vnd.gsma.rcs-ft-http+xml",
    ]
    assert register.supported == ["replaces", "outbound", "gruu"]
    (contact,) = register.contacts
    assert isinstance(contact, NameAddr)
    assert contact.param("+sip.instance") == "<urn:uuid:abc6ee87-5e53-00fd-af30-4aa914d42c9c>"
    assert contact.param("expires") is None
    assert not register.has("Content-Length")


def test_libpurple_repeats_a_challenged_request_with_the_same_branch() -> None:
    publishes = [
        message
        for message in map(parse_message, (c.data for c in of("libpurple-simple-tcp.txt")))
        if isinstance(message, Request) and message.method == "PUBLISH"
    ]
    first, second = publishes[:2]
    assert first.top_via == second.top_via
    assert (first.call_id, first.cseq, first.from_.tag) == (second.call_id, second.cseq, second.from_.tag)
    assert not first.has("Proxy-Authorization")
    text = second.first("Proxy-Authorization")
    assert text is not None
    credentials = Credentials.parse(text)
    assert credentials is not None
    assert (credentials.qop, credentials.cnonce, credentials.nc) == (None, "", "00000001")


def test_baresip_puts_its_address_in_two_contacts_on_one_line() -> None:
    answers = [
        message
        for message in map(parse_message, (c.data for c in of("baresip")))
        if isinstance(message, Response) and len(message.contacts) == 2
    ]
    first, second = answers[0].contacts
    assert isinstance(first, NameAddr)
    assert isinstance(second, NameAddr)
    assert str(first.uri) == "sip:alice@192.0.2.2:5061;transport=tcp"
    assert (first.param("expires"), second.param("expires")) == ("788", "300")
