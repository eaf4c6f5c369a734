"""message/cpim (RFC 3862), and the headers of RFC 5438 in it."""

import pytest

from transports.sip.wire.cpim import (
    CORE,
    IMDN,
    CpimHeader,
    build_cpim,
    format_address,
    format_moment,
    moment_of,
    parse_cpim,
    uri_of,
)
from transports.sip.wire.errors import SipBuildError, SipSyntaxError

EXAMPLE = (
    b"From: MR SANDERS <im:piglet@100akerwood.example>\r\nTo: Depressed Donkey <im:eeyore@100akerwood.example>\r\n"
    b"DateTime: 2000-12-13T13:40:00-08:00\r\nSubject: the weather will be fine today\r\n"
    b"Subject:;lang=fr beau temps prevu pour aujourd'hui\r\nNS: MyFeatures <mid:MessageFeatures@id.foo.example>\r\n"
    b"Require: MyFeatures.VitalMessageOption\r\nMyFeatures.VitalMessageOption: Confirmation-requested\r\n\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-ID: <1234567890@foo.example>\r\n\r\nhello"
)


def test_the_example_of_the_rfc() -> None:
    message = parse_cpim(EXAMPLE)
    assert message.sender == "im:piglet@100akerwood.example"
    assert [uri_of(one.value) for one in message.all("To")] == ["im:eeyore@100akerwood.example"]
    assert message.sent_at == moment_of("2000-12-13T21:40:00Z") == 976743600.0
    assert [(one.lang, one.value) for one in message.all("Subject")] == [
        ("", "the weather will be fine today"),
        ("fr", "beau temps prevu pour aujourd'hui"),
    ]
    assert message.first("VitalMessageOption", "mid:MessageFeatures@id.foo.example") == "Confirmation-requested"
    assert message.unknown() == ["MyFeatures.VitalMessageOption"]
    assert message.content.body == b"hello"
    assert message.content.content_id == "1234567890@foo.example"


def _head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", "", "x"]).encode()


def test_headers_are_known_by_their_namespace_whatever_the_prefix() -> None:
    message = parse_cpim(
        _head("NS: a <urn:ietf:params:imdn>", "a.Message-ID: 1", "NS: a <urn:other>", "a.Message-ID: 2")
    )
    assert message.first("Message-ID", IMDN) == "1"
    assert message.first("Message-ID", "urn:other") == "2"
    assert message.first("Message-ID") == ""


def test_a_prefix_for_the_core_is_the_core() -> None:
    assert parse_cpim(_head(f"NS: c <{CORE}>", "c.From: <sip:ceo@corp.example>")).sender == "sip:ceo@corp.example"


def test_no_other_meaning_hides_a_from() -> None:
    message = parse_cpim(_head("NS: <urn:other>", "from: <sip:a@b>", "Colour: red"))
    assert message.sender == "sip:a@b"
    assert message.first("Colour", "urn:other") == "red"


@pytest.mark.parametrize(
    ("required", "unknown"),
    [
        ("Subject, DateTime", []),
        ("imdn.Disposition-Notification", []),
        ("imdn.Colour", ["imdn.Colour"]),
        ("Colour,Subject", ["Colour"]),
        ("nobody.Declared", ["nobody.Declared"]),
        ("", []),
    ],
)
def test_what_is_required(required: str, unknown: list[str]) -> None:
    assert parse_cpim(_head("NS: imdn <urn:ietf:params:imdn>", f"Require: {required}")).unknown() == unknown


def test_escapes() -> None:
    subject = parse_cpim(_head(r"Subject: a\u0021\n\"b\"\\c\'")).first("Subject")
    assert subject == 'a!\n"b"\\c\''


@pytest.mark.parametrize(
    "data",
    [b"", b"From: <sip:a@b>\r\n\r\nno end", _head("x.Y: undeclared"), _head("NS: nothing"), b"\xff\r\n\r\n\r\n",
     _head(*["A: b"] * 65), _head("no colon")],
)  # fmt: skip
def test_what_is_no_cpim(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        parse_cpim(data)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1994-11-06T08:49:37Z", 784111777.0),
        ("1994-11-06T09:49:37+01:00", 784111777.0),
        ("1994-11-06T08:49:37.250Z", 784111777.25),
        ("yesterday", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9" * 100, None),
    ],
)
def test_moments(text: str, seconds: float | None) -> None:
    found = moment_of(text)
    if text.startswith("0001"):
        assert found is None or found < 0
        return
    assert found == seconds
    if found is not None:
        assert moment_of(format_moment(found)) == found


def test_a_moment_beyond_all_years_is_refused() -> None:
    with pytest.raises(SipBuildError):
        format_moment(1e300)


def test_what_is_written_is_read() -> None:
    headers = [
        CpimHeader("From", format_address("sip:alice@corp.example", 'Al "x" \\ <sip:ceo@corp.example>')),
        CpimHeader("To", format_address("sip:bob@corp.example")),
        CpimHeader("DateTime", format_moment(784111777.0)),
        CpimHeader("Subject", "a\r\nTo: <sip:x@y>\\n\u2028\ud800", lang="fr"),
        CpimHeader("Message-ID", "34jk324j", IMDN),
        CpimHeader("Disposition-Notification", "positive-delivery, display", IMDN),
    ]
    data = build_cpim(headers, "message/imdn+xml", b"<x/>\r\n\r\n", disposition="notification")
    assert data.count(b"\r\nTo:") == 1
    message = parse_cpim(data)
    assert uri_of(message.first("From")) == "sip:alice@corp.example"
    assert message.first("From").startswith('"Al x  sip:ceo@corp.example"')
    (subject,) = message.all("Subject")
    assert (subject.lang, subject.value) == ("fr", "a\r\nTo: <sip:x@y>\\n\u2028\ufffd")
    assert message.first("Message-ID", IMDN) == "34jk324j"
    assert message.content.disposition == "notification"
    assert message.content.body == b"<x/>\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "content_type"),
    [
        ([CpimHeader("A:b", "x")], "text/plain"),
        ([CpimHeader("A", "x", "urn:other")], "text/plain"),
        ([], "text/plain\r\nEvil: 1"),
    ],
)
def test_what_cannot_be_written(headers: list[CpimHeader], content_type: str) -> None:
    with pytest.raises(SipBuildError):
        build_cpim(headers, content_type, b"")


@pytest.mark.parametrize("uri", ["sip:a@b>\r\nFrom: <sip:ceo@corp.example", "sip:a b@c", "", "sip:" + "a" * 3000])
def test_a_uri_that_would_be_two_is_not_written(uri: str) -> None:
    with pytest.raises(SipBuildError):
        format_address(uri)
