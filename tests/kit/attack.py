"""An attacker on one loopback address, in a thread: as many datagrams as it can send, up to a number and a time."""

from __future__ import annotations

import itertools
import random
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

_BLOCK = 16
METHODS = ("OPTIONS", "REGISTER", "INVITE", "MESSAGE", "SUBSCRIBE", "PUBLISH", "NOTIFY", "FOO")


def requests(domain: str, host: str, port: int, seed: int = 1) -> list[bytes]:
    """Returns requests of every kind from somebody without a password, guesses at passwords, junk and answers."""
    rng = random.Random(seed)
    found = []
    for number, method in zip(range(400), itertools.cycle(METHODS), strict=False):
        user = rng.choice(("alice", "bob", "admin", "100", "nobody"))
        guess = ""
        if number % 3 == 0:
            guess = (
                f'Authorization: Digest username="{user}", realm="{domain}", nonce="{rng.getrandbits(96):032x}", '
                f'uri="sip:{domain}", response="{rng.getrandbits(128):032x}", algorithm=MD5\r\n'
            )
        found.append(
            f"{method} sip:{user}@{domain} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK{rng.getrandbits(64):x}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{user}@{domain}>;tag={number}\r\nTo: <sip:{user}@{domain}>\r\n"
            f"Call-ID: {rng.getrandbits(64):x}\r\nCSeq: 1 {method}\r\nContact: <sip:{user}@{host}:{port}>\r\n"
            f"Event: presence\r\n{guess}Content-Length: 0\r\n\r\n".encode()
        )
    found += [b"SIP/2.0 200 OK" + one[one.index(b"\r\n") :] for one in found[:20]]
    found += [rng.randbytes(rng.randrange(1, 600)) for _ in range(40)]
    rng.shuffle(found)
    return found


class Flood:
    """Sends from entry to exit.

    Args:
        target: host and port.
        source: the address to send from.
        most: datagrams at most.
        seconds: for so long at most.
    """

    def __init__(
        self, target: tuple[str, int], source: str, domain: str, *, most: int = 200_000, seconds: float = 10.0
    ) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._socket.setblocking(False)
        self._target = target
        self._datagrams: Sequence[bytes] = requests(domain, source, self._socket.getsockname()[1])
        self._most = most
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flood", daemon=True)
        self.sent = self.received = self.sent_octets = self.received_octets = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)
        self._read(0.3)
        self._socket.close()

    def _run(self) -> None:
        end = time.monotonic() + self._seconds
        datagrams = itertools.cycle(self._datagrams)
        while self.sent < self._most and not self._stop.is_set() and time.monotonic() < end:
            for _ in range(_BLOCK):
                data = next(datagrams)
                try:
                    self._socket.sendto(data, self._target)
                except BlockingIOError:
                    time.sleep(0.001)
                    continue
                self.sent += 1
                self.sent_octets += len(data)
            self._read(0.0)

    def _read(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                data = self._socket.recv(65_536)
            except BlockingIOError:
                if time.monotonic() >= end:
                    return
                time.sleep(0.005)
                continue
            self.received += 1
            self.received_octets += len(data)
