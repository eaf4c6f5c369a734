"""MIME entities and multiparts (RFC 2045, 2046, 5621)."""

import base64

import pytest

from transports.sip.wire.errors import SipSyntaxError
from transports.sip.wire.mime import MAX_HEADERS, MAX_PARTS, read_entity, read_multipart

MIXED = "multipart/mixed;boundary=x"


def _bodies(body: bytes, content_type: str = MIXED) -> list[bytes]:
    return [part.body for part in read_multipart(content_type, body)]


def test_an_entity() -> None:
    entity = read_entity(
        b"Content-Type: text/plain;\r\n\tcharset=utf-8\r\nContent-ID: <a@b>\r\n"
        b'Content-Disposition: Attachment; handling=OPTIONAL; filename="a;b.txt"\r\n\r\nhi\r\n\r\nmore'
    )
    assert entity.content_type == "text/plain; charset=utf-8"
    assert entity.body == b"hi\r\n\r\nmore"
    assert entity.disposition == "attachment"
    assert entity.disposition_param("handling") == "OPTIONAL"
    assert entity.disposition_param("filename") == "a;b.txt"
    assert entity.disposition_param("size") is None
    assert entity.content_id == "a@b"


def test_an_entity_without_headers_is_plain_text() -> None:
    for data in (b"\r\nhi", b"\nhi"):
        entity = read_entity(data)
        assert (entity.content_type, entity.body, entity.disposition) == ("text/plain", b"hi", "")


@pytest.mark.parametrize(
    ("coding", "octets"),
    [
        (b"base64", base64.b64encode("grüße".encode())),
        (b"Quoted-Printable", b"gr=C3=BC=C3=9F=\r\ne"),
        (b"binary", "grüße".encode()),
        (b"8bit", "grüße".encode()),
    ],
)
def test_transfer_encodings(coding: bytes, octets: bytes) -> None:
    assert read_entity(b"Content-Transfer-Encoding: " + coding + b"\r\n\r\n" + octets).body == "grüße".encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Content-Type: text/plain",
        b"no colon\r\n\r\nx",
        b": no name\r\n\r\nx",
        b"A: \xff\r\n\r\nx",
        b"A: b\r\n" * (MAX_HEADERS + 1) + b"\r\n",
        b"A: " + b"b" * 20_000 + b"\r\n\r\n",
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\nx",
        b"Content-Transfer-Encoding: base64\r\n\r\nabcde",
    ],
)
def test_what_is_no_entity(data: bytes) -> None:
    with pytest.raises(SipSyntaxError):
        read_entity(data)


def test_parts_of_a_multipart() -> None:
    body = (
        b"a preamble that is left out\r\n--x\r\nContent-Type: text/plain\r\n\r\none\r\n\r\n--x  \r\n\r\n--xtwo\r\n"
        b"in --x the middle\r\n--x--\r\nan epilogue\r\n--x\r\n\r\nno part"
    )
    assert _bodies(body) == [b"one\r\n", b"--xtwo\r\nin --x the middle"]


def test_bare_line_feeds_and_a_missing_end_are_taken() -> None:
    assert _bodies(b"--x\n\none\n--x\n\ntwo") == [b"one", b"two"]


def test_an_empty_part() -> None:
    assert _bodies(b"--x\r\n\r\n\r\n--x--") == [b""]


def test_a_quoted_boundary_with_blanks() -> None:
    assert _bodies(b"--a b=c\r\n\r\none\r\n--a b=c--", 'multipart/mixed; boundary="a b=c"') == [b"one"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/mixed", b"--x\r\n\r\na\r\n--x--", 400),
        ("multipart/mixed;boundary=" + "x" * 71, b"", 400),
        ('multipart/mixed;boundary="a "', b"--a \r\n\r\n", 400),
        (MIXED, b"", 400),
        (MIXED, b"--y\r\n\r\na", 400),
        (MIXED, b"--x--\r\n", 400),
        (MIXED, b"--x\r\nno empty line\r\n--x--", 400),
        (MIXED, b"--x\r\n\r\n\r\n" * (MAX_PARTS + 2), 413),
    ],
)
def test_what_is_no_multipart(content_type: str, body: bytes, status: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        read_multipart(content_type, body)
    assert caught.value.status == status


def test_a_delimiter_many_times_in_one_line_costs_no_more_than_its_length() -> None:
    assert _bodies(b"--x\r\n\r\n" + b"--x" * 100_000)[0].startswith(b"--x--x")
