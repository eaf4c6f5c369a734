"""STUN keep-alives on the SIP port: RFC 5626 section 8, RFC 5389 sections 6, 7 and 15."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.sip.wire.stun import HEADER, LARGEST, MAGIC_COOKIE, binding_response, is_stun

COOKIE = MAGIC_COOKIE.to_bytes(4, "big")
ID = bytes(range(12))


def stun(kind: int = 1, attributes: bytes = b"", transaction: bytes = ID) -> bytes:
    return kind.to_bytes(2, "big") + len(attributes).to_bytes(2, "big") + COOKIE + transaction + attributes


def test_a_binding_request_is_told_where_it_came_from() -> None:
    answer = binding_response(stun(), ("192.0.2.1", 32853))
    assert answer is not None
    # The port and address are those of the sample in RFC 5769 section 2.2, hidden there under the same cookie.
    assert answer == bytes.fromhex("0101000c2112a442") + ID + bytes.fromhex("002000080001a147e112a643")


def test_the_address_of_version_6_is_hidden_under_the_transaction_too() -> None:
    transaction = bytes.fromhex("b7e7a701bc34d686fa87dfae")
    answer = binding_response(stun(transaction=transaction), ("2001:db8:1234:5678:11:2233:4455:6677", 32853))
    assert answer is not None
    # RFC 5769 section 2.3
    assert answer[HEADER:] == bytes.fromhex("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")


def test_what_must_be_understood_and_is_not_is_named() -> None:
    answer = binding_response(stun(1, bytes.fromhex("7ffe0000 8022 0004 61626364 7ffd0003 61626300")), ("192.0.2.1", 1))
    assert answer is not None
    assert answer[:2] == b"\x01\x11"
    assert answer[HEADER:].startswith(bytes.fromhex("0009001500000414") + b"Unknown Attribute")
    assert answer.endswith(bytes.fromhex("000a0004 7ffe7ffd"))


@pytest.mark.parametrize(
    "data",
    [
        stun(0x0011), stun(0x0101), stun(0x0003), stun()[:-1], stun() + b"\0", stun(1, b"\x80\x22\x00\x09abcd"),
        stun(1, bytes(LARGEST)), b"", b"\0" * 20, b"\0\1\0\0" + bytes(16),
        b"OPTIONS sip:a SIP/2.0\r\n\r\n",
    ],
    ids=range(11),
)  # fmt: skip
def test_what_is_no_request_has_no_answer(data: bytes) -> None:
    assert binding_response(data, ("192.0.2.1", 1)) is None


def test_sip_is_never_taken_for_stun() -> None:
    assert is_stun(stun())
    assert not is_stun(b"MESS" + COOKIE + b"sip:alice@example.test")


@given(st.binary(max_size=80), st.integers(0, 65535))
def test_an_answer_is_never_much_longer_than_its_request(attributes: bytes, port: int) -> None:
    data = stun(1, attributes)
    for host in ("192.0.2.1", "2001:db8::1"):
        answer = binding_response(data, (host, port))
        assert answer is None or len(answer) <= len(data) + 48


@given(st.integers(0, 2**32 - 1), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_the_address_reads_back(address: int, port: int, transaction: bytes) -> None:
    host = socket.inet_ntoa(address.to_bytes(4, "big"))
    answer = binding_response(stun(transaction=transaction), (host, port))
    assert answer is not None
    assert answer[8:HEADER] == transaction
    value = answer[HEADER + 4 :]
    assert int.from_bytes(value[2:4], "big") ^ (MAGIC_COOKIE >> 16) == port
    assert int.from_bytes(value[4:8], "big") ^ MAGIC_COOKIE == address
