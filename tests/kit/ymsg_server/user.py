"""A person on the network: a client of a few lines over a real socket, which knows nothing of our session."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from transports.ymsg.wire import codes
from transports.ymsg.wire.challenge import answers
from transports.ymsg.wire.packet import Framer, Packet, pairs_of

TIMEOUT = 15.0


class UserError(Exception):
    """What was waited for did not come; the text has the last packets."""


class YmsgUser:
    """Signs on in the constructor.

    Args:
        address: ``host:port``.
        name, password: of the account.
        version: of the protocol.

    Attributes:
        packets: all that came, in order.
    """

    def __init__(self, address: str, name: str, password: str, *, version: int = 10) -> None:
        host, _, port = address.rpartition(":")
        self.name = name
        self.version = version
        self.packets: list[Packet] = []
        self.session = 0
        self.ended = False
        self._framer = Framer()
        self._socket = socket.create_connection((host, int(port)), timeout=TIMEOUT)
        try:
            self._sign_on(password)
        except BaseException:
            self.close()
            raise

    def _sign_on(self, password: str) -> None:
        self.write(codes.HANDSHAKE)
        self.wait(lambda packet: packet.service == codes.HANDSHAKE)
        self.write(codes.AUTH, (1, self.name))
        challenge = self.wait(lambda packet: packet.service == codes.AUTH).get(94) or b""
        proof = answers(self.name, password, challenge)
        self.write(
            codes.AUTH_RESPONSE,
            (6, proof.plain), (96, proof.crypted), (0, self.name), (2, self.name), (1, self.name), (135, "5,5,0,1246"),
        )  # fmt: skip
        self.wait(lambda packet: packet.service == codes.LIST and packet.status == codes.OK)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Goes, without a word."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def write(self, service: int, *pairs: tuple[int, str | bytes | int], status: int = 0) -> None:
        """Sends a packet."""
        packet = Packet(
            service=service, status=status, session=self.session, pairs=pairs_of(*pairs), version=self.version
        )
        self._socket.sendall(packet.encode())

    def wait(
        self, wanted: Callable[[Packet], bool], *, timeout: float = TIMEOUT, since: int = 0, what: str = "a packet"
    ) -> Packet:
        """The first packet from number `since` on that is wanted; raises `UserError`."""
        end = time.monotonic() + timeout
        at = since
        while True:
            while at < len(self.packets):
                if wanted(self.packets[at]):
                    return self.packets[at]
                at += 1
            left = end - time.monotonic()
            if self.ended or left <= 0:
                raise UserError(f"{self.name}: {what} did not come; last: {self.packets[-8:]}")
            self._read(left)

    def wait_end(self, timeout: float = TIMEOUT) -> None:
        """Waits until the server has closed; raises `UserError`."""
        end = time.monotonic() + timeout
        while not self.ended:
            if time.monotonic() >= end:
                raise UserError(f"{self.name}: the server does not close")
            self._read(0.2)

    def drain(self) -> None:
        """Takes what has come, without waiting."""
        while not self.ended and select.select([self._socket], [], [], 0)[0]:
            self._read(0)

    def taken(self) -> None:
        """Waits until the server has read all that was written."""
        since = len(self.packets)
        self.write(codes.KEEPALIVE, (0, self.name))
        self.wait(lambda packet: packet.service == codes.KEEPALIVE, since=since, what="the answer to a keep-alive")

    def _read(self, seconds: float) -> None:
        readable, _, _ = select.select([self._socket], [], [], min(seconds, 0.2))
        if not readable:
            return
        try:
            data = self._socket.recv(65536)
        except ConnectionError:
            data = b""
        self.ended = not data
        for packet in self._framer.feed(data):
            self.session = packet.session or self.session
            self.packets.append(packet)

    # -- what people do

    def say(self, to: str, text: str) -> None:
        """Writes to somebody, in UTF-8."""
        self.say_raw(to, text.encode(), (97, "1"))

    def say_raw(self, to: str, text: bytes, *more: tuple[int, str]) -> None:
        """Writes to somebody, in octets."""
        self.write(codes.MESSAGE, (1, self.name), (5, to), (14, text), *more)

    def heard(self, sender: str, text: str, *, timeout: float = TIMEOUT, since: int = 0) -> Packet:
        """Waits for a message in UTF-8 of this text."""
        return self.wait(
            lambda p: p.service == codes.MESSAGE and p.get(4) == sender.encode() and p.get(14) == text.encode(),
            timeout=timeout,
            since=since,
            what=f"{text!r} of {sender}",
        )

    def texts(self, sender: str) -> list[str]:
        """All that somebody has written so far."""
        return [
            (packet.get(14) or b"").decode()
            for packet in self.packets
            if packet.service == codes.MESSAGE and packet.get(4) == sender.encode()
        ]

    def sees(self, name: str, wanted: Callable[[Packet], bool], *, timeout: float = TIMEOUT, since: int = 0) -> Packet:
        """Waits for news of somebody's presence."""
        return self.wait(
            lambda p: p.get(7) == name.encode() and p.get(13) is not None and wanted(p),
            timeout=timeout,
            since=since,
            what=f"presence of {name}",
        )

    def add(self, name: str, text: str = "") -> Packet:
        """Puts somebody on the list; gives the answer."""
        since = len(self.packets)
        self.write(codes.ADD_BUDDY, (1, self.name), (7, name), (14, text), (65, "Friends"), (97, "1"))
        return self.wait(lambda packet: packet.service == codes.ADD_BUDDY, since=since, what="the answer to an edit")

    def type(self, to: str, *, typing: bool) -> None:
        """Shows somebody that they type."""
        self.write(
            codes.NOTIFY,
            (49, "TYPING"), (1, self.name), (14, " "), (13, int(typing)), (5, to),
            status=codes.TYPING,
        )  # fmt: skip
