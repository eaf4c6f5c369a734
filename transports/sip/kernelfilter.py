"""Datagrams of those who are shut out, dropped by the kernel before they take room in the socket's queue.

A flood that is only thrown away after it was read fills the queue all the same, and the kernel then drops what others
send. So the socket gets a filter (classic BPF, Linux: socket(7), SO_ATTACH_FILTER) that knows the worst of them by
address and port. Elsewhere, and where the kernel refuses, all is read and thrown away.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from collections.abc import Iterable
from ipaddress import IPv4Address, ip_address

MOST_STEPS = 200
"""A jump reaches 255 steps, and every datagram takes some of them."""
_ATTACH, _DETACH = 26, 27
_LOAD_WORD, _LOAD_HALF, _JUMP_EQUAL, _RETURN = 0x20, 0x28, 0x15, 0x06
_NETWORK_HEADER = 0xFFF00000
"""SKF_NET_OFF: offsets from here count from the IP header, others from the UDP header."""
_SOURCE_PORT = 0
_WHOLE = 0xFFFFFFFF

Step = tuple[int, int, int, int]


def steps(sources: Iterable[tuple[str, int]], *, v6: bool) -> list[Step]:
    """Returns the program that drops datagrams of these sources: (code, steps over if equal, if not, operand)."""
    program: list[Step] = []
    at = 8 if v6 else 12
    tests = [(ip_address(host.partition("%")[0]).packed, port) for host, port in sources]
    size = 2 * (4 if v6 else 1) + 2  # a load and a comparison for each word of the address, and for the port
    blocks = [(packed, port) for packed, port in tests if len(packed) == (16 if v6 else 4)][: MOST_STEPS // size]
    end = size * len(blocks)
    for number, (packed, port) in enumerate(blocks):
        following = size * (number + 1)
        for offset in range(0, len(packed), 4):
            program.append((_LOAD_WORD, 0, 0, _NETWORK_HEADER + at + offset))
            over = following - len(program) - 1
            program.append((_JUMP_EQUAL, 0, over, int.from_bytes(packed[offset : offset + 4], "big")))
        program.append((_LOAD_HALF, 0, 0, _SOURCE_PORT))
        program.append((_JUMP_EQUAL, end - len(program), 0, port))
    return [*program, (_RETURN, 0, 0, _WHOLE), (_RETURN, 0, 0, 0)]


def block(on: socket.socket, sources: Iterable[tuple[str, int]]) -> bool:
    """Has the kernel drop what these sources send to a UDP socket, and nothing else any more.

    Returns whether it does; it makes no difference but for how soon a flood is thrown away.
    """
    if sys.platform != "linux":
        return False
    program = steps(sources, v6=on.family == socket.AF_INET6)
    try:
        if len(program) == 2:
            on.setsockopt(socket.SOL_SOCKET, _DETACH, 0)
            return True
        code = b"".join(struct.pack("HBBI", *step) for step in program)
        buffer = ctypes.create_string_buffer(code, len(code))
        on.setsockopt(socket.SOL_SOCKET, _ATTACH, struct.pack("HP", len(program), ctypes.addressof(buffer)))
    except OSError:  # none was attached, or the kernel may not
        return False
    return True


def source_of(key: str) -> tuple[str, int] | None:
    """Returns the address and port of a UDP flow's key; None for a connection's, or an address alone."""
    transport, _, rest = key.partition(":")
    host, _, port = rest.rpartition(":")
    if transport != "udp" or not port.isdigit():
        return None
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (host if isinstance(address, IPv4Address) else str(address)), int(port)
