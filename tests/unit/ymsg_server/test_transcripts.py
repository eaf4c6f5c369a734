"""The test server is held against what a real one (escargot) was seen to answer to the same packets."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.kit.ymsg_server.network import Network, Session
from tests.unit.ymsg.test_transcripts import PROBED, probed
from transports.ymsg.wire import codes
from transports.ymsg.wire.challenge import answers
from transports.ymsg.wire.packet import Packet, pairs_of

_DIFFERS = {59, 94}
"""Keys whose values are drawn: cookies, and the challenge."""


class Talk:
    """Lives through the client's side of a transcript, and keeps what the server said on each connection."""

    def __init__(self) -> None:
        self.network = Network(rng=random.Random(1), clock=lambda: 0.0)
        for name in ("yaha", "yahb"):
            self.network.add(name, "secret")
        self.network.accounts["yaha"].groups["(No Group)"] = ["yahb"]
        self.network.accounts["yahb"].groups["(No Group)"] = ["yaha"]
        self.sessions: dict[str, Session] = {}
        self.said: dict[str, list[Packet]] = {}

    def client(self, conn: str, packet: Packet) -> None:
        if conn not in self.sessions:
            said = self.said.setdefault(conn, [])
            self.sessions[conn] = session = self.network.opened(said.append, self._closer(conn))
            assert session is self.sessions[conn]
        session = self.sessions[conn]
        if packet.service == codes.AUTH_RESPONSE:
            packet = self._proved(session, packet, right=conn != "c")
        self.network.receive(session, packet)

    def _closer(self, conn: str) -> Callable[[], None]:
        return lambda: self.network.closed(self.sessions[conn])

    def _proved(self, session: Session, packet: Packet, *, right: bool) -> Packet:
        """The same with answers to the challenge that this server drew."""
        name = (packet.get(0) or b"").decode()
        proof = answers(name, "secret" if right else "wrong", session.challenge)
        rest = tuple(pair for pair in packet.pairs if pair[0] not in {6, 96})
        return Packet(
            service=packet.service,
            version=packet.version,
            pairs=(*pairs_of((6, proof.plain), (96, proof.crypted)), *rest),
        )


def comparable(packet: Packet) -> tuple[int, int, list[tuple[int, bytes | None]]]:
    """A packet without what is drawn; in which order its keys stand matters to nobody."""
    pairs = [(key, None if key in _DIFFERS else value) for key, value in packet.pairs]
    return packet.service, packet.status, sorted(pairs, key=lambda pair: (pair[0], pair[1] or b""))


def without_idle_words(packets: list[Packet]) -> list[Packet]:
    """Escargot says once of a contact that they have gone who was never there; this server does not."""
    there: set[bytes | None] = set()
    kept = []
    for packet in packets:
        if packet.service == codes.LOGOFF and packet.get(7) not in there:
            continue
        there |= {value for key, value in packet.pairs if key == 7}
        kept.append(packet)
    return kept


@pytest.mark.parametrize("path", PROBED, ids=lambda path: path.stem)
def test_it_answers_as_a_real_server_did(path: object) -> None:
    talk = Talk()
    wanted: dict[str, list[Packet]] = {}
    for who, conn, packet in probed(path):  # type: ignore[arg-type]
        if who == "C":
            talk.client(conn, packet)
        else:
            wanted.setdefault(conn, []).append(packet)
    for conn, packets in wanted.items():
        seen = [comparable(packet) for packet in talk.said[conn]]
        assert seen == [comparable(packet) for packet in without_idle_words(packets)], conn
