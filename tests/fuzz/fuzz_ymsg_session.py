"""Fuzz: a session, and a server that sends what it likes. No exception is documented, so none may come."""

from __future__ import annotations

import random

from mappings.ymsg import YmsgMapping
from transports.common.machine.actions import SendDone
from transports.ymsg.machine.config import SessionConfig, TokenServer
from transports.ymsg.machine.session import YmsgSession
from transports.ymsg.wire import codes, native
from transports.ymsg.wire.packet import Packet, pairs_of

_MAPPING = YmsgMapping(network="yahoo", clock=lambda: 0.0)  # type: ignore[arg-type]
_SIGN_ON = (
    Packet(service=codes.HANDSHAKE, status=1).encode()
    + Packet(service=codes.AUTH, status=1, pairs=pairs_of((1, "me"), (94, "FRAWElCfTpeVBB.8WRzt1Q--"))).encode()
    + Packet(service=codes.LIST, pairs=pairs_of((87, "G:bob\n"), (88, ""))).encode()
)


def _up(service: int, *pairs: tuple[int, str | int], status: int = 1) -> bytes:
    return b"\xff" + _SIGN_ON + Packet(service=service, status=status, pairs=pairs_of(*pairs)).encode()


SEEDS: list[bytes] = [
    _up(codes.MESSAGE, (4, "bob"), (14, "hi"), (97, "1"), (429, "7")),
    _up(codes.MESSAGE, (5, "bob"), status=2),
    _up(codes.KEEPALIVE, (1, "me")),
    _up(codes.ADD_BUDDY, (7, "carol"), (65, "Friends"), (66, 0)),
    _up(codes.CONF_INVITE, (57, "r"), (50, "bob"), (52, "carol")),
    _up(codes.CONF_MESSAGE, (57, "r"), (3, "bob"), (14, "x")),
    _up(codes.FILE_TRANSFER_15, (4, "bob"), (222, 1), (265, "t"), (27, "f")),
    _up(codes.NEW_CONTACT, (3, "bob"), (14, "x"), status=3),
    _up(codes.IS_AWAY, (7, "bob"), (10, 99), (19, "x"), (47, 1), (13, 1)),
    _up(codes.LOGOFF, status=codes.FAILED),
    _up(codes.PROTOCOL_ERROR, (66, 1014)),
    _up(codes.PING, (143, 1), (144, 1)),
    b"\x07" + Packet(service=codes.AUTH_RESPONSE, status=codes.FAILED, pairs=pairs_of((66, 13))).encode(),
]


def _take(session: YmsgSession, now: float) -> None:
    session.to_send()
    while session.next_action() is not None:
        continue
    while (event := session.next_event()) is not None:
        if not isinstance(event, SendDone):
            _MAPPING.to_canonical(event)
            session.recorded(event, now)


def one(data: bytes) -> None:
    """The first byte says in which pieces the rest comes."""
    token_server = TokenServer(host="t", port=2, tls=False)
    session = YmsgSession(
        "me", "secret", SessionConfig(host="h", port=1, token_server=token_server), rng=random.Random(0)
    )
    session.start(0.0)
    _take(session, 0.0)
    session.connected(1, 0.0)
    step = data[0] + 1 if data else 1
    for at in range(1, len(data), step):
        session.receive(1, data[at : at + step], float(at))
        _take(session, float(at))
    session.send(native.ImSend(account="me", to="bob", text="x", id="i"), "k", 1e4)
    session.send(native.BuddyAdd(account="me", name="carol"), "a", 1e4)
    session.send(native.OwnPresence(account="me", status=codes.CUSTOM, text="x"), "p", 1e4)
    session.receive(2, data, 1e4)
    session.receive(1, data[1:], 1e4)
    _take(session, 1e4)
    session.handle_timer(1e5)
    session.stop(1e6)
    _take(session, 1e6)
    if session.next_deadline() is not None:
        raise AssertionError("a stopped session wants to be woken")
