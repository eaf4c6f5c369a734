"""Fuzz: a session, and a server that says what it likes. No exception is documented, so none may come."""

from __future__ import annotations

import random

from transports.msnp.machine.actions import Connect, Fetched
from transports.msnp.machine.config import SessionConfig, Urls
from transports.msnp.machine.session import MsnpSession
from transports.msnp.wire import native

_ON = (
    b"VER 1 MSNP12\r\nCVR 2 1 1 1 u u\r\nUSR 3 TWN S ct=1\r\nUSR 4 OK a@x.test 1 0\r\nSYN 5 0 0 0 0\r\nCHG 6 NLN 32\r\n"
)
SEEDS: list[bytes] = [
    b"\x40" + _ON + b"XFR 7 SB 127.0.0.1:1 CKI k\r\nUSR 1 OK a@x.test A\r\nCAL 2 RINGING 1\r\n",
    b"\x40" + _ON + b"JOI b@x.test B 32\r\nACK 3\r\nNAK 4\r\n",
    b"\x40" + _ON + b"RNG 1 127.0.0.1:1 CKI k b@x.test B\r\nIRO 1 1 1 b@x.test B 0\r\nANS 1 OK\r\n",
    b"\x40" + _ON + b"JOI c@x.test C 0\r\nBYE b@x.test\r\n",
    b"\x40" + _ON + b"MSG b@x.test B 60\r\nContent-Type: text/plain\r\nMessage-ID: x\r\nChunks: 3\r\n\r\npart",
    b"\x40" + _ON + b"CHL 0 15570131571988941333\r\nADC 0 RL N=b@x.test F=B\r\nREM 0 RL b@x.test\r\nOUT OTH\r\n",
    b"VER 1 MSNP12\r\nXFR 2 NS 127.0.0.1:1 0 0\r\n911 3\r\n",
]


def one(data: bytes) -> None:
    """The first byte says how the rest is cut and shared among the connections that the session opens."""
    urls = Urls(login="https://login.test/", stored="https://oim.test/")
    config = SessionConfig(host="h", port=1, urls=urls)
    session = MsnpSession("a@x.test", "secret", config, rng=random.Random(0))
    session.start(0.0)
    step = data[0] % 64 + 1 if data else 1
    conns: list[int] = []
    _act(session, conns, 0.0)
    for at in range(1, len(data), step):
        now = float(at)
        if at % 5 == 0:
            session.send(native.ImSend(account="a@x.test", to="b@x.test", text="hi", cookie=f"{at:032x}"), at, now)
        for conn_id in conns[-2:]:
            session.receive(conn_id, data[at : at + step], now)
        _act(session, conns, now)
        if at % 7 == 0:
            session.handle_timer(now)
    session.handle_timer(1e5)
    _act(session, conns, 1e5)
    session.stop(1e6)
    _act(session, conns, 1e6)
    if session.next_deadline() is not None:
        raise AssertionError("a stopped session wants to be woken")
    if session.waiting():
        raise AssertionError("a stopped session has sends that never ended")


def _act(session: MsnpSession, conns: list[int], now: float) -> None:
    while (action := session.next_action()) is not None:
        if isinstance(action, Connect):
            conns.append(action.conn_id)
            session.connected(action.conn_id, now)
    headers = {"authentication-info": "Passport1.4 da-status=success,from-PP='t=x'"}
    while (fetch := session.next_fetch()) is not None:
        session.fetched(fetch.fetch_id, Fetched(status=200, headers=headers), now)
    session.to_send()
    while session.next_event() is not None:
        continue
