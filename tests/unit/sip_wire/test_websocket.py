"""WebSocket framing: the handshake as RFC 7118 wants it, one message for one message, bounds, and hostile peers."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Pong, Request, TextMessage

from transports.sip.wire.parser import Limits
from transports.sip.wire.websocket import WebSocketFramer

HEAD = (
    b"GET /any HTTP/1.1\r\nHost: sip.corp.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
OFFER = b"Sec-WebSocket-Protocol: xmpp, sip\r\n"
SMALL = Limits(header_section=100, body=50)


class Peer:
    """A client by wsproto, and what it hears."""

    def __init__(self, framer: WebSocketFramer) -> None:
        self.framer = framer
        self.socket = WSConnection(ConnectionType.CLIENT)
        self.heard: list[Event] = []
        self.send(Request(host="sip.corp.example", target="/", subprotocols=["sip"]))

    def send(self, *events: Event) -> list[bytes]:
        found, out = self.framer.feed(b"".join(self.socket.send(event) for event in events))
        self.hear(out)
        return found

    def hear(self, data: bytes) -> None:
        self.socket.receive_data(data)
        self.heard += self.socket.events()


@pytest.fixture
def peer() -> Peer:
    return Peer(WebSocketFramer())


def test_the_handshake_agrees_on_sip_and_on_no_extension() -> None:
    framer = WebSocketFramer()
    found, out = framer.feed(HEAD + b"Sec-WebSocket-Extensions: permessage-deflate\r\n" + OFFER + b"\r\n")
    assert found == []
    assert out.startswith(b"HTTP/1.1 101 ")
    # RFC 6455 section 1.3 has this key and this answer.
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in out
    assert b"\r\nSec-WebSocket-Protocol: sip\r\n" in out
    assert b"xtensions" not in out
    assert (framer.up, framer.over) == (True, False)


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (HEAD + b"\r\n", 400, b"must offer sip"),
        (HEAD + b"Sec-WebSocket-Protocol: SIPS\r\n\r\n", 400, b"must offer sip"),
        (HEAD.replace(b": 13", b": 8") + OFFER + b"\r\n", 426, b"Version"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"Upgrade"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 400, b"GET"),
        (HEAD.replace(b"sip.corp", b"\xff\xfe") + OFFER + b"\r\n", 400, b""),
        (HEAD + b"Sec-WebSocket-Protocol: \xff\r\n\r\n", 400, b""),
        (b"REGISTER sip:corp.example SIP/2.0\r\nVia: SIP/2.0/WS x;branch=z9hG4bK1\r\n\r\n", 400, b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, b""),
        (b"x" * 20_000, 400, b""),
        (HEAD + b"X-Long: " + b"x" * 20_000, 400, b""),
    ],
)
def test_what_is_no_handshake_of_ours_is_answered_in_http(data: bytes, status: int, said: bytes) -> None:
    framer = WebSocketFramer()
    found, out = framer.feed(data)
    assert found == []
    assert out.startswith(b"HTTP/1.1 %d " % status)
    assert said in out
    assert (framer.up, framer.over) == (False, True)
    assert framer.reason
    assert framer.feed(HEAD + OFFER + b"\r\n") == ([], b"")
    assert framer.close() == b""


@pytest.mark.parametrize(
    ("origin", "up"),
    [(b"", True), (b"Origin: https://IM.corp.example\r\n", True), (b"Origin: https://e.example\r\n", False)],
)
def test_pages_of_other_origins_are_kept_out_where_that_is_wanted(origin: bytes, up: bool) -> None:
    framer = WebSocketFramer(origins=frozenset({"https://im.corp.example"}))
    _, out = framer.feed(HEAD + OFFER + origin + b"\r\n")
    assert out.startswith(b"HTTP/1.1 101" if up else b"HTTP/1.1 403")
    assert framer.up is up
    assert WebSocketFramer().feed(HEAD + OFFER + origin + b"\r\n")[1].startswith(b"HTTP/1.1 101")


def test_a_message_is_a_message_as_text_or_as_octets(peer: Peer) -> None:
    assert isinstance(peer.heard.pop(), AcceptConnection)
    assert peer.send(TextMessage("grüße"), BytesMessage(b"\xff\x00"), TextMessage("")) == [
        "grüße".encode(),
        b"\xff\x00",
        b"",
    ]
    assert peer.framer.messages == 3
    peer.hear(peer.framer.frame("grüße".encode()))
    peer.hear(peer.framer.frame(b"\xff\x00"))
    assert [type(event) for event in peer.heard] == [TextMessage, BytesMessage]
    assert [getattr(event, "data", None) for event in peer.heard] == ["grüße", b"\xff\x00"]


def test_a_message_in_pieces_is_whole_only_at_its_end(peer: Peer) -> None:
    assert peer.send(TextMessage("MESS", message_finished=False)) == []
    assert (peer.framer.pending, peer.framer.messages) == (4, 0)
    assert peer.send(Ping(b"still there?"), TextMessage("AGE", message_finished=True)) == [b"MESSAGE"]
    assert (peer.framer.pending, peer.framer.messages) == (0, 1)
    assert [bytes(event.payload) for event in peer.heard if isinstance(event, Pong)] == [b"still there?"]


@given(
    st.integers(0, 2**32), st.lists(st.binary(min_size=1, max_size=300) | st.text(min_size=1, max_size=100), max_size=6)
)
def test_however_it_is_cut_the_same_comes_out(seed: int, texts: list[bytes | str]) -> None:
    chance = random.Random(seed)
    client = WSConnection(ConnectionType.CLIENT)
    data = client.send(Request(host="x", target="/", subprotocols=["sip"]))
    whole = WebSocketFramer()
    client.receive_data(whole.feed(data)[1])
    list(client.events())
    framed = b"".join(client.send(TextMessage(one) if isinstance(one, str) else BytesMessage(one)) for one in texts)
    cut = WebSocketFramer()
    found: list[bytes] = []
    for stream in (data, framed):  # a client waits for the answer to its handshake (RFC 6455 section 4.1)
        while stream:
            at = chance.randint(1, 40)
            found += cut.feed(stream[:at])[0]
            stream = stream[at:]
    assert found == [one.encode() if isinstance(one, str) else one for one in texts]


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_message_that_is_too_large_ends_it(step: int) -> None:
    peer = Peer(WebSocketFramer(SMALL))
    assert peer.send(BytesMessage(b"x" * 154)) == [b"x" * 154]
    data = peer.socket.send(BytesMessage(b"x" * 155))
    for at in range(0, len(data), step):
        found, out = peer.framer.feed(data[at : at + step])
        assert found == []
        peer.hear(out)
    assert peer.framer.over
    assert isinstance(peer.heard[-1], CloseConnection)
    assert peer.heard[-1].code == 1009
    assert peer.framer.pending == 0


def test_pieces_that_never_end_are_no_way_around(peer: Peer) -> None:
    framer = WebSocketFramer(SMALL)
    framer.feed(HEAD + OFFER + b"\r\n")
    for _ in range(200):
        framer.feed(b"\x01\x81\0\0\0\0x" if not framer.pending else b"\x00\x81\0\0\0\0x")
    assert framer.over
    assert "larger" in framer.reason


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x01x", 1002),  # not masked
        (b"\xc1\x81\0\0\0\0x", 1002),  # a bit that no extension of ours means
        (b"\x83\x81\0\0\0\0x", 1002),  # a kind of frame that there is not
        (b"\x00\x81\0\0\0\0x", 1002),  # goes on with nothing
        (b"\x09\x81\0\0\0\0x", 1002),  # a ping in pieces
        (b"\x89\xfe\x01\x00\0\0\0\0", 1002),  # a ping of 256 octets
        (b"\x81\x82\0\0\0\0\xff\xfe", 1007),  # a text that is none
        (b"\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", 1002),  # a length with its first bit set
    ],
)
def test_a_frame_that_breaks_the_rules_ends_it(frame: bytes, code: int) -> None:
    framer = WebSocketFramer()
    framer.feed(HEAD + OFFER + b"\r\n")
    found, out = framer.feed(frame)
    assert found == []
    assert framer.over
    assert out[:1] == b"\x88"
    assert int.from_bytes(out[2:4], "big") == code
    assert framer.feed(b"\x81\x81\0\0\0\0x") == ([], b"")


def test_a_close_is_answered_and_nothing_follows(peer: Peer) -> None:
    assert peer.send(
        TextMessage("a"),
        CloseConnection(1000, "bye"),
    ) == [b"a"]
    assert peer.framer.over
    assert "1000 bye" in peer.framer.reason
    assert isinstance(peer.heard[-1], CloseConnection)
    with pytest.raises(ValueError, match="not up"):
        peer.framer.frame(b"x")
    assert peer.framer.close() == b""


def test_our_own_close_tells_the_peer(peer: Peer) -> None:
    peer.hear(peer.framer.close(reason="the bridge stops"))
    assert peer.heard[-1] == CloseConnection(1001, "the bridge stops")
    assert peer.framer.over
    with pytest.raises(ValueError, match="not up"):
        WebSocketFramer().frame(b"x")


@given(st.binary(max_size=400), st.booleans())
def test_no_octets_make_it_fail(data: bytes, up: bool) -> None:
    framer = WebSocketFramer(SMALL)
    if up:
        framer.feed(HEAD + OFFER + b"\r\n")
    for at in range(0, len(data), 11):
        framer.feed(data[at : at + 11])
    assert framer.pending <= SMALL.header_section + 4 + SMALL.body
