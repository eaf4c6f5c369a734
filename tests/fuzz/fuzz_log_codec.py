"""Stored headers and bodies: any bytes decode to an envelope that encodes again, or raise CodecError."""

from bridge.compliance.codec import decode, encode_body, encode_header
from bridge.compliance.errors import CodecError, UnrecordableError

SEEDS: list[bytes] = [
    (
        b'{"conversation":{"network":"aim","remote_id":"b"},"direction":"outbound","id":"0","origin":{"account":"a",'
        b'"network":"sip"},"received_at":1.5,"recipients":[{"network":"aim","user":"b"}],"sender":{"network":"sip",'
        b'"user":"a"}}\n{"parts":[{"text":"lunch?"}],"type":"message"}'
    ),
    b'{}\n{"type":"presence","basic":"open","activity":"away"}',
    (
        b'{}\n{"type":"receipt","target":"1","stage":"failed","failure":{"reason":"r","retryable":true,"certain":false,'
        b'"user_text":"u"}}'
    ),
]


def one(data: bytes) -> None:
    """Tries one input: headers, a line end, body."""
    header, _, body = data.partition(b"\n")
    try:
        envelope = decode(header, body)
    except CodecError:
        return
    try:
        again = decode(encode_header(envelope), encode_body(envelope.body))
    except UnrecordableError:  # a time beyond what we would ever have written
        return
    assert again == envelope
