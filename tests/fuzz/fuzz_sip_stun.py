"""Any octets as STUN: an answer or silence, and never much more than came."""

from transports.sip.wire.stun import HEADER, LARGEST, binding_response, is_stun

_HEAD = bytes.fromhex("000100002112a442") + bytes(range(12))
SEEDS: list[bytes] = [
    _HEAD,
    bytes.fromhex("000100082112a442") + bytes(12) + bytes.fromhex("8022000461626364"),
    bytes.fromhex("000100102112a442") + bytes(12) + bytes.fromhex("7ffe0000 0006000361626300 00080000"),
    bytes.fromhex("0001000c2112a442") + bytes(12) + bytes.fromhex("0006ffff 7ffe0000 00000000"),
    bytes.fromhex("001100002112a442") + bytes(12),
]


def one(data: bytes) -> None:
    """Answers it for both families."""
    for source in (("192.0.2.1", 0), ("2001:db8::1", 65535), ("fe80::1%lo", 5060)):
        answer = binding_response(data, source)
        if answer is not None:
            assert is_stun(data)
            assert len(data) <= LARGEST
            assert answer[8:HEADER] == data[8:HEADER]
            assert int.from_bytes(answer[2:4], "big") == len(answer) - HEADER
            assert len(answer) <= len(data) + 48
