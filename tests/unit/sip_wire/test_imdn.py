"""message/imdn+xml (RFC 5438 section 7.2.1), and is-composing documents that it does not forbid (RFC 7573)."""

import pytest
from attrs import evolve

from transports.sip.wire.errors import SipBuildError, SipSyntaxError
from transports.sip.wire.imdn import STATUSES, Imdn, build_imdn, parse_imdn
from transports.sip.wire.iscomposing import IsComposing, build_iscomposing, parse_iscomposing

EXAMPLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<imdn xmlns="urn:ietf:params:xml:ns:imdn">
  <message-id>34jk324j</message-id>
  <datetime>2008-04-04T12:16:49-05:00</datetime>
  <recipient-uri>im:bob@example.com</recipient-uri>
  <original-recipient-uri>im:bob@example.com</original-recipient-uri>
  <delivery-notification>
    <status>
      <delivered/>
    </status>
  </delivery-notification>
</imdn>"""


def test_the_example_of_the_rfc() -> None:
    assert parse_imdn(EXAMPLE) == Imdn(
        message_id="34jk324j",
        kind="delivery",
        status="delivered",
        datetime="2008-04-04T12:16:49-05:00",
        recipient="im:bob@example.com",
        original_recipient="im:bob@example.com",
    )


@pytest.mark.parametrize(("kind", "status"), [(kind, word) for kind, words in STATUSES.items() for word in words])
def test_what_is_written_is_read(kind: str, status: str) -> None:
    value = Imdn(message_id="<1&2>", kind=kind, status=status, datetime="2008-04-04T12:16:49Z")  # type: ignore[arg-type]
    assert parse_imdn(build_imdn(value)) == value
    full = evolve(value, recipient="sip:a&b@c", original_recipient="sip:<d>")
    assert parse_imdn(build_imdn(full)) == full


def test_a_status_in_the_wrong_place_tells_its_kind() -> None:
    assert parse_imdn(EXAMPLE.replace(b"delivered/", b"displayed/")).kind == "display"


@pytest.mark.parametrize(
    "value",
    [
        Imdn(message_id="", kind="delivery", status="delivered", datetime="x"),
        Imdn(message_id="x", kind="delivery", status="delivered"),
        Imdn(message_id="x", kind="delivery", status="displayed", datetime="x"),
    ],
)
def test_what_cannot_be_written(value: Imdn) -> None:
    with pytest.raises(SipBuildError):
        build_imdn(value)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"<imdn/>", 400),
        (EXAMPLE.replace(b"delivered/", b"x/"), 400),
        (EXAMPLE.replace(b"34jk324j", b"3" * 300), 400),
        (EXAMPLE + b" " * 20_000, 413),
    ],
)
def test_what_is_no_notification(data: bytes, status: int) -> None:
    with pytest.raises(SipSyntaxError) as caught:
        parse_imdn(data)
    assert caught.value.status == status


def test_gone_is_written_and_read() -> None:
    assert parse_iscomposing(build_iscomposing(IsComposing(state="gone"))).state == "gone"
    unknown = build_iscomposing(IsComposing(state="gone")).replace(b"gone", b"asleep")
    assert parse_iscomposing(unknown).state == "idle"  # RFC 3994 section 3
