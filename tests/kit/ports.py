"""Ports of 127.0.0.1 for tests."""

import contextlib
import random
import socket


def free_port() -> int:
    """Returns a port of 127.0.0.1 that neither UDP nor TCP uses, outside the range of the system's own choice.

    So a client's connection does not take it while a daemon or a peer is started again, and nobody who looks for one
    that is down is connected to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            contextlib.suppress(OSError),
        ):
            tcp.bind(("127.0.0.1", port))
            udp.bind(("127.0.0.1", port))
            return port
