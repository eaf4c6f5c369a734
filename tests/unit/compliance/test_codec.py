"""Envelopes survive their encoding, whatever is in them; anything else is refused with the field's name."""

import math
from typing import Any

import orjson
import pytest
import rfc8785
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.compliance.codec import decode, encode_body, encode_header
from bridge.compliance.errors import CodecError, UnrecordableError
from bridge.model.body import Message, TextPart
from bridge.model.envelope import Envelope
from tests.fuzz.fuzz_log_codec import one
from tests.unit.compliance.samples import PICTURE, envelopes, message


@given(envelopes)
def test_round_trip(envelope: Envelope) -> None:
    header, body = encode_header(envelope), encode_body(envelope.body)
    again = decode(header, body)
    assert again == envelope
    # Display names are outside of equality: the record must hold them all the same.
    assert again.sender.display_name == envelope.sender.display_name
    assert [r.display_name for r in again.recipients] == [r.display_name for r in envelope.recipients]


@given(envelopes)
def test_the_encoding_is_canonical_json(envelope: Envelope) -> None:
    for encoded in (encode_header(envelope), encode_body(envelope.body)):
        assert rfc8785.dumps(orjson.loads(encoded)) == encoded


@pytest.mark.parametrize("moment", [math.nan, math.inf, -math.inf, 1e300, 1e-9])
def test_times_that_json_cannot_hold_are_refused(moment: float) -> None:
    with pytest.raises(UnrecordableError, match="received_at"):
        encode_header(evolve(message(), received_at=moment))
    with pytest.raises(UnrecordableError, match="claimed_at"):
        encode_header(evolve(message(), claimed_at=moment))
    with pytest.raises(UnrecordableError, match="expires_at"):
        encode_body(Message(parts=(), expires_at=moment))


def test_texts_that_are_not_unicode_are_refused() -> None:
    with pytest.raises(UnrecordableError, match="body"):
        encode_body(Message(parts=(TextPart(text="\udc80"),)))
    with pytest.raises(UnrecordableError, match="body"):
        encode_body(Message(parts=(evolve(PICTURE, size=1 << 70),)))


def _changed(path: tuple[Any, ...], value: object) -> tuple[bytes, bytes]:
    sample = message(attachments=(PICTURE,))
    halves = {"h": orjson.loads(encode_header(sample)), "b": orjson.loads(encode_body(sample.body))}
    at: Any = halves
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return orjson.dumps(halves["h"]), orjson.dumps(halves["b"])


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("h", "id"), ..., "headers.id"),
        (("h", "id"), 5, "headers.id"),
        (("h", "sender", "address"), "x", "headers.sender.address"),
        (("h", "recipients", 0, "user"), ..., r"headers.recipients\[0\].user"),
        (("h", "recipients"), {}, "headers.recipients"),
        (("h", "direction"), "sideways", "sideways"),
        (("h", "received_at"), True, "headers.received_at"),
        (("h", "more"), 1, "headers.more"),
        (("b", "type"), "song", "song"),
        (("b", "parts", 0, "text"), None, r"body.parts\[0\].text"),
        (("b", "parts", 1, "size"), 1.5, r"body.parts\[1\].size"),
        (("b", "automatic"), "yes", "body.automatic"),
    ],
)
def test_anything_else_is_refused_by_name(path: tuple[Any, ...], value: object, named: str) -> None:
    with pytest.raises(CodecError, match=named):
        decode(*_changed(path, value))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_typed_error(data: bytes) -> None:
    one(data)
