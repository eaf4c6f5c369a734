"""Fuzz: packets, and every reader behind them."""

from __future__ import annotations

from transports.ymsg.wire import codes, conference, contacts, files, http, messages, people, token
from transports.ymsg.wire.errors import YmsgSyntaxError
from transports.ymsg.wire.packet import Framer, Packet, pairs_of

SEEDS: list[bytes] = [
    Packet(service=codes.MESSAGE, pairs=pairs_of((5, "me"), (4, "bob"), (14, "hi \x1b[1m"), (97, "1"))).encode(),
    Packet(
        service=codes.MESSAGE, status=5, pairs=pairs_of((31, 6), (4, "bob"), (14, "x"), (15, "1"), (31, 6), (4, "c"))
    ).encode(),
    Packet(service=codes.LOGON, pairs=pairs_of((8, 1), (7, "bob"), (10, 99), (19, "x"), (47, 2), (13, 1))).encode(),
    Packet(service=codes.LIST, pairs=pairs_of((87, "Friends:a,b\nWork:c\n"), (88, "d"), (89, "me"))).encode(),
    Packet(service=codes.LIST_15, pairs=pairs_of((302, 318), (65, "G"), (302, 319), (7, "a"), (301, 319))).encode(),
    Packet(service=codes.CONF_INVITE, pairs=pairs_of((57, "r"), (50, "a"), (51, "b,c"), (52, "d"))).encode(),
    Packet(service=codes.P2P_FILE_TRANSFER, pairs=pairs_of((4, "a"), (49, "FILEXFER"), (27, "f"), (28, 1))).encode(),
    Packet(service=codes.NEW_CONTACT, status=3, pairs=pairs_of((1, "me"), (3, "bob"), (14, "hi"))).encode(),
    b"HTTP/1.0 200 OK\r\nContent-Length: 20\r\n\r\n0\r\ncrumb=a\r\nY=b\r\nT=c",
]


def one(data: bytes) -> None:
    """Cut a stream into packets and read what they hold."""
    _web(data)
    framer = Framer()
    try:
        packets = framer.feed(data)
    except YmsgSyntaxError:
        return
    assembler = contacts.ListAssembler(max_bytes=1000)
    for packet in packets:
        if Framer().feed(Packet(service=packet.service, pairs=packet.pairs).encode())[0].pairs != packet.pairs:
            raise AssertionError("a packet does not come back as itself")
        messages.read_messages(packet)
        messages.read_notice(packet)
        people.read_people(packet)
        assembler.take(packet)
        contacts.read_list_15(packet, "")
        contacts.read_edited(packet)
        contacts.read_asked(packet)
        conference.read_conference(packet)
        files.read_offer(packet)


def _web(data: bytes) -> None:
    try:
        answer = http.read_response(data, 1000, closed=bool(data[:1] == b"H"))
        if answer is not None:
            token.read_token(answer.body)
            token.read_cookies(answer.body)
    except YmsgSyntaxError:
        return
